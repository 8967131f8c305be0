"""The predictions of a network for a program: objects with names, instead of lines of JSON."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.diagnostics.exceptions import InputError
from netbuild.runs.folder import folder_of
from netbuild.training.data.distribution import FAR
from netbuild.training.prediction.predict import Predictor
from netbuild.training.prediction.program_inputs import inputs_of
from netbuild.training.prediction.trained import trained

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from netbuild.runs.folder import Run
    from netbuild.training.prediction.inputs import Array


class Likely(NamedTuple):
    """A class that a sample may have: its number, its name if the run knows it, its probability."""

    class_: int
    name: str | None
    probability: float


@dataclass(frozen=True, repr=False)
class Prediction:
    """What a network predicts for a sample.

    A network that tells no classes has `outputs` alone. If it tells a class at each place, such as
    a mask, `class_` and `probability` are arrays.
    """

    #: The class, and its softmax probability.
    class_: int | Array | None = None
    name: str | None = None
    probability: float | Array | None = None
    #: The most probable classes, as many as `top` asks for.
    top: tuple[Likely, ...] = ()
    #: Every output of the network by its name, in the unit of the data. The output that tells
    #: classes has the raw scores, before the softmax.
    outputs: Mapping[str, Array] = field(default_factory=dict, repr=False)
    #: The probabilities of all classes, (*places, classes).
    probabilities: Array | None = field(default=None, repr=False)
    #: The path of the file; the number of the sample in a file, an array or a table.
    input: str | None = None
    index: int | None = None
    #: The series, and the step behind its last window, counted from 1.
    series: str | None = None
    step: int | None = None

    def __repr__(self) -> str:
        values = {one.name: getattr(self, one.name) for one in fields(self) if one.repr}
        shown = {name: v for name, v in values.items() if v is not None and not _is_empty(v)}
        shown |= {"output": self.output} if self.class_ is None and self.outputs else {}
        return f"Prediction({', '.join(f'{name}={v!r}' for name, v in shown.items())})"

    @property
    def output(self) -> Array:
        """The first output of the network."""
        return next(iter(self.outputs.values()))


def _is_empty(value: Any) -> bool:
    return isinstance(value, tuple) and not value


def predict(
    run: str | Path | Run,
    x: Any,
    *,
    checkpoint: str = "best",
    weights: str | Path | None = None,
    top: int = 1,
    warn: Callable[[str], object] = warnings.warn,
) -> list[Prediction]:
    """Return what a run's network predicts for each sample.

    Samples are prepared as in the training: they get its size, and are normalised with its numbers.

    Args:
        run: a run or its folder; with `weights`, also the file of a config.
        x: an array or a tensor of one sample or several, a path of a file or of a folder of images,
            a list of these, a mapping of arrays by the names of the network's inputs, or the rows
            of a table: a mapping of columns, a list of them, or a DataFrame.
        checkpoint: `best` or `last`.
        weights: a file of weights instead of the checkpoint.
        top: the number of the most probable classes in `Prediction.top`.
        warn: gets a sentence if samples lie far from those that have trained the network, or have
            values that it has not seen.

    >>> predict("runs/lenet5", "digit.png")  # doctest: +SKIP
    [Prediction(class_=3, name='3', probability=0.98, …)]

    Raises:
        ConfigError: the config has faults, or the file of weights has other tensors.
        InputError: a sample cannot be read, or does not fit the network.
        TrainingError: there is no run, or no such checkpoint.
    """
    given = inputs_of(x)
    network = trained(folder_of(run), checkpoint, weights)
    predictor = Predictor(network, top=top, whole=True)
    found = []
    for told in predictor.predictions(given):
        if isinstance(told, InputError):
            raise told
        found.append(_typed(told))
    for sentence in predictor.notices:
        warn(sentence)
    for sentence in predictor.watch.sentences():
        warn(f"{FAR}: {sentence}")
    return found


def _typed(told: dict[str, Any]) -> Prediction:
    """Return a prediction from its values as a line of JSON names them."""
    best = tuple(Likely(o["class"], o.get("name"), o["probability"]) for o in told.get("top", ()))
    names = ("name", "probability", "probabilities", "input", "index", "series", "step")
    values = {name: told.get(name) for name in names}
    return Prediction(class_=told.get("class"), top=best, outputs=told["all"], **values)
