"""Runs side by side: the settings that differ, filters, orders, curves, and `diff` of two runs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from netbuild.cli import app
from netbuild.reports.comparison.curves import drawn, sparkline
from netbuild.reports.comparison.outcome import command
from netbuild.reports.comparison.settings import Setting, differing
from netbuild.runs.records import Record, listed, read
from tests.run_folders import RATES, epochs, make, rates
from tests.tables import hold

MEASURED = {"val_loss": 1.0, "val_accuracy": 0.5, "val_f1": 0.4}

FIRST = """\
runs

 name    run                  state     epochs  optimizer.SGD.lr  best    loss  accuracy         curve   time
 ────────────────────────────────────────────────────────────────────────────────────────────────────────────
 tiny    2026-01-31T10-00-00  finished   12/12             0.001    12  2.2726     9.10%  ████████████   6.0s
 tiny    2026-01-31T11-00-00  finished   12/12              0.01    12  2.0399    18.40%  ████▇▇▇▇▇▇▇▇   6.0s
 tiny    2026-01-31T12-00-00  finished   12/12               0.1    12  0.6927    72.29%  ▇▆▅▄▄▃▃▂▂▁▁▁   6.0s
 tiny    2026-01-31T13-00-00  finished   12/12               1.0     1  2.3100     7.60%  ████████████   6.0s

 4 runs                                                                                                 24.0s
 best: tiny/2026-01-31T12-00-00, optimizer.SGD.lr 0.1, val loss 0.6927, val accuracy 72.29%
"""  # noqa: E501  as wide as the terminal

NARROW = """\
runs: tiny

 run                     lr    loss
 ──────────────────────────────────
 2026-01-31T10-00-00  0.001  2.2726
 2026-01-31T11-00-00   0.01  2.0399
 2026-01-31T12-00-00    0.1  0.6927
 2026-01-31T13-00-00    1.0  2.3100

 4 runs
 best: tiny/2026-01-31T12-00-00,
 optimizer.SGD.lr 0.1, val loss 0.6927,
 val accuracy 72.29%
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with four runs that differ in the rate; it is the current one's `runs`."""
    monkeypatch.chdir(tmp_path)
    rates(tmp_path / "runs")
    return tmp_path / "runs"


def printed(*arguments: object, columns: int = 120) -> str:
    """Return what a command prints."""
    result = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: object) -> str:
    """Return what a command says that is used wrongly."""
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 2
    return result.stderr.strip()


def test_four_rates(made: Path) -> None:
    """The rate is a column, the best run is named, and nothing is wider than the terminal."""
    del made
    assert printed("runs") == FIRST
    assert printed("runs", columns=40) == NARROW
    for width in (120, 80, 60, 40):
        shown = printed("runs", columns=width)
        assert max(map(len, shown.splitlines())) <= width
        assert all(str(rate) in shown for rate in RATES)


def test_json_has_the_settings(made: Path) -> None:
    """JSON has the values that differ as they are; CSV has a column for each."""
    told = json.loads(printed("runs", "--format", "json"))
    assert [run["settings"] for run in told] == [{"optimizer.SGD.lr": rate} for rate in RATES]
    assert told[2]["monitor"] == "val_loss"
    assert told[2]["monitored"] == told[2]["best"]["val_loss"]
    assert "optimizer.SGD.lr" in printed("runs", "--format", "csv").splitlines()[0].split(",")
    assert "| optimizer.SGD.lr |" in printed("runs", made, "--format", "markdown")


def test_what_differs(tmp_path: Path) -> None:
    """Values are named by their path; items of other types and lists of other lengths are short."""
    linear: list[Any] = [{"Linear": 3}]
    cases: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, tuple[str, str]]]] = {
        "a value": (
            {"train": {"epochs": 2, "seed": 1}},
            {"train": {"epochs": 2, "seed": 2}},
            {"train.seed": ("1", "2")},
        ),
        "another type": (
            {"optimizer": {"SGD": {"lr": 0.5}}},
            {"optimizer": {"Adam": {"lr": 0.5}}},
            {"optimizer": ("SGD: {lr: 0.5}", "Adam: {lr: 0.5}")},
        ),
        "a layer": (
            {"layers": [{"Linear": 8}, *linear]},
            {"layers": [{"Linear": 16}, *linear]},
            {"layers.0.Linear": ("8", "16")},
        ),
        "layers": (
            {"layers": [{"Linear": 8}, "ReLU", *linear]},
            {"layers": [{"Linear": 16}, {"Dropout": 0.3}, "BatchNorm1d", "ReLU", *linear]},
            {"layers": ("3 items", "~Linear +Dropout +BatchNorm1d")},
        ),
        "a variable": (
            {"vars": {"width": 8}, "layers": [{"Linear": "$(width)"}, *linear]},
            {"vars": {"width": 9}, "layers": [{"Linear": "$(width)"}, *linear]},
            {"vars.width": ("8", "9")},
        ),
        "ends of long texts": (
            {"data": {"Csv": {"file": f"{'a' * 40}/one.csv", "target": "y"}}},
            {"data": {"Csv": {"file": f"{'a' * 40}/two.csv", "target": "y"}}},
            {"data.Csv.file": (f"…{'a' * 19}/one.csv", f"…{'a' * 19}/two.csv")},
        ),
        "nothing": ({}, {}, {}),
    }

    def differs(name: str) -> None:
        a, b, wanted = cases[name]
        runs = tmp_path / name
        make(runs, "2026-01-31T12-00-00", **a)
        make(runs, "2026-01-31T13-00-00", **b)
        assert {s.path: s.texts for s in differing(listed(runs))} == wanted

    hold(differs, list(cases), str)


