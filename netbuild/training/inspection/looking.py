"""One sample through a network: `look` builds it, runs it in both modes, and tells what happens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from netbuild.builder import module as builder
from netbuild.checks.trace import trace
from netbuild.components.layers.layer import Modes
from netbuild.components.tensor import product
from netbuild.config.load import load
from netbuild.diagnostics.exceptions import InputError
from netbuild.reports.explanation import modes_of
from netbuild.reports.inspection.look import LayerLook, Look
from netbuild.runs.folder import Run, class_names, find
from netbuild.training import checkpoint as checkpoints
from netbuild.training import randomness
from netbuild.training.errors import refused
from netbuild.training.inspection import marking, samples
from netbuild.training.inspection.backward import Backward
from netbuild.training.inspection.measuring import dropped, in_evaluation, in_training, measured
from netbuild.training.inspection.pictures import Camera
from netbuild.training.inspection.recording import Recorder
from netbuild.training.inspection.samples import Samples, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from netbuild.config.config import Config
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.reports.inspection.look import Values

#: The samples of a batch if a layer needs several, or if gradients are computed; fewer for a
#: network with which they would take more multiplications, but four.
BATCH, LEAST, MOST_MACS = 32, 4, 10**10
#: The most numbers of an output that are told one by one.
FEW = 10


class Asked(NamedTuple):
    """What the user asks for; `batch` None takes as many samples as the network needs."""

    inputs: tuple[str, ...] = ()
    sample: int = 0
    split: str = "validation"
    batch: int | None = None
    seed: int | None = None
    backward: bool = False
    pictures: bool = False


def look(  # noqa: PLR0913  each is an option of the command
    path_or_config: str | Path | Config,
    *,
    input: str | Sequence[str] = (),  # noqa: A002  the option's name
    sample: int = 0,
    split: str = "validation",
    batch: int | None = None,
    checkpoint: str = "best",
    seed: int | None = None,
    backward: bool = False,
    pictures: bool = False,
    set: str | Sequence[str] = (),  # noqa: A002  the option's name
) -> Look:
    """Return the values of a network, layer by layer, in training and in evaluation.

    It is the network of a run with the weights of a checkpoint, or of a config with its first
    weights. The sample comes from the data, or from `input`: a file, numbers such as `1,1,2,2`,
    `random`, or `NAME=…` for each of several inputs. `batch` more samples go with it: without a
    number, 32 if a layer computes with the statistics of a batch, or with `backward`. `backward`
    adds the gradients of the loss. `pictures` keeps what a page shows.

    Raises:
        ConfigError: the config has faults, or its data cannot be read.
        InputError: an input cannot be read, or does not fit.
        TrainingError: there is no such run or sample, or torch refuses the network.
    """
    _expect_numbers(sample, batch)
    changes = [set] if isinstance(set, str) else [*set]
    given = (input,) if isinstance(input, str) else tuple(input)
    asked = Asked(given, sample, split, batch, seed, backward, pictures)
    run = None
    if isinstance(path_or_config, (str, Path)):
        place = Path(path_or_config)
        run = None if place.is_file() else find(place)
        config = load(place, changes) if run is None else run.with_kept(run.config(changes))
        name = str(place)
    else:
        config, name = path_or_config, path_or_config.name
    return _Looking(config, name, run, checkpoint, asked).look()


def _expect_numbers(sample: int, batch: int | None) -> None:
    """Refuse numbers that no sample and no batch has."""
    if sample < 0:
        raise InputError(f"there is no sample {sample}: they are numbered from 0")
    if batch is not None and batch < 1:
        raise InputError(f"batch is at least 1, not {batch}")


class _Looking:
    """One look at a network."""

    def __init__(
        self, config: Config, place: str, run: Run | None, checkpoint: str, asked: Asked
    ) -> None:
        update = {"device": "cpu", "workers": 0, "compile": False, "precision": "fp32"}
        config = config._replace(train=config.train.model_copy(update=update))
        self.place, self.run, self.asked = place, run, asked
        self.from_data = config.data is not None and not asked.inputs
        self.graph = trace(config if self.from_data else config._replace(data=None))
        if not self.from_data:  # reading a file may need the names of the data's columns
            self.graph = self.graph._replace(config=config)
        self.seed = config.train.seed if asked.seed is None else asked.seed
        self.notes: list[str] = []
        with torch.random.fork_rng(), refused("the network"):
            randomness.seed(config.train.seed, deterministic=False)
            self.module = builder.module(self.graph)
        self.weights = f"first weights (train.seed {config.train.seed})"
        self.learned: Any = None
        if run is not None:
            found = run.checkpoint(checkpoint)
            self.learned = checkpoints.load(found, self.module), found
            self.weights = f"checkpoint {checkpoint}"
        elif not self.graph.params:
            self.weights = "no weights"
        elif config.pretrained:
            self.weights = "pretrained weights"

    def look(self) -> Look:
        """Run the network in evaluation, then in training, and tell what was seen."""
        given = self._samples()
        recorder = Recorder(self.module, self.graph)
        camera = Camera(self.graph, self.module, self.asked.pictures)
        evaluation = self._evaluation(recorder, given, camera)
        backward = Backward(self.graph, self.module, given, self.learned)
        training = self._training(recorder, given, backward)
        layers = tuple(self._layer(row, training, evaluation, backward) for row in self.graph.rows)
        inputs = {n: measured(x) for n, x in zip(self.graph.config.inputs, given.x, strict=True)}
        marks = marking.marks(self.graph, inputs, layers, evaluation.units, evaluation.outputs)
        return Look(
            self.graph.config.name,
            self.place,
            self.weights,
            given.said,
            self.seed,
            len(given.x[0]) if given.x else 1,
            inputs,
            _few(self.graph, evaluation.outputs),
            layers,
            tuple(marks),
            (*self.notes, *given.notes),
            backward.objective,
            backward.loss,
            camera.pictures(given, self._classes()),
        )

    def _samples(self) -> Samples:
        asked = self.asked
        needs = next((row for row in self.graph.rows if _needs_batch(row)), None)
        several = max(LEAST, min(BATCH, MOST_MACS // max(self.graph.macs, 1)))
        count = asked.batch or (several if needs or asked.backward else 1)
        wanted = Wanted(asked.sample, count, asked.split, self.seed)
        if self.from_data:
            kept = None if self.run is None else self.run.kept
            given = samples.of_data(self.graph, kept, wanted)
        else:
            given = samples.of_inputs(self.graph, asked.inputs or (samples.RANDOM,), wanted)
        together = len(given.x[0])
        if needs is not None and together > 1:
            self.notes.append(
                f"{needs.path} ({needs.type}) computes with the statistics of a batch in training: "
                f"the numbers are of {together} samples together"
            )
        return given

    def _evaluation(self, recorder: Recorder, given: Samples, camera: Camera) -> _Seen:
        self.module.eval()
        seen = _Seen(training=False, camera=camera)
        with torch.random.fork_rng(), torch.no_grad(), refused("the samples"):
            torch.manual_seed(self.seed)  # a layer may draw noise in evaluation too
            seen.outputs = _tuple(recorder.run(seen, *_copies(given.x)))
        camera.outputs = seen.outputs
        return seen

    def _training(self, recorder: Recorder, given: Samples, backward: Backward) -> _Seen | None:
        """Run the network in training mode, where that is possible."""
        single = next((r for r in self.graph.rows if _has_one_value(r, len(given.x[0]))), None)
        if single is not None:
            self.notes.append(
                f"{single.path} ({single.type}) would get one value per channel from this batch, "
                "so only evaluation is shown: take more samples, with --batch or in the file"
            )
            return None
        builder.train(self.module, self.graph)
        seen = _Seen(training=True, gradients=backward.gradients if self.asked.backward else None)
        with torch.random.fork_rng(), refused("the samples"):
            torch.manual_seed(self.seed)
            with torch.set_grad_enabled(self.asked.backward):
                y = recorder.run(seen, *_copies(given.x))
                if self.asked.backward:
                    backward.run(y)
        return seen

    def _layer(
        self, row: Row, training: _Seen | None, evaluation: _Seen, backward: Backward
    ) -> LayerLook:
        switches = modes_of(row)
        numbers = None
        if switches and training is not None:
            numbers = Modes(
                training.numbers.get(row.path, ""), evaluation.numbers.get(row.path, "")
            )
        return LayerLook(
            row.path,
            row.type,
            row.span.line,
            training.values.get(row.path) if training else None,
            evaluation.values.get(row.path),
            switches,
            numbers,
            backward.norm(row),
            backward.weights(row) if self.asked.backward else {},
        )

    def _classes(self) -> tuple[str, ...] | None:
        if self.run is not None:
            return self.run.classes
        return class_names(self.graph.config) if self.from_data else None


class _Seen:
    """What a pass through the network has shown of each layer, by path."""

    def __init__(
        self, *, training: bool, camera: Camera | None = None, gradients: Any = None
    ) -> None:
        self.training, self.camera, self.gradients = training, camera, gradients
        self.values: dict[str, Values] = {}
        self.numbers: dict[str, str] = {}
        #: The share of the units that are 0 in all samples and places, and their number.
        self.units: dict[str, tuple[float, int]] = {}
        self.outputs: tuple[Tensor, ...] = ()
        self._others: dict[str, int] = {}

    def before(self, row: Row, module: nn.Module | None, x: tuple[Any, ...]) -> None:
        """See the inputs of a layer: those with which it computes otherwise in training."""
        first = next((one for one in x if isinstance(one, torch.Tensor)), None)
        if self.camera is not None:
            self.camera.before(row, x)
        if first is None or not row.layer.switches:
            return
        if self.training:
            self.numbers[row.path] = in_training(row, first)
            if row.layer.drops == "zeros":
                self._others[row.path] = int((first != 0).sum())
        else:
            self.numbers[row.path] = in_evaluation(row, module)

    def after(self, row: Row, port: str, y: Tensor) -> None:
        """See a result of a layer; the first one counts."""
        if port != next(iter(row.outputs)):
            return
        self.values[row.path] = measured(y)
        if row.path in self._others:
            said = dropped(self._others[row.path], y)
            self.numbers[row.path] = "; ".join(filter(None, (self.numbers[row.path], said)))
        if row.layer.activates and not self.training:
            self.units[row.path] = _dead(y)
        if self.camera is not None:
            self.camera.after(row, y)
        if self.gradients is not None and y.requires_grad:
            self.gradients.watch(row.path, y)


def _dead(y: Tensor) -> tuple[float, int]:
    """Return the share of units that are 0 everywhere, and the number of units.

    A unit is a channel, or a feature of the last axis.
    """
    axis = 1 if y.ndim in {2, 4, 5} else y.ndim - 1
    alive = (y.detach() != 0).movedim(axis, 0).flatten(1).any(1)
    return float((~alive).double().mean()), len(alive)


def _few(graph: Graph, outputs: Sequence[Tensor]) -> dict[str, tuple[float, ...]]:
    """Return the outputs of the first sample that are a few numbers."""
    found = zip(graph.outputs, outputs, strict=True)
    return {n: tuple(y[0].double().flatten().tolist()) for n, y in found if y[0].numel() <= FEW}


def _needs_batch(row: Row) -> bool:
    normalises = row.layer.normalises in {"batch", "processes", "mixture"}
    return normalises and not row.layer.evaluates


def _has_one_value(row: Row, count: int) -> bool:
    return _needs_batch(row) and count * product(row.x[1:]) == 1


def _tuple(y: Any) -> tuple[Tensor, ...]:
    return (y,) if isinstance(y, torch.Tensor) else tuple(y)


def _copies(x: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return copies: a layer may work in place."""
    return tuple(one.clone() for one in x)
