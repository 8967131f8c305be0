"""The predictions of a trained network for images, arrays and tables.

Every sample is prepared as the training samples were: it gets the size of the network's input, and
is normalised by the numbers that the run recorded. If one input does not fit, the others are still
predicted. All samples of one file have to fit.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from netbuild.checks import objective
from netbuild.components.datasets.dataset import DataError
from netbuild.components.datasets.delimited import Csv
from netbuild.components.datasets.windowed import WindowedSource
from netbuild.components.target import Classes
from netbuild.components.tensor import product
from netbuild.config.normalize import measures
from netbuild.diagnostics.exceptions import InputError, TrainingError
from netbuild.training.data.distribution import Watch, columns
from netbuild.training.data.scaling import normalised, scales_of_outputs
from netbuild.training.errors import refused
from netbuild.training.prediction.inputs import NamedArrays, Records
from netbuild.training.prediction.samples import SampleReader
from netbuild.training.prediction.series import by_step
from netbuild.training.prediction.trained import Trained, trained
from netbuild.training.step.criterion import Criterion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from netbuild.components.datasets.dataset import Dataset, Sample
    from netbuild.config.config import Config
    from netbuild.training.prediction.inputs import Array, Input, InputSample

__all__ = ["InputError", "Prediction", "Predictor", "predict", "shortest"]

#: The prediction for one sample: where the sample is, and its class or the network's outputs.
Prediction: TypeAlias = "dict[str, Any]"


def predict(
    folder: str | Path,
    inputs: Input | Sequence[Input],
    *,
    checkpoint: str = "best",
    weights: str | Path | None = None,
    top: int = 1,
    raw: bool = False,
) -> list[Prediction]:
    """Return what a run's network predicts for files, folders of images, or arrays.

    A file of `weights` replaces those of the checkpoint. `folder` may then be a config.

    Each sample has `input`, the path of its file, and `index` if a file or an array holds
    several samples.

    If the targets of the loss are classes, a sample has `class`, its `name` if the run knows it,
    and `probability`, the softmax of the scores. With `top` greater than 1 it also has `top`, a
    list of the most probable classes. A binary loss of one number, such as BCELoss, has the classes
    0 and 1. These are the classes of the first loss. If losses compare with several targets of the
    data, `outputs` has the outputs that tell the others, by name.

    With another loss, or with `raw`, a sample has the output of the network: `output`, an array, or
    `outputs`, arrays by their names.

    >>> predict("runs/lenet5", ["a.png", "b.png"])  # doctest: +SKIP
    [{'input': 'a.png', 'class': 3, 'probability': 0.98}, …]

    Raises:
        ConfigError: the config has faults, or the file of weights has other tensors.
        InputError: an input cannot be read, or does not fit the network.
        TrainingError: the folder is not a run, or has no such checkpoint.
    """
    one = isinstance(inputs, str | Path | np.ndarray | NamedArrays | Records)
    given: Any = [inputs] if one else inputs
    predicted = []
    predictor = Predictor(trained(folder, checkpoint, weights), top=top, raw=raw)
    for found in predictor.predictions(given):
        if isinstance(found, InputError):
            raise found
        predicted.append(found)
    return predicted


class Predictor:
    """Predicts with a trained network."""

    def __init__(
        self, known: Trained, *, top: int = 1, raw: bool = False, whole: bool = False
    ) -> None:
        config, graph = known.config, known.graph
        #: Whether a prediction also has `all`, all outputs, and `probabilities`, of all classes.
        self.whole = whole
        self.place, self.device, self.module = known.place, known.device, known.forward
        _expect_measured(known)
        self.batch_size = config.train.batch_size
        self.sample: Sample = objective.wanted(config, graph.outputs)
        data = _of_its_file(config.data, self.sample)
        self.reader = SampleReader(
            tuple(config.inputs)[: len(self.sample.inputs)],
            self.sample.inputs,
            data,
            config.preparation.resize,
        )
        self.config, self.raw = config, raw
        self.outputs = tuple(graph.outputs)
        self.shapes = {name: tensor.shape for name, tensor in graph.outputs.items()}
        #: What the first loss compares with.
        self.told = objective.of_first(config, graph.outputs)
        shape = self.told.tensor.shape
        binary = config.loss is not None and config.loss.binary and product(shape) == 1
        classifies = binary or (config.loss is not None and config.loss.classifies)
        #: The outputs that tell other targets than the first loss does.
        self.beside = _beside(config, self.outputs)
        #: The function from outputs to scores of classes, (n, classes); None without classes.
        self.scores = (known.scores or _scores(known)) if classifies and not raw else None
        self.places = () if binary else getattr(self.told, "shape", ())
        self.top = top
        self._expect_one_class()
        #: Compares the samples with those that have trained.
        names = tuple(config.inputs)[: len(self.sample.inputs)]
        self.watch = Watch(known.inputs, names, columns(config))
        self.prepare = normalised(None, config._replace(data=data), graph.outputs)[1]
        #: The rows behind a window that a sample tells; None if samples are no windows.
        self.horizon = data.horizon if isinstance(data, WindowedSource) and data.window else None
        #: How each output becomes values in the unit of its target.
        self.units = scales_of_outputs(config, graph.outputs)
        self.class_names = self._names(known.classes)

    def _expect_one_class(self) -> None:
        """Refuse `top` for a network that does not give one class for each sample."""
        if self.top < 1:
            raise TrainingError(f"top is at least 1, not {self.top}")
        if self.top > 1 and (self.scores is None or self.places):
            given = "a class at each place" if self.scores else "no classes"
            message = f"top needs one class for each sample, but this network gives {given}"
            raise TrainingError(message)

    def _names(self, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Return the names of the classes; None if there is not a name for each."""
        if self.scores is None or names is None:
            return None
        target = self.told
        count = target.classes if isinstance(target, Classes) else 2
        return names if len(names) == count else None

    @property
    def notices(self) -> list[str]:
        """What the user should know of the samples that were predicted, a sentence each."""
        return self.reader.notices

    def predictions(self, inputs: Iterable[Input]) -> Iterator[Prediction | InputError]:
        """Yield a prediction for each sample, and an error for each input that does not fit.

        Raises:
            TrainingError: the network cannot be run.
        """
        together: list[InputSample] = []
        for found in self.reader.samples(inputs):
            if isinstance(found, InputError):
                yield found
                continue
            together.append(found)
            if len(together) == self.batch_size:
                yield from self._watched(together)
                together = []
        if together:
            yield from self._watched(together)

    def _watched(self, samples: list[InputSample]) -> Iterator[Prediction | InputError]:
        """Look at the samples of a batch, and yield their predictions."""
        if self.watch.wants:
            self.watch.add(_together(samples))
        yield from self._predicted(samples)

    def _predicted(self, samples: list[InputSample]) -> Iterator[Prediction | InputError]:
        """Yield the predictions for a batch. If torch refuses it, predict sample by sample."""
        try:
            outputs, scores = self._computed(samples)
        except TrainingError as error:
            if len(samples) == 1:
                yield InputError(f"{samples[0]}: {error}")
                return
            for sample in samples:
                yield from self._predicted([sample])
            return
        for row, sample in enumerate(samples):
            told = outputs if scores is None else (scores,)
            if not all(np.isfinite(y[row]).all() for y in told):
                yield InputError(f"{sample}: the output of the network is not finite")
                continue
            one = sample.place | self._told([y[row] for y in outputs], scores, row)
            if self.whole:
                every = zip(self.outputs, outputs, strict=True)
                one |= {"all": {name: y[row] for name, y in every}}
                one |= {} if scores is None else {"probabilities": scores[row]}
            yield from [one] if not self.horizon else by_step(one, self.horizon, self.class_names)

    def _told(self, outputs: list[Array], scores: Array | None, row: int) -> dict[str, Any]:
        """Return what the outputs of a sample, and the scores of a batch, tell of the sample."""
        if scores is not None:
            others = {n: outputs[self.outputs.index(n)] for n in self.beside}
            return self._class(scores[row]) | ({"outputs": others} if others else {})
        if len(outputs) == 1:
            return {"output": outputs[0]}
        return {"outputs": dict(zip(self.outputs, outputs, strict=True))}

    @torch.inference_mode()
    def _computed(self, samples: list[InputSample]) -> tuple[tuple[Array, ...], Array | None]:
        """Return the network's outputs, and the probabilities of the classes if there are classes.

        An output is (samples, *output), and the probabilities are (samples, *places, classes).

        Raises:
            TrainingError: torch refuses the samples.
        """
        with refused("the samples"):
            x = tuple(column.to(self.device) for column in _together(samples))
            x, _ = self.prepare((x, ())) if self.prepare else (x, ())
            x *= self.config.preparation.views or 1
            y = self.module(*x)
            outputs = (y,) if isinstance(y, torch.Tensor) else tuple(y)
            scores = None
            if self.scores is not None:
                shares = self.scores(y).float().softmax(1)  # (samples · places, classes)
                scores = shares.reshape(len(samples), *self.places, -1).cpu().numpy()
            named = zip(self.outputs, outputs, strict=True)
            told = [self.units[n].back(y) if n in self.units else y for n, y in named]
            return tuple(output.float().cpu().numpy() for output in told), scores

    def _class(self, shares: Array) -> dict[str, Any]:
        """Return the class of a sample, or of each place, from the probabilities of all classes."""
        if self.places:
            return {"class": shares.argmax(-1), "probability": shares.max(-1)}
        order = np.argsort(-shares, kind="stable")[: self.top]
        best = [self._named(int(number), shares[number]) for number in order]
        return best[0] | ({"top": best} if self.top > 1 else {})

    def _named(self, number: int, share: Any) -> dict[str, Any]:
        name = {"name": self.class_names[number]} if self.class_names else {}
        return {"class": number} | name | {"probability": shortest(share)}