@pytest.mark.parametrize(
    ("path", "name"),
    [("optimizer.SGD.lr", "lr"), ("optimizer.groups.0.lr", "groups.0.lr"), ("loss.0", "loss.0")],
)
def test_names_of_settings(path: str, name: str) -> None:
    """A field of a group is not taken for that of the whole optimizer."""
    assert Setting(path, (), ()).name == name


def test_other_networks_do_not_differ(made: Path) -> None:
    """Runs of different networks are not compared with one another."""
    make(made, name="other", layers=[{"Linear": 3}], optimizer={"Adam": {"lr": 0.5}})
    assert [setting.path for setting in differing(listed(made))] == ["optimizer.SGD.lr"]
    assert "best:" not in printed("runs")


def test_filters(made: Path) -> None:
    """Metrics of the best epoch, settings and states filter; several conditions hold together."""
    cases = {
        "val_accuracy>0.15": RATES[1:3],
        "accuracy>15%": RATES[1:3],
        "optimizer.SGD.lr=0.1": (0.1,),
        "optimizer.SGD.lr!=0.1": (0.001, 0.01, 1.0),
        "optimizer=SGD": RATES,
        "optimizer=S*": RATES,
        "optimizer!=SGD": (),
        "val_loss<=2.0": (0.1,),
        "state=finished": RATES,
        "epochs<12": (),
        "train.patience=null": RATES,
        "run=*T11*": (0.01,),
    }

    def keeps(condition: str) -> None:
        told = json.loads(printed("runs", "--filter", condition, "--format", "json"))
        kept = {run["run"][-19:-6] for run in told}
        wanted = {f"2026-01-31T1{RATES.index(rate)}" for rate in cases[condition]}
        assert kept == wanted

    hold(keeps, list(cases), str)
    both = printed("runs", "--filter", "val_loss<2.2", "--filter", "optimizer.SGD.lr<0.05")
    assert both.splitlines()[-1].split()[:2] == ["1", "run"]
    assert (
        printed("runs", made, "--filter", "epochs<12") == f"no runs in {made} that --filter keeps\n"
    )


WRONG = {
    "val_acuracy>1": "netbuild: --filter val_acuracy: no run has it; did you mean val_accuracy?",
    "momentum=1": "netbuild: --filter momentum: no run has it; did you mean "
    "optimizer.SGD.momentum?",
    "val_loss": "netbuild: --filter val_loss: write a name, a sign and a value, as in "
    "'val_accuracy>0.9'",
    "val_loss<low": "netbuild: --filter val_loss<low: < compares numbers, and 'low' is no number",
    "val_loss<[": "netbuild: --filter val_loss<[: < compares numbers, and '[' is no number",
}


def test_wrong_filters(made: Path) -> None:
    """A condition that is none, and a name that no run has, are refused with a hint."""
    del made

    def says(condition: str) -> None:
        assert refused("runs", "--filter", condition) == WRONG[condition]

    hold(says, list(WRONG), str)
    assert refused("runs", "--sort", "nix").startswith("netbuild: --sort nix: no run has it;")


def test_orders(made: Path) -> None:
    """Runs are sorted by a metric or a setting; the best, or the newest ones, remain of a limit."""
    cases = {
        ("--sort", "metric"): (0.1, 0.01, 0.001, 1.0),
        ("--sort", "loss"): (0.1, 0.01, 0.001, 1.0),
        ("--sort", "-optimizer.SGD.lr"): (1.0, 0.1, 0.01, 0.001),
        ("--sort", "val_accuracy", "--limit", "2"): (1.0, 0.001),
        ("--limit", "2"): (0.1, 1.0),
    }

    def sorts(options: tuple[str, ...]) -> None:
        told = json.loads(printed("runs", made, *options, "--format", "json"))
        assert [run["settings"].get("optimizer.SGD.lr") for run in told] == [*cases[options]]

    hold(sorts, list(cases), str)


def test_the_metric_is_the_one_that_decides() -> None:
    """A table of runs shows the metric that chooses the best epoch."""
    for monitor, metric in {"val_loss": "accuracy", "val_f1": "f1", "None": "accuracy"}.items():
        assert Record(Path(), "", best=MEASURED, monitor=monitor).metric == metric


# Curves.


