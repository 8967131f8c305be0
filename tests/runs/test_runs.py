"""`netbuild runs`: the list of runs and their results."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.cli import app
from netbuild.config.load import load
from netbuild.config.load import read as read_config
from netbuild.syntax.parser import from_bytes
from netbuild.training import Interrupted, Run, Silent
from tests import ROOT
from tests.training_configs import SECTIONS, write

METRICS = [{"F1Score": {"average": "macro"}, "name": "macro_f1"}, "Accuracy", "ConfusionMatrix"]

TRAIN: dict[str, Any] = SECTIONS["train"]


class Printed(NamedTuple):
    """The output and the exit code of the command."""

    code: int
    out: str
    err: str


def command(*arguments: object, columns: int = 80) -> Printed:
    """Run `netbuild runs` in this process, with a width of the terminal."""
    result = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, ["runs", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Printed(result.exit_code, result.stdout, result.stderr)


def listed(*arguments: object) -> list[dict[str, Any]]:
    """Return the JSON list of the command."""
    done = command(*arguments, "--format", "json")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)  # type: ignore[no-any-return]


def states(*arguments: object) -> list[str]:
    """Return the states of the runs that the command lists."""
    return [run["state"] for run in listed(*arguments)]


class Stopping(Silent):
    """Progress that stops a training at a step, like Ctrl-C."""

    def __init__(self, at: int) -> None:
        self.at = at

    def step(self, position: Any, measures: Any) -> None:
        """Send the signal, if this is the step."""
        del measures
        if position.total == self.at:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with finished runs, runs that ended early, and a stopped run."""
    folder = tmp_path_factory.mktemp("made")
    runs = folder / "runs"
    training.train(write(folder), runs=runs)
    stuck = {"name": "stuck", "layers": [{"Linear": 3}], "optimizer": {"SGD": {"lr": 1e-30}}}
    patient = write(folder, **stuck, train=TRAIN | {"epochs": 9, "patience": 2})
    training.train(patient, runs=runs)
    training.train(write(folder, train=TRAIN | {"epochs": 9, "max_steps": 4}), runs=runs)
    training.train(write(folder, train=TRAIN | {"epochs": 9, "max_time": 1e-6}), runs=runs)
    stopped = write(folder, name="stopped", metrics=METRICS)
    trainer = training.prepare(trainable(load(stopped)), runs)
    with pytest.raises(Interrupted, match=r"^$"):
        training.fit(trainer, Stopping(5))
    mae = [{"MeanAbsoluteError": {}, "name": "mae"}]
    values = {"layers": [{"Linear": 2}], "loss": "MSELoss", "metrics": mae}
    training.train(write(folder, name="values", **values), runs=runs)
    return runs


def test_states(made: Path) -> None:
    """A run is finished if its trainer has reached a limit: epochs, patience, steps or time."""
    found = {(run["name"], run["epochs"], run["of"], run["state"]) for run in listed(made)}
    assert found == {
        ("tiny", 2, 2, "finished"),
        ("stuck", 3, 9, "finished"),
        ("tiny", 2, 9, "finished"),
        ("tiny", 1, 9, "finished"),
        ("stopped", 1, 2, "stopped"),
        ("values", 2, 2, "finished"),
    }


def test_what_is_said(made: Path) -> None:
    """The JSON has the metrics of the best epoch, the time, and the folder of the run."""
    (run,) = listed(made / "values")
    (folder,) = (made / "values").iterdir()
    record = Run(folder)
    assert record.best is not None
    assert run["best"] == {name: value for name, value in record.best.items() if name != "best"}
    assert run["run"] == str(folder)
    assert run["seconds"] == pytest.approx(sum(e["seconds"] for e in record.metrics), abs=1e-3)
    assert run["device"] == "cpu"
    assert run["started"][:10] == folder.name[:10]
    assert run["problem"] is None


