"""A state.pt whose values somebody has changed gives one sentence, or trains; it never breaks."""

import math
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.config.load import load
from netbuild.runs.checkpoint_folder import read_position
from netbuild.runs.position import Position
from netbuild.runs.records import read
from netbuild.training import Interrupted, Run, TrainingError
from netbuild.training.progress import Silent
from tests.training.by_hand import Stopping
from tests.training_configs import SECTIONS, STATE, STEPS, write

#: Each value of a position with what is said of it. The position is behind step 1 of epoch 2.
POSITIONS: dict[str, tuple[dict[str, Any], str]] = {
    "negative epoch": ({"epoch": -1}, "epoch is -1, not a whole number from 0"),
    "huge epoch": ({"epoch": 10**12}, "epoch is 1000000000000, not a whole number from 0"),
    "half an epoch": ({"epoch": 1.5}, "epoch is 1.5, not a whole number from 0"),
    "a flag": ({"epoch": True}, "epoch is True, not a whole number from 0"),
    "a text": ({"step": "3"}, "step is '3', not a whole number from 0"),
    "a long text": ({"step": "3" * 99}, f"step is '{'3' * 39}, not a whole number from 0"),
    "negative step": ({"step": -3}, "step is -3, not a whole number from 0"),
    "too many steps": ({"step": 99}, "epoch 1 and step 99 are more than 4 steps"),
    "too few steps": ({"total": 1}, "epoch 1 and step 1 are more than 1 steps"),
    "negative samples": ({"samples": -1}, "samples is -1, not a whole number from 0"),
    "no time": ({"seconds": 0.0}, "step 1 has taken no time"),
    "negative time": ({"seconds": -1.0}, "seconds is -1.0, not a number from 0"),
    "endless time": ({"spent": math.inf}, "spent is inf, not a number from 0"),
    "no rate": ({"lr": math.nan}, "lr is nan, not a number from 0"),
    "no best": ({"best": math.nan}, "best is nan, not a number from 0"),
    "waited too long": ({"waited": 7}, "waited is 7, more than 1 epochs"),
    "a list": ({"waited": [1]}, "waited is [1], not a whole number from 0"),
    "another name": ({"more": 1}, "it has no position"),
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run that was stopped behind the first step of its second epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    extra = {
        "scheduler": {"CosineAnnealingLR": {"T_max": 9}},
        "metrics": ["Accuracy", {"F1Score": {"average": "macro"}}],
    }
    options = {"train": SECTIONS["train"] | {"ema": 0.9, "epochs": 3}}
    trainer = training.prepare(trainable(load(write(folder, **extra, **options))), folder / "runs")
    with pytest.raises(Interrupted, match=r"^$"):
        training.fit(trainer, Stopping(STEPS + 1))
    return trainer.run


def changed(stopped: Run, folder: Path, change: Callable[[dict[str, Any]], Any]) -> Run:
    """Return a copy of the run with another state."""
    shutil.copytree(stopped.folder, folder / "run")
    path = folder / "run" / "checkpoints" / "last" / STATE
    torch.save(change(torch.load(path, weights_only=True)), path)
    return Run(folder / "run")


@pytest.mark.parametrize("name", POSITIONS)
def test_a_position_is_no_position(tmp_path: Path, stopped: Run, name: str) -> None:
    """Values that no training has are named, and `runs` takes the run as one without checkpoint."""
    values, said = POSITIONS[name]
    run = changed(stopped, tmp_path, lambda s: s | {"position": s["position"] | values})
    assert read(run.folder).state == "damaged"
    with pytest.raises(TrainingError) as caught:
        training.resume(run.folder)
    place = run.checkpoint("last")
    start = f"the checkpoint {place} does not hold the state of a training: "
    assert str(caught.value) == start + said
    assert read_position(place) is None


def test_positions_of_trainings(stopped: Run) -> None:
    """A position in a checkpoint is read as it was written, in the middle of an epoch too."""
    saved = torch.load(stopped.checkpoint("last") / STATE, weights_only=True)["position"]
    assert Position.read(saved) == Position(**saved)
    assert Position.read({"epoch": 0, "total": 0, "best": math.inf}) == Position()


def _in(saved: dict[str, Any], part: str, /, **values: Any) -> dict[str, Any]:
    return saved | {part: saved[part] | values}


def _options(state: dict[str, Any], **values: Any) -> dict[str, Any]:
    (group,) = state["optimizer"]["param_groups"]
    return _in(state, "optimizer", param_groups=[group | values])


def _remembered(state: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    kept = {number: change(dict(each)) for number, each in state["optimizer"]["state"].items()}
    return _in(state, "optimizer", state=kept)


def _generators(state: dict[str, Any], **values: Any) -> dict[str, Any]:
    return state | {"randomness": [state["randomness"][0] | values]}


#: Other values of a state, readable, of which torch or netbuild may refuse some.
STATES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "rate of another kind": lambda s: _options(s, lr="fast"),
    "option of another kind": lambda s: _options(s, betas=3),
    "option too few": lambda s: _in(
        s,
        "optimizer",
        param_groups=[{"params": s["optimizer"]["param_groups"][0]["params"], "lr": 0.1}],
    ),
    "no rate": lambda s: _in(
        s, "optimizer", param_groups=[{"params": s["optimizer"]["param_groups"][0]["params"]}]
    ),
    "mean too few": lambda s: _remembered(s, lambda m: {"step": m["step"]}),
    "mean of another shape": lambda s: _remembered(s, lambda m: m | {"exp_avg": torch.zeros(7)}),
    "mean without values": lambda s: _remembered(
        s, lambda m: m | {"exp_avg": torch.zeros(1).expand(m["exp_avg"].shape)}
    ),
    "step without values": lambda s: _remembered(s, lambda m: m | {"step": torch.zeros(0)}),
    "mean of another kind": lambda s: _remembered(s, lambda m: m | {"exp_avg": "x"}),
    "memory of another kind": lambda s: _remembered(s, lambda _: {"exp_avg": 3}),
    "steps of the average": lambda s: _in(s, "averaged", steps="x"),
    "negative steps of the average": lambda s: _in(s, "averaged", steps=-10),
    "method of the scheduler": lambda s: _in(s, "scheduler", step=5),
    "rate of the scheduler": lambda s: _in(s, "scheduler", get_lr=[1.0]),
    "length of the schedule": lambda s: _in(s, "scheduler", T_max="x"),
    "no length of the schedule": lambda s: _in(s, "scheduler", T_max=0),
    "place in the schedule": lambda s: _in(s, "scheduler", last_epoch=[1]),
    "rates of the schedule": lambda s: _in(s, "scheduler", base_lrs=[]),
    "sums too few": lambda s: s | {"measures": {"weight0": torch.ones(())}},
    "sums of another kind": lambda s: s | {"measures": {"weight0": 3}},
    "sums of another shape": lambda s: _in(s, "measures", confusion=torch.ones(7)),
    "sums of another name": lambda s: _in(s, "measures", x=torch.ones(7)),
    "numpy behind its state": lambda s: _generators(
        s, numpy_rng=[torch.from_numpy(np.zeros(624, "int64")), 10**6, 0, 0.0]
    ),
    "numpy with fewer words": lambda s: _generators(s, numpy_rng=[torch.zeros(3), 0, 0, 0.0]),
    "python with fewer words": lambda s: _generators(s, python_rng=[3, [1, 2], None]),
    "python of another kind": lambda s: _generators(s, python_rng=[3, ["x"] * 625, None]),
}
#: States that torch takes: it fills in what is missing, or does not use it.
TAKEN = {"option too few", "sums of another name", "rates of the schedule"}


@pytest.mark.parametrize("name", STATES)
def test_another_value_gives_one_sentence(tmp_path: Path, stopped: Run, name: str) -> None:
    """A training with such a state is refused when it is resumed, or at its first step."""
    run = changed(stopped, tmp_path, STATES[name])
    with suppress(TrainingError) if name in TAKEN else pytest.raises(TrainingError) as caught:
        training.fit(training.resume(run.folder), Silent())
    if caught is not None:
        assert str(caught.value).isprintable()
