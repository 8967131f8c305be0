"""The page of `docs/deploy.md` classifies pictures in a browser, as `predict` does.

It needs Chromium, node, and a folder of packages of npm. The variable `BROWSER_PACKAGES` names it:

    npm install --prefix /tmp/packages onnxruntime-web playwright-core
    BROWSER_PACKAGES=/tmp/packages pytest tests/exchange/test_browser.py --full
"""

import functools
import os
import re
import shutil
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import netbuild
from netbuild.training.prediction.predict import Predictor
from netbuild.training.prediction.trained import trained
from tests import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PACKAGES = os.environ.get("BROWSER_PACKAGES")
PAGE = ROOT / "docs" / "digits.html"
#: The files of onnxruntime-web that a page needs.
RUNTIME = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, and prints nothing."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_the_page_is_in_the_docs() -> None:
    """The docs show the page as it is."""
    shown = re.findall(
        r"```html\n(.*?)```", (ROOT / "docs/deploy.md").read_text("utf-8"), re.DOTALL
    )
    assert PAGE.read_text("utf-8") in shown


def pictures(folder: Path) -> list[Path]:
    """Write digits as pictures, 28×28, grey values of 8 bits."""
    from PIL import Image
    from sklearn.datasets import load_digits

    made = []
    for number, digit in enumerate(load_digits().images[:40]):
        small = Image.fromarray((digit * (255 / 16)).astype("uint8"))
        made.append(folder / f"{number:02}.png")
        small.resize((28, 28), Image.Resampling.BILINEAR).save(made[-1])
    return made


@pytest.mark.slow
@pytest.mark.skipif(not (CHROMIUM and PACKAGES), reason="needs Chromium and BROWSER_PACKAGES")
def test_a_browser_classifies_as_predict_does(tmp_path: Path) -> None:
    """Each raw picture gets the same class, and the same probability."""
    assert CHROMIUM
    assert PACKAGES
    settings = ["data.normalize=true", "train.epochs=2"]
    run = netbuild.train(ROOT / "configs/lenet.yaml", set=settings, runs=tmp_path / "runs")
    site = tmp_path / "site"
    site.mkdir()
    made = netbuild.export(
        run.folder, "onnx", site / "digits.onnx", include=("normalize", "softmax")
    )
    assert made.difference is not None
    shutil.copy(PAGE, site)
    for name in RUNTIME:
        shutil.copy(Path(PACKAGES, "node_modules/onnxruntime-web/dist", name), site)
    digits = pictures(tmp_path)
    shutil.copy(Path(__file__).with_name("browser.mjs"), tmp_path)
    (tmp_path / "node_modules").symlink_to(Path(PACKAGES, "node_modules"))
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=site)
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/digits.html"
        command = ["node", str(tmp_path / "browser.mjs"), CHROMIUM, url, *map(str, digits)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        server.shutdown()
    told = re.findall(r"(\d+\.png): (\d), probability ([\d.]+)", done.stdout)
    assert len(told) == len(digits), done.stderr
    expected: Any = [*Predictor(trained(run.folder)).predictions(digits)]
    for (name, digit, probability), one in zip(told, expected, strict=True):
        assert Path(one["input"]).name == name
        assert str(one["class"]) == digit
        assert float(probability) == pytest.approx(one["probability"], abs=1e-5)
    assert len({digit for _, digit, _ in told}) > 4
