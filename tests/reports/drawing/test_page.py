"""The page in a browser: stacks open and close, and nothing is asked of the network.

It needs Chromium. A script behind the page clicks, and writes what it finds into the page.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from netbuild.reports.drawing import html
from netbuild.reports.drawing.picture import Artist
from tests import ROOT
from tests.reports.drawing.networks import graph_at, parts_of

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"),
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]

PROBE = """
const boxes = () => [...picture.querySelectorAll("[data-path]")].map((box) => [
  box.dataset.path, ...box.getAttribute("transform").match(/[-0-9.]+/g).map(Number),
  Number(box.querySelector("rect.group, rect.box").getAttribute("width")),
  Number(box.querySelector("rect.group, rect.box").getAttribute("height")),
]);
const stack = (path) => picture.querySelector(`[data-path="${path}"]`);
const picture = document.getElementById("picture");
const found = { first: boxes() };
document.getElementById("collapse").click();
found.closed = boxes();
stack(FIRST).dispatchEvent(new MouseEvent("click", { bubbles: true }));
found.clicked = boxes();
found.focused = document.activeElement === stack(FIRST);
found.said = stack(FIRST).getAttribute("aria-expanded");
stack(FIRST).dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
found.entered = boxes();
document.getElementById("expand").click();
found.open = boxes();
found.wide = [...picture.querySelectorAll("[data-path] > text")].filter((text) => {
  const box = text.parentNode.querySelector("rect.group, rect.box").getBoundingClientRect();
  const own = text.getBoundingClientRect();
  return own.right > box.right + 1 || own.left < box.left - 1;
}).map((text) => text.textContent);
found.loaded = performance.getEntriesByType("resource").map((one) => one.name);
const result = document.createElement("pre");
result.id = "result";
result.textContent = JSON.stringify(found);
document.body.append(result);
"""


def probed(name: str, first: str, folder: Path) -> dict[str, Any]:
    """Return what the script finds on the page of a network. `first` is one of its stacks."""
    text = html(graph_at(ROOT / name))
    script = f"<script>const FIRST = {json.dumps(first)};\n{PROBE}</script></body>"
    path = folder / "net.html"
    path.write_text(text.replace("</body>", script), encoding="utf-8")
    command = [str(CHROMIUM), *_OPTIONS, f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [*command, path.as_uri()], capture_output=True, text=True, check=True, timeout=120
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    found = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr
    value: dict[str, Any] = json.loads(found[1].replace("&gt;", ">").replace("&lt;", "<"))
    return value


def placed(name: str, levels: int) -> list[list[Any]]:
    """Return the boxes of a picture that is as deep, as the page places them."""
    made = Artist(parts_of(graph_at(ROOT / name))).picture(lambda _, level: level < levels, None)
    return [
        [one.part.path, one.spot.x + 10, one.spot.y + 10, one.spot.width, one.spot.height]
        for one in made.boxes
    ]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("configs/resnet18.yaml", "stage2"),
        ("configs/rotary.yaml", "model"),
        ("configs/unet.yaml", "up2"),
    ],
)
def test_a_page(name: str, first: str, tmp_path: Path) -> None:
    """Stacks open by a click and close by Enter, and boxes stand where the SVG has them."""
    found = probed(name, first, tmp_path)
    paths = {state: [box[0] for box in found[state]] for state in ("closed", "clicked", "open")}
    assert not any("." in path for path in paths["closed"])
    inside = [path for path in paths["clicked"] if path not in paths["closed"]]
    assert inside
    assert all(path.startswith(f"{first}.") for path in inside)
    assert (found["entered"], found["focused"], found["said"]) == (found["closed"], True, "true")
    assert (found["wide"], found["loaded"]) == ([], [])
    for state, levels in (("closed", 1), ("open", 99)):
        ours = placed(name, levels)
        assert [box[0] for box in ours] == paths[state]
        for one, other in zip(ours, found[state], strict=True):
            assert other[1:] == pytest.approx(one[1:], abs=0.11), one[0]