def test_order(made: Path, tmp_path: Path) -> None:
    """By time the newest run comes last; by loss the best run comes first."""
    for number, path in enumerate(sorted(made.glob("tiny/*"))):
        copy = tmp_path / "tiny" / f"2026-01-0{3 - number}T00-00-00"
        shutil.copytree(path, copy)
        environment = json.loads((copy / "environment.json").read_text("utf-8"))
        environment["started"] = f"{copy.name[:11]}00:00:00+0000"
        (copy / "environment.json").write_text(json.dumps(environment), "utf-8")
    (tmp_path / "tiny" / "2026-01-01T00-00-00").rename(tmp_path / "tiny" / "renamed")
    names = [Path(run["run"]).name for run in listed(tmp_path)]
    assert names == ["renamed", "2026-01-02T00-00-00", "2026-01-03T00-00-00"]
    losses = [run["best"]["val_loss"] for run in listed(made / "tiny", "--sort", "loss")]
    assert losses == sorted(losses)
    by_name = [run["name"] for run in listed(made, "--sort", "name")]
    assert by_name == sorted(by_name)


def test_names(made: Path) -> None:
    """`--name`, or the folder of a network, selects networks."""
    assert {run["name"] for run in listed(made, "--name", "st*")} == {"stuck", "stopped"}
    assert listed(made / "stuck") == listed(made, "--name", "stuck")
    done = command(made, "--name", "nix")
    assert done == (0, f"no runs in {made} of a network called nix\n", "")
    assert listed(made, "--name", "nix") == []


def test_table(made: Path) -> None:
    """The table fits 80 columns: columns without room are left out."""
    wide, narrow, small = (command(made, columns=n).out for n in (150, 80, 60))
    assert [name.rpartition(".")[2] for name in wide.splitlines()[2].split()] == [
        *("name", "run", "state", "epochs", "max_steps", "max_time"),
        *("best", "loss", "metric", "curve", "time"),
    ]
    assert max(map(len, narrow.splitlines())) <= 80
    assert "accuracy " in narrow
    assert max(map(len, small.splitlines()[2:-1])) <= 60
    assert small.splitlines()[2].split()[-1] == "loss"
    lines = wide.splitlines()
    assert lines[0] == str(made)
    assert lines[-1].split()[:2] == ["6", "runs"]
    row = next(line for line in lines if line.startswith(" stopped"))
    assert row.split()[2:5] == ["stopped", "1/2", "1"]
    assert "macro_f1 " in row


def test_one_metric_is_named_above(made: Path) -> None:
    """If all runs have the same metric, its name is in the header. Accuracies are percents."""
    lines = command(made / "tiny").out.splitlines()
    assert "accuracy" in lines[2].split()
    assert all(line.count("%") == 1 for line in lines[4:7])


def test_csv_and_markdown(made: Path) -> None:
    """CSV has plain values, with columns for the best epoch; Markdown is a table."""
    rows = [*csv.DictReader(io.StringIO(command(made, "--format", "csv").out))]
    for row, run in zip(rows, listed(made), strict=True):
        assert (row["name"], row["run"], row["state"]) == (run["name"], run["run"], run["state"])
        assert float(row["best_val_loss"]) == run["best"]["val_loss"]
        assert int(row["best_epoch"]) == run["best"]["epoch"]
    lines = command(made, "--format", "markdown").out.splitlines()
    settings = "train.epochs | train.max_steps | train.max_time"
    assert lines[0] == (
        f"| name | run | state | epochs | {settings} | best | loss | metric | time |"
    )
    assert len(lines) == 2 + 6
    assert len({line.count("|") for line in lines}) == 1


# One run.


def test_epochs(made: Path) -> None:
    """The folder of a run lists its epochs, and the best epoch at the end."""
    (folder,) = (made / "stuck").iterdir()
    record = Run(folder)
    done = command(folder, columns=120)
    lines = done.out.splitlines()
    assert lines[0].startswith(f"stuck/{folder.name}: finished, {len(record.metrics)}/9 epochs in ")
    assert lines[2].split("  ")[-1].strip() == "samples/s"
    last = lines.index("", 4)
    assert [line.split()[0] for line in lines[4:last]] == [str(e["epoch"]) for e in record.metrics]
    assert record.best is not None
    assert lines[last + 1].split()[:4:3] == ["best", f"{record.best['val_loss']:.4f}"]
    losses = [epoch["val_loss"] for epoch in record.metrics]
    said = json.loads(command(folder, "--format", "json").out)
    assert [epoch["val_loss"] for epoch in said["metrics"]] == losses
    rows = [*csv.DictReader(io.StringIO(command(folder, "--format", "csv").out))]
    assert [float(row["val_loss"]) for row in rows] == losses
    markdown = command(folder, "--format", "markdown").out.splitlines()
    assert markdown[0].startswith("| epoch | train loss | train accuracy | val loss |")


