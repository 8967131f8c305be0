"""The samples that are looked at: of the data, of a file, numbers, or random ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from netbuild.checks import objective
from netbuild.components.tensor import product, times
from netbuild.config.normalize import measures
from netbuild.diagnostics.exceptions import InputError, TrainingError
from netbuild.training.data import loading
from netbuild.training.data.batches import StreamedBatches
from netbuild.training.data.random_samples import random_samples
from netbuild.training.data.scaling import normalised
from netbuild.training.parallel.distributed import World
from netbuild.training.prediction.samples import SampleReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from netbuild.components.tensor import Tensor
    from netbuild.config.preparation import Preparation
    from netbuild.graph.graph import Graph
    from netbuild.training.data.batches import Inputs, Targets

RANDOM = "random"
#: Numbers between commas or blanks: `1,1,2,2`.
_NUMBERS = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)


class Samples(NamedTuple):
    """Inputs for the network, their targets if there are any, and a phrase that names them."""

    x: Inputs
    targets: Targets | None
    said: str
    #: The config's preparation with the numbers of `normalize`.
    preparation: Preparation
    notes: tuple[str, ...] = ()
    class_weights: torch.Tensor | None = None


class Wanted(NamedTuple):
    """Which samples are looked at: the first one, how many, and of which split of the data."""

    first: int = 0
    size: int = 1
    split: str = "validation"
    seed: int = 0


def of_data(graph: Graph, kept: Mapping[str, Any] | None, wanted: Wanted) -> Samples:
    """Return samples of the data of a config, as `evaluate` sees them.

    Raises:
        ConfigError: the data cannot be read, or does not fit.
        TrainingError: the split has no such sample.
    """
    data = loading.load(graph, World(torch.device("cpu")), kept, wanted.split)
    first, count, held_out = wanted.first, wanted.size, data.held_out
    if isinstance(held_out, StreamedBatches):
        for number, (x, targets) in enumerate(held_out.in_order(count)):
            if number == first // count:
                said = f"samples {number * count} to {number * count + len(targets[0]) - 1}"
                return Samples(x, targets, f"{said} of {wanted.split}", data.preparation)
        raise TrainingError(f"the {wanted.split} samples end before sample {first}")
    size = len(held_out)
    if first >= size:
        most = f"they are numbered from 0 to {size - 1}"
        raise TrainingError(f"there is no sample {first} among the {wanted.split} samples: {most}")
    count = min(count, size)
    x, targets = held_out.at((torch.arange(count) + first) % size)
    others = f" and the {count - 1} behind it" if count > 1 else ""
    said = f"sample {first}{others} of the {size:,} {wanted.split} samples"
    return Samples(x, targets, said, data.preparation, class_weights=data.class_weights)


def of_inputs(graph: Graph, given: Sequence[str], wanted: Wanted) -> Samples:
    """Return samples of what `--input` names: files, numbers, or `random`.

    Raises:
        InputError: an input cannot be read, or does not fit.
        TrainingError: the config does not know how it normalises.
    """
    config = graph.config
    names = tuple(objective_inputs(graph))
    by_name = _by_name(names, given)
    generator = torch.Generator().manual_seed(wanted.seed)
    drawn = random_samples(graph, wanted.size, generator)
    said: list[str] = []
    if set(by_name.values()) == {RANDOM}:
        return Samples(drawn, None, _random(wanted), config.preparation)
    if measures(config.preparation.normalize):
        message = (
            "normalize: true has not measured any samples yet: look at a run, at the data, or at "
            "random numbers"
        )
        raise TrainingError(message)
    columns: dict[str, Any] = {}
    for name, value in by_name.items():
        read = names if name == "" else (name,)
        if value == RANDOM:
            columns[name] = drawn[names.index(name)].numpy()
            said.append(f"random {name}")
        else:
            found, called = _read(graph, read, value, wanted)
            columns |= zip(read, found, strict=True)
            said.append(f"{name} {called}".strip())
    count = max(len(x) for x in columns.values())
    x = tuple(_repeated(columns[name], count) for name in names)
    prepare = normalised(None, config, graph.outputs)[1]
    if prepare:
        x, _ = prepare((x, ()))
    x *= config.preparation.views or 1
    return Samples(x, None, ", ".join(said), config.preparation)


def objective_inputs(graph: Graph) -> tuple[str, ...]:
    """Return the names of the inputs that a sample has: of several views it has one."""
    sample = objective.wanted(graph.config, graph.outputs)
    return tuple(graph.config.inputs)[: len(sample.inputs)]


def _random(wanted: Wanted) -> str:
    count = f"{wanted.size} random samples" if wanted.size > 1 else "a random sample"
    return f"{count} (seed {wanted.seed})"


def _by_name(names: tuple[str, ...], given: Sequence[str]) -> dict[str, str]:
    """Return the value of each input; the name is empty for one value of all inputs.

    Raises:
        InputError: an input has no value, or an unknown name.
    """
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if equals and name in names:
            found[name] = value
        elif equals and name.isidentifier() and not Path(one).exists():
            raise InputError(f"the network has no input {name}: it reads {', '.join(names)}")
        elif len(given) > 1:
            message = f"{one} names none of the inputs {', '.join(names)}: write NAME=VALUE"
            raise InputError(message)
        else:
            found[""] = one
    if found.get("") == RANDOM:
        return dict.fromkeys(names, RANDOM)
    missing = [name for name in names if name not in found]
    if "" not in found and missing:
        raise InputError(f"the network also reads {', '.join(missing)}: give --input NAME=VALUE")
    return found


def _read(graph: Graph, names: Sequence[str], value: str, wanted: Wanted) -> tuple[list[Any], str]:
    """Return the arrays of inputs, (samples, *input), from a file or from numbers, and a name."""
    if not value.strip():
        raise InputError("--input is empty: write a file, numbers, or random")
    tensors = [graph.config.inputs[name] for name in names]
    described = tuple(one for one in tensors if one is not None)
    parts = re.split(r"[\s,;]+", value.strip().strip("[]"))
    if len(names) == 1 and parts and all(_NUMBERS.fullmatch(part) for part in parts):
        return [_typed(described[0], names[0], parts)], value
    config = graph.config
    reader = SampleReader(tuple(names), described, config.data, config.preparation.resize)
    samples = []
    for found in reader.samples([value]):
        if isinstance(found, InputError):
            raise found
        samples.append(found)
        if len(samples) == wanted.first + wanted.size:
            break
    if len(samples) <= wanted.first:
        raise InputError(f"{value} has {len(samples)} samples: there is no sample {wanted.first}")
    chosen = samples[wanted.first :]
    more = f" and the {len(chosen) - 1} behind it" if len(chosen) > 1 else ""
    columns = zip(*(one.inputs for one in chosen), strict=True)
    return [np.stack(column) for column in columns], f"{chosen[0]}{more}"


def _typed(wanted: Tensor, name: str, parts: Sequence[str]) -> Any:
    """Return numbers that a user has typed as samples, (samples, *shape)."""
    size = product(wanted.shape)
    if len(parts) % size:
        shape = times(wanted.shape) or "1"
        numbers = f"{len(parts)} number{'s' * (len(parts) > 1)}"
        raise InputError(f"{name} reads {shape}: {numbers} do not divide into samples of {size}")
    try:
        values = np.array([float(part) for part in parts])
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error
    if not wanted.floating and (values % 1 != 0).any():
        raise InputError(f"{name} reads whole numbers")
    return values.astype(wanted.dtype).reshape(-1, *wanted.shape)


def _repeated(x: Any, count: int) -> torch.Tensor:
    """Return an input for all samples. A single one serves all samples of the other inputs."""
    if len(x) not in {1, count}:
        raise InputError(f"the inputs have {len(x)} and {count} samples")
    return torch.from_numpy(np.ascontiguousarray(np.broadcast_to(x, (count, *x.shape[1:])).copy()))
