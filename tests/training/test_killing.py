"""A training that is killed at any moment continues as if it had not been killed."""

import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.config.load import load
from netbuild.runs import folder as run
from netbuild.training import Run, TrainingError
from tests.training.runs import go_on, posix
from tests.training.step.test_players import GAN, TRAIN, with_
from tests.training_configs import (
    EPOCHS,
    FILES,
    SECTIONS,
    STEPS,
    Killed,
    Moment,
    ending,
    files,
    go_on_and_be_killed,
    outcome,
    step_and_be_killed,
    train_and_die,
    write,
)

#: How often a run is killed at random moments: `TIMES=50 pytest --full` does it more often.
TIMES = int(os.environ.get("TIMES", "12"))
#: The first epoch saves `best` and then `last`, over the `last` of the beginning.
KILLS = {
    "in the first epoch": Moment("step", 2),
    "in the second epoch": Moment("step", STEPS + 1),
    "behind the weights of best": Moment("save", 1),
    "behind best": Moment("mkdir", 7),
    "before the weights of last": Moment("save_file", 2),
    "halfway through the weights": Moment("save_file", 2, halfway=True),
    "behind the weights of last": Moment("save", 2),
    "halfway through the state": Moment("save", 2, halfway=True),
    "before the first rename": Moment("rename", 2),
    "between the renames": Moment("rename", 3),
    "before the clean-up": Moment("rmtree", 6),
    "halfway through the clean-up": Moment("rmtree", 6, halfway=True),
}


@posix
@pytest.mark.parametrize("moment", KILLS)
def test_killed_and_resumed(tmp_path: Path, whole: Run, moment: str) -> None:
    """A run that got SIGKILL and is resumed ends with the same weights, bit for bit."""
    code = train_and_die(write(tmp_path), tmp_path / "runs", KILLS[moment])
    assert code == -signal.SIGKILL
    stopped = run.find(tmp_path / "runs" / "tiny")
    assert len(stopped.metrics) < EPOCHS
    finished = go_on(stopped.folder)
    assert outcome(finished) == outcome(whole)
    assert files(finished.folder) == FILES


CONV = {"Conv2d": {"out_channels": 3, "kernel_size": 1}}
AFFINE = {"RandomAffine": {"degrees": 30, "scale": [0.8, 1.2]}}
#: Augmentations that move masks, that mix samples, and that make two views of an image.
AUGMENTED: dict[str, dict[str, Any]] = {
    "masks": {
        "layers": [CONV, {"Dropout2d": 0.2}],
        "data": {"augment": ["RandomHorizontalFlip", AFFINE, {"RandomCutMixV2": {"p": 0.5}}]},
    },
    "mixing": {
        "layers": ["Flatten", {"Linear": 3}],
        "data": {"augment": [AFFINE, {"RandomMixUpV2": {"p": 0.5}}, "RandomCutMixV2"]},
        "train": {"precision": "bf16", "accumulate": 2},
    },
    "views": {
        "input": None,
        "inputs": {"left": [1, 8, 8], "right": [1, 8, 8]},
        "layers": [{"Concat": 1, "inputs": ["left", "right"]}, "Flatten", {"Linear": 3}],
        "data": {"augment": [AFFINE, {"RandomGaussianNoise": {"std": 0.1}}], "views": 2},
    },
}


@pytest.mark.parametrize("kind", AUGMENTED)
def test_augmented_killed_and_resumed(tmp_path: Path, kind: str) -> None:
    """Augmentations draw the same numbers after a resumption, and targets move as before."""
    given: dict[str, Any] = {"input": [1, 8, 8]} | AUGMENTED[kind]
    given["data"] = SECTIONS["data"] | given["data"]
    given["train"] = SECTIONS["train"] | given.get("train", {})
    file = write(tmp_path, **given)
    straight = training.train(file, runs=tmp_path / "straight")
    with ending(Moment("step", 3)), pytest.raises(Killed, match=r"^$"):
        training.train(file, runs=tmp_path / "runs")
    assert outcome(go_on(tmp_path / "runs" / "tiny")) == outcome(straight)


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path, whole: Run) -> None:
    """A training that ends at any moment of its writing is resumed to the same weights."""
    file = write(tmp_path)
    with ending(None) as every:
        training.train(file, runs=tmp_path / "counted")
    different = []
    for number, at in enumerate(every):
        runs = tmp_path / str(number)
        with ending(at), pytest.raises(Killed, match=r"^$"):
            training.train(file, runs=runs)
        if not _started(runs):
            continue
        finished = go_on(runs / "tiny")
        if outcome(finished) != outcome(whole) or files(finished.folder) != FILES:
            different.append(at)
    assert different == []
    assert _started(runs)


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path) -> None:
    """One run, killed again and again by SIGKILL, ends as one that nothing stopped.

    With an average of the weights and scaled gradients, whose states count too. What is written is
    never unreadable: each resumption reads it.
    """
    epochs = 800
    options = {"epochs": epochs, "ema": 0.9, "precision": "fp16", "accumulate": 2}
    file = write(tmp_path, train=SECTIONS["train"] | options)
    straight = training.train(file, runs=tmp_path / "straight")
    chance = random.Random(0)  # noqa: S311  no secret
    trainer = training.prepare(trainable(load(file)), tmp_path / "runs")
    trainer.save("last")
    trainer.lock.release()
    killed = 0
    while killed < TIMES and len(trainer.run.metrics) < epochs:
        code = go_on_and_be_killed(trainer.run.folder, chance.uniform(0.02, 0.2))
        killed += code == -signal.SIGKILL
    assert killed == TIMES
    assert outcome(go_on(trainer.run.folder)) == outcome(straight)


