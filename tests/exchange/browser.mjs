// Opens a page, gives pictures to its file input, and prints what the page then tells.
//     node browser.mjs CHROMIUM URL PICTURE…
import { chromium } from "playwright-core";

const [executablePath, url, ...pictures] = process.argv.slice(2);
const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];
const browser = await chromium.launch({ executablePath, args });
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(String(error)));
  page.on("console", (message) => console.error(message.text()));
  await page.goto(url);
  const told = page.locator("pre");
  await page.waitForFunction(() => document.querySelector("pre").textContent);
  await page.setInputFiles("input", pictures);
  await page.waitForFunction(() => document.querySelector("pre").textContent.includes(": "));
  console.log(await told.textContent());
} finally {
  await browser.close();
}
