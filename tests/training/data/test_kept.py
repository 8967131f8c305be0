"""What a source keeps is measured on the training samples, and is in the folder of the run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netbuild
from netbuild.components.datasets.dataset import Loaded, Sample
from netbuild.components.datasets.synthetic import Random
from netbuild.diagnostics.exceptions import TrainingError
from netbuild.training.evaluation import evaluate
from netbuild.training.session import resume

CONFIG = """
input: {shape: [3]}
layers: [{Linear: 2}]
loss: MSELoss
optimizer: {SGD: {lr: 0.1}}
data: {Random: {samples: 20}, validation: 0.25}
train: {epochs: 1, batch_size: 5}
"""


class Centred(Random):
    """Random samples, minus the mean of the training samples."""

    mean: float | None = None

    def kept(self) -> dict[str, Any]:
        """Return the mean."""
        return {"mean": self.mean}

    def with_kept(self, kept: Any) -> Random:
        """Return the source with a mean."""
        return self.model_copy(update={"mean": kept["mean"]})

    def fitted(self, wanted: Sample, training: Loaded) -> Random:
        """Return the source with the mean of the training samples."""
        assert len(wanted.inputs) == 1
        assert len(training[0][0]) == 15
        return self.with_kept({"mean": float(training[0][0].mean())})

    def filled(self, wanted: Sample, loaded: Loaded) -> Loaded:
        """Return the samples minus the mean."""
        assert len(wanted.inputs) == 1
        (x,), targets = loaded
        return (np.asarray(x - np.float32(self.mean)),), targets


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a config whose source keeps the mean of its training samples."""
    for name in ("kept", "with_kept", "fitted", "filled"):
        monkeypatch.setattr(Random, name, vars(Centred)[name])
    monkeypatch.setattr(Random, "mean", None, raising=False)
    path = tmp_path / "net.yaml"
    path.write_text(CONFIG)
    return path


def test_what_is_kept_is_used_again(config: Path, tmp_path: Path) -> None:
    """The run has the mean, and another mean in its file changes an evaluation."""
    run = netbuild.train(config, runs=tmp_path / "runs")
    mean = run.kept["source"]["mean"]
    assert mean is not None
    loss = evaluate(run.folder)["val_loss"]
    assert loss == pytest.approx(run.metrics[-1]["val_loss"])
    (run.folder / "data.json").write_text(json.dumps({"source": {"mean": mean + 1}}))
    assert evaluate(run.folder)["val_loss"] != pytest.approx(loss, rel=0.01)


@pytest.mark.parametrize(
    ("text", "reason"), [("[", "it is not JSON"), ("[]", "it is not an object")]
)
def test_a_changed_file_is_named(config: Path, tmp_path: Path, text: str, reason: str) -> None:
    """A file that was changed is one sentence."""
    run = netbuild.train(config, runs=tmp_path / "runs")
    (run.folder / "data.json").write_text(text)
    with pytest.raises(TrainingError, match=f"data.json cannot be read: {reason}"):
        evaluate(run.folder)


def test_a_source_that_keeps_nothing_writes_no_file(tmp_path: Path) -> None:
    """Most runs have no such file."""
    path = tmp_path / "net.yaml"
    path.write_text(CONFIG)
    run = netbuild.train(path, runs=tmp_path / "runs")
    assert not (run.folder / "data.json").exists()


@pytest.mark.parametrize(("change", "said"), [("none", 0), ("order", 1), ("more", 1)])
def test_a_resumed_run_notices_other_samples(tmp_path: Path, change: str, said: int) -> None:
    """If the file of the samples was changed, a resumed training says so."""
    rows = [f"{n},{n % 7},{n % 3}" for n in range(40)]
    table = tmp_path / "x.csv"
    table.write_text("\n".join(["a,b,y", *rows]))
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: [2]\nlayers: [{Linear: 3}]\nloss: CrossEntropyLoss\noptimizer: {SGD: {lr: 0.01}}\n"
        "data: {Csv: {file: x.csv, target: y, classes: 3}}\ntrain: {epochs: 1}\n"
    )
    run = netbuild.train(path, runs=tmp_path / "runs")
    others = {"none": rows, "order": rows[::-1], "more": [*rows, "1,2,0"]}[change]
    table.write_text("\n".join(["a,b,y", *others]))
    trainer = resume(run.folder, run.config(["train.epochs=2"]))
    assert sum("the data has changed" in note for note in trainer.notes) == said
    assert trainer.lock is not None
    trainer.lock.release()
    split = resume(run.folder, run.config(["train.epochs=2", "data.validation=0.5"]))
    assert split.notes == ()  # another split has other samples