@pytest.mark.slow
def test_players_killed_at_random_moments(tmp_path: Path) -> None:
    """Two players, killed after a new step again and again, end as two that nothing stopped.

    Both have schedules, warm-ups among them. One moves in every second step. Their weights are
    averaged, and their gradients are scaled.
    """
    epochs = 200
    schedule = {"CosineAnnealingLR": None, "step": "batch"}
    optimizers = with_(1, every=2, scheduler=schedule)
    optimizers[0] = optimizers[0] | {"scheduler": {"ReduceLROnPlateau": None, "warmup": "5%"}}
    options = {"epochs": epochs, "ema": 0.9, "precision": "fp16", "monitor": "val_fool"}
    file = write(tmp_path, **GAN | {"optimizer": optimizers, "train": TRAIN | options})
    straight = training.train(file, runs=tmp_path / "straight")
    chance = random.Random(0)  # noqa: S311  no secret
    trainer = training.prepare(trainable(load(file)), tmp_path / "runs")
    trainer.save("last")
    trainer.lock.release()
    codes, reached = [], []
    for _ in range(TIMES):
        code = step_and_be_killed(trainer.run.folder, chance.randint(1, 9), chance.uniform(0, 0.02))
        codes.append(code)
        reached.append(len(trainer.run.metrics))
    assert codes == [-signal.SIGKILL] * TIMES
    assert len(set(reached)) > TIMES // 2  # most of them have finished an epoch
    assert outcome(go_on(trainer.run.folder)) == outcome(straight)


def _started(runs: Path) -> bool:
    """Whether a run has its first checkpoint. Without one, a resumption gives a sentence."""
    if any(runs.glob("*/*/checkpoints/last")) or any(runs.glob("*/*/checkpoints/.last.old")):
        return True
    with pytest.raises(TrainingError, match=r"is not a run|no checkpoint was saved there"):
        training.resume(runs / "tiny")
    return False


@pytest.mark.slow
def test_windows_killed_at_three_random_moments(tmp_path: Path) -> None:
    """Windows of two series, scaled as inputs and as targets, end as if nothing had happened."""
    rows = [f"{n % 2},{n % 7 + n % 2},{n % 5}" for n in range(120)]
    (tmp_path / "t.csv").write_text("\n".join(["shop,sales,sun", *rows]), encoding="utf-8")
    fields = {"window": 6, "horizon": 3, "series": "shop", "target": "sales"}
    data = {"Csv": {"file": str(tmp_path / "t.csv"), **fields}}
    sections = {
        "input": [6, 2],
        "layers": ["Flatten", {"Linear": 8}, "ReLU", {"Dropout": 0.3}, {"Linear": 3}],
        "loss": "HuberLoss",
        "metrics": ["R2Score", "SpearmanCorrCoef"],
        "data": data | {"normalize": {"inputs": True, "targets": True}},
        "train": SECTIONS["train"] | {"epochs": 150},
    }
    file = write(tmp_path, **sections)
    straight = training.train(file, runs=tmp_path / "straight")
    chance = random.Random(0)  # noqa: S311  no secret
    trainer = training.prepare(trainable(load(file)), tmp_path / "runs")
    trainer.save("last")
    trainer.lock.release()
    codes = [
        step_and_be_killed(trainer.run.folder, chance.randint(1, 9), chance.uniform(0, 0.02))
        for _ in range(3)
    ]
    assert codes == [-signal.SIGKILL] * 3
    assert outcome(go_on(trainer.run.folder)) == outcome(straight)