def test_narrow_epochs(made: Path) -> None:
    """In a narrow terminal only the losses remain. Metrics that are tables are left out."""
    (folder,) = (made / "stopped").iterdir()
    assert "confusion" not in command(folder, columns=300).out
    headers = [command(folder, columns=n).out.splitlines()[2] for n in (110, 80, 60, 30)]
    assert "lr" in headers[0].split()
    assert headers[1].endswith("val macro_f1  val accuracy")
    assert headers[3].split("  ")[-1] == "val loss"
    assert all(len(h) <= n for h, n in zip(headers, (110, 80, 60, 30), strict=True))


# What is wrong.


def test_no_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder is no error; a missing folder is."""
    monkeypatch.chdir(tmp_path)
    assert command() == (0, "no runs in runs\n", "")
    assert listed() == []
    assert command("--format", "csv").code == 0
    assert command("nix") == (2, "", "netbuild: nix is not a folder\n")


def test_in_the_folder_of_runs(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name from the table is also found in runs/."""
    monkeypatch.chdir(made.parent)
    (folder,) = (made / "stuck").iterdir()
    assert command(f"stuck/{folder.name}") == command(folder)
    assert states("stuck") == ["finished"]
    assert len(states()) == 6


DAMAGES: dict[str, tuple[str, bytes | None, str, str]] = {
    "no config": (
        "resolved.yaml",
        None,
        "damaged",
        "resolved.yaml cannot be read: No such file or directory",
    ),
    "config": (
        "resolved.yaml",
        b"train: [",
        "damaged",
        "resolved.yaml has no valid train.epochs",
    ),
    "text": (
        "resolved.yaml",
        b"train: {epochs: many}",
        "damaged",
        "resolved.yaml has no valid train.epochs",
    ),
    "list": ("resolved.yaml", b"- 1", "damaged", "resolved.yaml has no valid train.epochs"),
    "checkpoint": (
        "checkpoints/last/state.pt",
        b"PK\x03\x04",
        "damaged",
        "the run has no checkpoint to continue from",
    ),
    "pickle": (
        "checkpoints/last/state.pt",
        None,
        "damaged",
        "the run has no checkpoint to continue from",
    ),
    "environment": ("environment.json", b"[" * 100_000, "stopped", ""),
    "metrics": (
        "metrics.jsonl",
        b'\xff\n{"epoch": 1, "val_loss": "x"}\n[]\n{"epoch": 2, "val_l\n',
        "stopped",
        "",
    ),
    "numbers": (
        "metrics.jsonl",
        b'{"epoch": 1, "val_loss": NaN, "val_accuracy": Infinity, "seconds": Infinity}\n'
        b'{"epoch": 2, "val_loss": 1' + b"0" * 500 + b', "lr": true}\n',
        "stopped",
        "",
    ),
    "no metrics": ("metrics.jsonl", None, "stopped", ""),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged(made: Path, tmp_path: Path, name: str) -> None:
    """A damaged run is listed as damaged, and the other runs are listed too."""
    (stopped,) = (made / "stopped").iterdir()
    (stuck,) = (made / "stuck").iterdir()
    copy = tmp_path / "net" / stopped.name
    shutil.copytree(stopped, copy)
    shutil.copytree(stuck, tmp_path / "other" / stuck.name)
    file, data, state, problem = DAMAGES[name]
    if data is None:
        (copy / file).unlink()
    else:
        (copy / file).write_bytes(data)
    found = {run["name"]: run for run in listed(tmp_path)}
    assert (found["net"]["state"], found["net"]["problem"] or "") == (state, problem)
    assert found["other"]["state"] == "finished"
    for format_ in ("table", "markdown", "csv", "json"):
        for folder in (tmp_path, copy):
            for sort in ("time", "loss", "name"):
                done = command(folder, "--format", format_, "--sort", sort)
                assert (done.code, done.err) == (0, "")
    done = command(tmp_path, columns=120)
    assert (f" net/{copy.name}: {problem}" in done.out.splitlines()) == bool(problem)


def test_empty_folder_of_a_run(tmp_path: Path) -> None:
    """A training that was killed at once is listed; other folders are not."""
    (tmp_path / "net" / "2026-01-31T12-00-00").mkdir(parents=True)
    (tmp_path / "net" / "notes").mkdir()
    (tmp_path / ".hidden" / "2026-01-31T12-00-00").mkdir(parents=True)
    assert states(tmp_path) == ["damaged"]


def test_without_checkpoints(made: Path, tmp_path: Path) -> None:
    """A finished run without its checkpoints is still finished."""
    for name, state in {"stuck": "finished", "stopped": "damaged"}.items():
        (folder,) = (made / name).iterdir()
        copy = tmp_path / name / folder.name
        shutil.copytree(folder, copy)
        shutil.rmtree(copy / "checkpoints")
        assert states(tmp_path / name) == [state]


def test_killed_behind_the_last_epoch(made: Path, tmp_path: Path) -> None:
    """The checkpoint decides, not the metrics: a kill between the two is not the end."""
    whole = min((made / "tiny").iterdir())
    (stopped,) = (made / "stopped").iterdir()
    copy = tmp_path / "net" / whole.name
    shutil.copytree(whole, copy)
    shutil.rmtree(copy / "checkpoints" / "last")
    shutil.copytree(stopped / "checkpoints" / "last", copy / "checkpoints" / "last")
    assert states(tmp_path) == ["stopped"]
    (copy / "checkpoints" / "last").rename(copy / "checkpoints" / ".last.new")
    (copy / "checkpoints" / ".last.old").mkdir()
    assert states(tmp_path) == ["stopped"]


# A run under way.


@pytest.mark.skipif(os.name == "nt", reason="Windows does not lock folders")
def test_running(tmp_path: Path) -> None:
    """A run is running while its process lives. A killed run is stopped."""
    write(tmp_path, train=TRAIN | {"epochs": 100_000})
    with subprocess.Popen(
        [sys.executable, "-m", "netbuild", "train", "tiny.yaml"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    ) as process:
        last = time.monotonic() + 60
        while not [*tmp_path.glob("runs/tiny/*/checkpoints/last")]:
            assert time.monotonic() < last
            time.sleep(0.1)
        assert states(tmp_path / "runs") == ["running"]
        assert states(tmp_path / "runs") == ["running"]
        process.kill()
    assert states(tmp_path / "runs") == ["stopped"]


def test_without_torch(made: Path) -> None:
    """The command loads no package of the extra `train`."""
    code = (
        "import sys\nfrom netbuild.cli import app\ntry:\n    app()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'numpy', 'sklearn', 'safetensors'} & {*sys.modules}))"
    )
    (folder,) = (made / "stuck").iterdir()
    for place in (made, folder):
        arguments = [sys.executable, "-c", code, "runs", str(place)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT)
        assert done.stdout.splitlines()[-1] == "[]"
        assert "finished" in done.stdout


def test_fewer_epochs_than_a_run_has(tmp_path: Path) -> None:
    """A run says so where a config asks for fewer epochs than it has."""
    lines = "".join(f'{{"epoch": {n}, "val_loss": 1.0}}\n' for n in (1, 2, 3))
    (tmp_path / "metrics.jsonl").write_text(lines, encoding="utf-8")
    text = "input: [4]\nlayers: [Linear: 2]\ntrain: {epochs: %d}\n"
    config = read_config(from_bytes("net.yaml", (text % 2).encode()))
    said = "the run has 3 epochs already, and train.epochs is 2"
    assert Run(tmp_path).longer(config) == said
    assert Run(tmp_path).longer(read_config(from_bytes("net.yaml", (text % 3).encode()))) == ""