def _together(samples: list[InputSample]) -> tuple[torch.Tensor, ...]:
    """Return each input of some samples, (samples, *input)."""
    columns = zip(*(sample.inputs for sample in samples), strict=True)
    return tuple(torch.from_numpy(np.stack(column)) for column in columns)


def _expect_measured(known: Trained) -> None:
    """Refuse a config whose numbers of `normalize` are not known.

    Raises:
        TrainingError: they are to be measured.
    """
    if measures(known.config.preparation.normalize):
        message = (
            f"{known.place} does not hold the mean and the deviation of its samples: normalize "
            "wants the numbers"
        )
        raise TrainingError(message)


def shortest(value: Any) -> float:
    """Return a float32 as the float with the shortest decimal form that rounds to it."""
    return float(str(np.float32(value)))


def _of_its_file(source: Dataset | None, wanted: Sample) -> Dataset | None:
    """Return a source that numbers its tokens by its own file, if no run has kept them.

    Raises:
        TrainingError: the file cannot be read.
    """
    if not isinstance(source, Csv) or source.known is not None or not source.tokens:
        return source
    try:
        return source.of_its_file(wanted)
    except DataError as error:
        raise TrainingError(f"no run has kept the tokens of the texts, and {error}") from error


def _beside(config: Config, outputs: Sequence[str]) -> tuple[str, ...]:
    """Return the outputs that losses compare with other targets of the data than the first."""
    compared = [(term, config.against(term, outputs)) for term in config.losses]
    read = [term for term, a in compared if a and a.kind == "target" and a != compared[0][1]]
    names = (wire.outside for term in read for wire in term.reads)
    return tuple(dict.fromkeys(names))


def _scores(known: Trained) -> Callable[[Any], torch.Tensor]:
    """Return the function from outputs to the scores of classes that the first loss has."""
    criterion = Criterion(known.graph, known.device)
    if known.learned:  # the loss may have weights, too
        criterion.load(*known.learned)
    criterion.first.ignores = False  # every sample counts
    return criterion.first.all_scores