def test_a_line_of_blocks() -> None:
    """Values become blocks on a shared scale; what is not finite is a blank."""
    assert sparkline([0, 1, 2, 3], (0, 3), 4) == "▁▃▆█"
    assert sparkline([0, 1], (0, 3), 4) == "▁▃  "
    assert sparkline([1.0, math.nan, None, 1.0], (1, 1), 4) == "▅  ▅"
    assert sparkline([0.001, 0.1, 10], (0.001, 10), 3) == "▁▅█"  # logarithmic
    assert sparkline([], (0, 1)) == ""
    assert len(sparkline(range(1000), (0, 999), 12)) == 12


def test_curves_of_a_run(tmp_path: Path) -> None:
    """The losses, the metrics and the rate are drawn, as wide as the terminal at most."""
    folder = make(tmp_path, train={"epochs": 30}, metrics=epochs(30, 0.1))
    for width in (120, 80, 40):
        lines = printed("runs", folder, columns=width).splitlines()
        start = next(n for n, line in enumerate(lines) if line.startswith(" loss"))
        assert max(map(len, lines[start:])) <= width
        assert any("⠀" < mark <= "⣿" for line in lines[start:] for mark in line)
        text = "\n".join(lines[start:])
        assert "loss: train dotted, val whole" in text
        assert "learning rate" in text
        assert "val 0.1145" in text
        assert "\x1b" not in text
    assert "metrics" in json.loads(printed("runs", folder, "--format", "json"))


def test_curves_of_odd_metrics(tmp_path: Path) -> None:
    """A run of one epoch has no curves; gaps and huge values are drawn all the same."""
    one = make(tmp_path / "a", metrics=epochs(1, 0.1))
    assert not drawn(read(one), 80, coloured=False)
    odd = [
        {"epoch": n, "val_loss": loss, "val_mae": 1e308 * (n % 2), "val_nothing": math.nan}
        for n, loss in enumerate((1.0, math.inf, math.nan, 0.5, -1e300), 1)
    ]
    folder = make(tmp_path / "b", metrics=odd)
    for width in (200, 80, 20):
        assert drawn(read(folder), width, coloured=True).plain.strip()
    printed("runs", tmp_path)


# Two runs.


def test_diff_of_two_runs(made: Path) -> None:
    """`diff` prints settings by value, metrics side by side, and what differs around them."""
    make(
        made,
        "2026-01-31T18-00-00",
        metrics=epochs(5, 0.1),
        optimizer={"SGD": {"lr": 0.1}},
        train={"epochs": 12},
        environment={"device": "NVIDIA H100"},
    )
    a, b = (made / "tiny" / f"2026-01-31T{hour}-00-00" for hour in (10, 18))
    said = printed("diff", a, b)
    assert " optimizer.SGD.lr  0.001  0.1\n" in said
    assert "A is tiny/2026-01-31T10-00-00\nB is tiny/2026-01-31T18-00-00 (" in said
    rows = {line[:21].strip(): line[21:].split() for line in said.splitlines()}
    assert rows["val loss, best"] == ["2.2726", "1.3950", "−0.8775"]
    assert rows["val accuracy, last"] == ["9.10%", "44.20%", "+35.10", "points"]
    assert rows["epochs"] == ["12/12", "5/12"]
    assert [" device", "cpu", "NVIDIA", "H100"] in [
        [line[:7], *line[7:].split()] for line in said.splitlines()
    ]
    narrow = printed("diff", a, b, columns=50).partition("A is")[2]
    assert max(map(len, narrow.splitlines())) <= 50
    told = json.loads(printed("diff", a, b, "--format", "json"))["runs"]
    assert told["environment"] == [{"name": "device", "a": "cpu", "b": "NVIDIA H100"}]
    assert told["a"]["command"] == "netbuild train tiny.yaml"
    assert "| val loss, best | 2.2726 | 1.3950 | −0.8775 |" in printed(
        "diff", a, b, "--format", "markdown"
    )


def test_diff_of_a_run_and_a_file(made: Path) -> None:
    """Only two runs have metrics to compare."""
    run = made / "tiny" / "2026-01-31T10-00-00"
    assert "A is" not in printed("diff", run, run / "config.yaml")
    assert "runs" not in json.loads(printed("diff", run, run / "config.yaml", "--format", "json"))


def test_commands(tmp_path: Path) -> None:
    """A command is shown as it is typed, without the folder of the program."""
    cases = {
        "netbuild train 'my net.yaml' --set optimizer.SGD.lr=0.1": [
            "/opt/netbuild/__main__.py",
            *("train", "my net.yaml", "--set", "optimizer.SGD.lr=0.1"),
        ],
        "python search.py 7": ["/home/ada/search.py", "7"],
    }
    for n, (said, given) in enumerate(cases.items()):
        assert command(read(make(tmp_path / str(n), command=given))) == said
    folder = make(tmp_path / "none")
    (folder / "environment.json").write_text('{"command": 7}', encoding="utf-8")
    assert command(read(folder)) == ""
