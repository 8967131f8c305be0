"""The page of runs: what it shows, how large it is, and that it loads nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import netbuild
from netbuild import training
from netbuild.cli import app
from netbuild.diagnostics.exceptions import RunNotFoundError
from netbuild.exchange import report as module
from netbuild.reports.run_page.document import Shown, document
from netbuild.reports.run_page.review import Example, Picture, Review
from netbuild.runs.records import read
from tests import ROOT
from tests.run_folders import RATES, epochs, make, rates
from tests.training_configs import write

if TYPE_CHECKING:
    from pathlib import Path

#: The most bytes of a page.
MOST = 500_000


class Reader(HTMLParser):
    """Reads a page: its tags, which have to be closed, and its visible text."""

    #: Elements without an end.
    ALONE = frozenset({"meta", "link", "img", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.feed(page)
        assert self.opened == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in self.ALONE:
            self.opened.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag that ends itself."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Expect the end of the tag that was opened last."""
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep a text that a reader sees."""
        if not {"script", "style", "svg"} & {*self.opened}:
            self.said.append(data)

    @property
    def text(self) -> str:
        """The visible text, its blanks made one."""
        return " ".join(" ".join(self.said).split())


def page_of(*folders: Path, samples: bool = False) -> Reader:
    """Write the page of some runs, and read it."""
    target = netbuild.report(folders, folders[0].parent / "page.html", samples=samples)
    page = target.read_text(encoding="utf-8")
    assert len(page.encode()) < MOST
    return Reader(page)


def charts(reader: Reader, page: str) -> Any:
    """Return the data of the charts of a page."""
    del reader
    found = re.search(r'id="chart-data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_four_rates(tmp_path: Path) -> None:
    """The page names the best run, and shows the rate and the curves of each."""
    folders = rates(tmp_path)
    reader = page_of(*folders)
    page = (tmp_path / "tiny" / "page.html").read_text(encoding="utf-8")
    assert "tiny: 4 runs" in reader.text
    assert "Best: tiny/2026-01-31T12-00-00, optimizer.SGD.lr 0.1, val loss 0.6927" in reader.text
    assert all(f"lr {rate}" in reader.text for rate in RATES)
    assert reader.text.count("netbuild train tiny.yaml") == 4
    assert "/home/ada" not in page
    loss, accuracy, rate = charts(reader, page)
    assert [chart["title"] for chart in (loss, accuracy, rate)] == [
        *("loss", "accuracy", "learning rate")
    ]
    assert [line["run"] for line in loss["series"] if line["dashed"]] == [f"lr {r}" for r in RATES]
    assert loss["x"] == list(range(1, 13))
    assert loss["series"][1]["y"][0] == pytest.approx(2.2977, abs=1e-4)
    assert accuracy["percent"] is True
    assert reader.text.count("best") > 1


def test_it_loads_nothing(tmp_path: Path) -> None:
    """No element of the page names an address, and all texts are escaped."""
    spoilt = '"><script>alert(1)</script>'
    folders = [
        make(tmp_path, "2026-01-31T12-00-00", command=["netbuild", spoilt]),
        make(tmp_path, "2026-01-31T13-00-00", environment={"device": spoilt}),
    ]
    metrics = [{"epoch": n, "val_loss": 1 / n, f"val_{spoilt}": 0.5} for n in (1, 2)]
    odd = make(tmp_path, "2026-01-31T14-00-00", metrics=metrics)
    reader = page_of(*folders, odd)
    for tag, attributes in reader.tags:
        for name in ("src", "href", "action", "data"):
            told = attributes.get(name) or "data:"
            assert told.startswith("data:"), (tag, told)
        assert not any(name.startswith("on") for name in attributes)
    page = (tmp_path / "tiny" / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert spoilt in reader.text


def test_the_size(tmp_path: Path) -> None:
    """Four runs of 300 epochs with 100 classes and large pictures stay below 500 KB."""
    names = ("accuracy", "top5_accuracy", "f1", "recall", "precision")
    folders = [
        make(
            tmp_path,
            f"2026-01-31T1{n}-00-00",
            metrics=epochs(300, rate, names),
            optimizer={"SGD": {"lr": rate}},
            train={"epochs": 300},
        )
        for n, rate in enumerate(RATES)
    ]
    noise = Random(0).randbytes(96 * 96 * 3)  # noqa: S311  no secret
    example = Example((("", Picture(96, 96, 3, noise)),), "", "cat", "dog", 0.9)
    counts = tuple(tuple((n * m) % 17 for n in range(100)) for m in range(100))
    classes = tuple(f"class {n}" for n in range(100))
    review = Review(
        samples=10_000,
        classes=classes,
        confusion=counts,
        heading="The worst mistakes",
        examples=(example,) * 16,
    )
    shown = [Shown(read(folder), "name: tiny\n" * 100, None, review) for folder in folders]
    page = document(shown)
    assert len(page.encode()) < MOST
    reader = Reader(page)
    assert "predicted as" in reader.text
    assert sum(tag == "img" for tag, _ in reader.tags) >= 2 * 4


@pytest.mark.slow
def test_the_size_of_many(tmp_path: Path) -> None:
    """Twelve long runs with twelve metrics stay below 500 KB, too."""
    names = tuple(f"metric_{n}" for n in range(12))
    folders = [
        make(
            tmp_path,
            f"2026-01-{day}T12-00-00",
            metrics=epochs(500, day / 1000, names),
            optimizer={"SGD": {"lr": day / 1000}},
            train={"epochs": 500},
            layers=[*[{"Linear": day}] * 20, {"Linear": 3}],
        )
        for day in range(10, 22)
    ]
    page_of(*folders)


def test_long_runs_are_thinned_out(tmp_path: Path) -> None:
    """A run of 5,000 epochs keeps its peaks, and the page says that points are left out."""
    metrics = epochs(5000, 0.001)
    metrics[1234]["val_loss"] = 77.0
    folder = make(tmp_path, metrics=metrics, train={"epochs": 5000})
    reader = page_of(folder)
    page = (folder.parent / "page.html").read_text(encoding="utf-8")
    loss = charts(reader, page)[0]
    assert "thinned out" in reader.text
    assert len(loss["x"]) < 1300
    assert any(77.0 in line["y"] for line in loss["series"])


# Damaged and unfinished runs.


def test_damaged_runs(tmp_path: Path) -> None:
    """A damaged folder is said in a line; the page shows what is left."""
    whole = make(tmp_path, "2026-01-31T12-00-00")

    def broken(hour: int, file: str, data: bytes | None) -> Path:
        folder = tmp_path / "tiny" / f"2026-01-31T{hour}-00-00"
        shutil.copytree(whole, folder)
        if data is None:
            (folder / file).unlink()
        else:
            (folder / file).write_bytes(data)
        return folder

    lines = (whole / "metrics.jsonl").read_bytes()
    folders = [
        broken(13, "metrics.jsonl", lines[: len(lines) - 40]),
        broken(14, "metrics.jsonl", None),
        broken(15, "resolved.yaml", None),
        broken(16, "resolved.yaml", b"layers: [nix"),
        broken(17, "environment.json", b"[" * 9999),
        broken(18, "metrics.jsonl", b'{"epoch": 1, "val_loss": NaN, "lr": Infinity}\n'),
        broken(
            19, "metrics.jsonl", b'{"epoch": NaN, "val_loss": 1}\n{"epoch": 2, "val_loss": 1e999}'
        ),
        broken(
            20, "metrics.jsonl", b'{"epoch": 9, "val_loss": 1}\n{"epoch": 2, "val_loss": -1e308}'
        ),
    ]
    for folder in folders:
        page_of(folder, samples=True)
    reader = page_of(whole, *folders)
    assert "resolved.yaml cannot be read: No such file" in reader.text
    assert "resolved.yaml has no valid train.epochs" in reader.text


def test_the_start_loads_nothing_of_it() -> None:
    """`validate`, `summary` and `train` load no module of runs side by side, or of pages."""
    code = (
        "import sys, netbuild.cli.validate, netbuild.cli.summary, netbuild.cli.train\n"
        "import netbuild.checks.trace, netbuild.reports.summary, netbuild.reports.runs\n"
        "print([n for n in sys.modules if n.startswith(('netbuild.exchange', "
        "'netbuild.reports.comparison', 'netbuild.reports.run_page', 'netbuild.reports.page'))])"
    )
    arguments = [sys.executable, "-c", code]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


def test_wrong_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a run, too many runs, and a file that cannot be written are refused."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    cases = {
        ("nix",): "there is no folder nix",
        ("empty",): "empty is not a run: it has no resolved.yaml",
    }
    for arguments, said in cases.items():
        done = CliRunner().invoke(app, ["report", *arguments])
        assert (done.exit_code, done.stderr) == (2, f"netbuild: {said}\n")
    folder = make(tmp_path / "runs")
    done = CliRunner().invoke(app, ["report", str(folder), "--no-samples", "-o", "nix/page.html"])
    assert done.exit_code == 2
    assert done.stderr == "netbuild: there is no folder nix\n"
    done = CliRunner().invoke(app, ["report", str(folder), "--no-samples", "-o", "page.yaml"])
    said = "netbuild: page.yaml is not an .html file by its name\n"
    assert (done.exit_code, done.stderr) == (2, said)
    with pytest.raises(ValueError, match=r"page\.yaml is not an \.html file by its name"):
        netbuild.report(folder, tmp_path / "page.yaml")
    (tmp_path / "dir.html").mkdir()
    done = CliRunner().invoke(app, ["report", str(folder), "--no-samples", "-o", "dir.html"])
    assert (done.exit_code, done.stderr) == (2, "netbuild: dir.html is a folder\n")
    done = CliRunner().invoke(app, ["report", str(folder), "--no-samples", "-o", "-"])
    assert Reader(done.stdout).text.startswith("tiny/2026-01-31T12-00-00")
    assert CliRunner().invoke(app, ["report", str(folder), "--watch", "-o", "-"]).exit_code == 2
    with pytest.raises(ValueError, match="1 to 12 runs, not 13"):
        netbuild.report([folder] * 13, tmp_path / "page.html")
    with pytest.raises(RunNotFoundError, match="there is no folder nix"):
        netbuild.report("nix", tmp_path / "page.html")


def test_watching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a run trains, the page loads itself again; in the end it does not, and is whole."""
    folder = make(tmp_path / "runs")
    target = tmp_path / "page.html"
    pages: list[str] = []
    states = iter([True, True, False])
    monkeypatch.setattr(module, "is_running", lambda _: next(states))
    monkeypatch.setattr("time.sleep", lambda _: pages.append(target.read_text(encoding="utf-8")))
    arguments = ["report", str(folder), "--watch", "--no-samples", "-o", str(target)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert len(pages) == 2
    assert all('http-equiv="refresh" content="5"' in page for page in pages)
    assert "http-equiv" not in target.read_text(encoding="utf-8")
    assert "is renewed every 5 seconds" in done.stdout
    assert re.search(r"page\.html: 1 run, \d+ KB\n$", done.stdout)


def test_without_torch(tmp_path: Path) -> None:
    """A page without samples needs no package of the extra `train`."""
    code = (
        "import sys, netbuild\nnetbuild.report(sys.argv[1], sys.argv[2], samples=False)\n"
        "print(sorted({'torch', 'numpy', 'sklearn', 'safetensors'} & {*sys.modules}))"
    )
    folder = make(tmp_path)
    arguments = [sys.executable, "-c", code, str(folder), str(tmp_path / "page.html")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


# The samples.


def test_samples_of_a_run(tmp_path: Path) -> None:
    """The page shows the confusion and the mistakes of the validation samples."""
    layers = ["Flatten", {"Linear": 3}]
    picture = {"input": [1, 6, 6], "layers": layers}
    run = training.train(write(tmp_path, **picture), runs=tmp_path / "runs")
    reader = page_of(run.folder, samples=True)
    found = re.search(r"12 samples, ([\d.]+)% of them right", reader.text)
    assert found
    assert run.best is not None
    assert float(found[1]) == pytest.approx(100 * run.best["val_accuracy"], abs=0.01)
    assert "but it is" in reader.text
    pictures = [a["src"] for tag, a in reader.tags if tag == "img" and a.get("alt") == "sample"]
    assert len(pictures) == round(12 * (1 - run.best["val_accuracy"]))
    assert "of them right" not in page_of(run.folder, samples=False).text
    shutil.rmtree(run.checkpoint("best"))
    assert "The samples are not shown: " in page_of(run.folder, samples=True).text


def test_missing_data_is_said(tmp_path: Path) -> None:
    """Without its data, a page says so plainly, and keeps the rest."""
    table = tmp_path / "table.csv"
    rows = "".join(f"{n % 7},{n % 5},{n % 3}.5\n" for n in range(40))
    table.write_text(f"a,b,c\n{rows}", encoding="utf-8")
    sections = {
        "input": [2],
        "layers": [{"Linear": 1}],
        "loss": "MSELoss",
        "metrics": None,
        "data": {"Csv": {"file": "table.csv", "target": "c"}, "validation": 0.25},
    }
    run = training.train(write(tmp_path, **sections), runs=tmp_path / "runs")
    assert "Predicted against true values" in page_of(run.folder, samples=True).text
    table.unlink()
    text = page_of(run.folder, samples=True).text
    assert "The samples are not shown: " in text
    assert "table.csv" in text
    assert "Metrics" in text


# In a browser.

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
#: The page may load nothing: a request is then an error in the console.
POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_in_a_browser(tmp_path: Path) -> None:
    """All charts are drawn, without a request and without an error in the console."""
    folders = rates(tmp_path)
    target = netbuild.report(folders, tmp_path / "page.html", samples=False)
    page = target.read_text(encoding="utf-8").replace("<head>", f"<head>{POLICY}", 1)
    probe = "document.title = performance.getEntriesByType('resource').map((r) => r.name).join()"
    target.write_text(page.replace("</body>", f"<script>{probe}</script></body>"), "utf-8")
    done = subprocess.run(
        [
            str(CHROMIUM),
            *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *(f"--user-data-dir={tmp_path / 'user'}", "--enable-logging=stderr", "--v=0"),
            *("--virtual-time-budget=2000", "--dump-dom", target.as_uri()),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "CONSOLE" not in done.stderr
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title
    assert all(name.startswith("data:") for name in title[1].split(",") if name)
    shown = done.stdout.partition("<body>")[2]
    assert shown.count("<canvas width") == 3
    assert shown.count('<table class="legend"') == 3
    assert shown.count(">last epoch<") == 3
