"""Inputs and targets with mean 0 and deviation 1, and outputs in the unit of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from netbuild.config import scaling
from netbuild.config.scaling import Scales
from netbuild.training.data.batches import StreamedBatches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

    from netbuild.components.tensor import Shape
    from netbuild.components.tensor import Tensor as Described
    from netbuild.config.config import Config
    from netbuild.config.normalize import Numbers
    from netbuild.config.preparation import Preparation
    from netbuild.training.data.batches import Batch, Split, Transform


class Scale(NamedTuple):
    """A mean and a deviation for each channel, in double precision, as torch repeats them.

    They may repeat over a batch of samples.
    """

    mean: Tensor
    deviation: Tensor

    def on(self, device: torch.device, dtype: torch.dtype) -> Scale:
        """Return the scale on a device."""
        return Scale(*(part.to(device, dtype) for part in self))

    def scaled(self, x: Tensor) -> Tensor:
        """Return values with mean 0 and deviation 1, in their own precision."""
        mean, deviation = self.on(x.device, x.dtype)
        return (x - mean) / deviation

    def back(self, y: Tensor) -> Tensor:
        """Return an output in the unit of the data, in double precision where the device has it."""
        dtype = torch.float32 if y.device.type == "mps" else torch.float64
        mean, deviation = self.on(y.device, dtype)
        return y.to(dtype) * deviation + mean


def scale(numbers: Numbers, shape: Shape, *, over_time: bool) -> Scale:
    """Return the scale of samples of a shape, given a mean and a deviation for each channel."""
    axis = scaling.channel_axis(shape, over_time=over_time)
    mean, deviation = (torch.tensor(part, dtype=torch.float64) for part in numbers)
    if axis is None:
        return Scale(mean[0], deviation[0])
    spread = [1, *(len(mean) if n == axis else 1 for n in range(len(shape)))]
    return Scale(mean.reshape(spread), deviation.reshape(spread))


def scales_of_outputs(config: Config, outputs: Mapping[str, Described]) -> dict[str, Scale]:
    """Return how each output becomes a value in the unit of its target, if that is scaled."""
    found = {}
    for name, (target, power) in scaling.back(config, outputs).items():
        known = target_scale(config, outputs, target)
        if known is not None:
            mean, deviation = known
            is_value = power == 1
            found[name] = known if is_value else Scale(0 * mean, deviation**power)
    return found


def target_scale(config: Config, outputs: Mapping[str, Described], target: str) -> Scale | None:
    """Return the scale of a target; None if it is not scaled, or not yet measured."""
    numbers = scaling.scales(config, outputs).targets.get(target)
    if numbers is None or isinstance(numbers, bool):
        return None
    first = scaling.terms(config, outputs, target)[0]
    shape = next(iter(first.compared(outputs).values())).shape
    return scale(numbers, shape, over_time=scaling.over_time(config))


def normalised(
    data: Split | None, config: Config, outputs: Mapping[str, Described], size: int = 1024
) -> tuple[Preparation, Transform | None]:
    """Return the preparation with the measured numbers, and the transform of the inputs.

    Targets stay in their own unit: the losses scale them.

    Args:
        data: the training samples; None if nothing is to be measured.
        config: the config of the network.
        outputs: the outputs of the network.
        size: the most samples that are looked at together.
    """
    preparation = config.preparation
    asked = scaling.scales(config, outputs)
    if not (asked.inputs or asked.targets):
        return preparation, None
    known = asked if data is None else _measured(data, config, asked, min(1024, size))
    names, over_time = [*config.inputs], scaling.over_time(config)
    used = _with_past(config, known)
    found: dict[int, Scale] = {}
    for name, numbers in used.items():
        x = config.inputs[name]
        assert x is not None
        assert not isinstance(numbers, bool)
        found[names.index(name)] = scale(numbers, x.shape, over_time=over_time)

    if preparation.views and 0 in found:  # all views are of the first input's image
        found = dict.fromkeys(range(len(names)), found[0])

    def prepare(batch: Batch) -> Batch:
        inputs, targets = batch
        return tuple(found[n].scaled(x) if n in found else x for n, x in enumerate(inputs)), targets

    written: Any = {"inputs": _dict(used, known.inputs), "targets": _dict(known.targets)}
    if not isinstance(preparation.normalize, dict):
        written = next(iter(known.inputs.values()))
    measured = preparation.model_copy(update={"normalize": written})
    return measured, prepare if found else None


def _dict(numbers: Mapping[str, Any], names: Iterable[str] | None = None) -> Any:
    """Return the numbers of some names as a field has them: null without any."""
    return {name: numbers[name] for name in (numbers if names is None else names)} or None


def _with_past(config: Config, known: Scales) -> dict[str, Any]:
    """Return the numbers of the inputs, in which a column of a scaled target has its numbers."""
    found: dict[str, Any] = dict(known.inputs)
    if config.data is None or not known.targets:
        return found
    names = [*config.inputs]
    for target, places in config.data.past(len(names)).items():
        if target not in known.targets:
            continue
        of_target: Any = known.targets[target]
        for column, number, place in places:
            name = names[number]
            x = config.inputs[name]
            assert x is not None
            count = scaling.channels(x.shape, over_time=scaling.over_time(config))
            before = found.get(name, ((0.0,) * count, (1.0,) * count))
            found[name] = tuple(
                (*part[:place], own[column], *part[place + 1 :])
                for part, own in zip(before, of_target, strict=True)
            )
    return found


def _measured(data: Split, config: Config, asked: Scales, size: int) -> Scales:
    """Return the numbers of all inputs and targets; those that are true are measured."""
    over_time, names = scaling.over_time(config), [*config.inputs]
    sums: dict[tuple[str, str], _Sums] = {}
    for side, wanted in zip(asked._fields, asked, strict=True):
        sums |= {(side, name): _Sums() for name, numbers in wanted.items() if numbers is True}
    batches: Iterable[Batch] = ()
    if any(side == "inputs" for side, _ in sums):
        batches = data.in_order(size)
    elif sums and not isinstance(data, StreamedBatches):  # the inputs need not be read
        batches = (((), targets) for targets in data.each_targets())
    for inputs, targets in batches:
        for (side, name), found in sums.items():
            is_input = side == "inputs"
            x = inputs[names.index(name)] if is_input else targets[config.targets.index(name)]
            found.add(x, scaling.channel_axis(tuple(x.shape[1:]), over_time=over_time))
    about_one = not isinstance(config.preparation.normalize, dict)
    found_of = {key: found.numbers(about_one=about_one) for key, found in sums.items()}
    return Scales(
        *(
            {name: found_of.get((side, name), numbers) for name, numbers in wanted.items()}
            for side, wanted in zip(asked._fields, asked, strict=True)
        )
    )


class _Sums:
    """Sums over samples and positions, for each channel."""

    def __init__(self) -> None:
        self.count = 0
        self.total: Any = 0.0
        self.squares: Any = 0.0

    def add(self, x: Tensor, axis: int | None) -> None:
        """Add a batch, (samples, *shape), with its channels along an axis of a sample."""
        values = x.double().flatten()[None] if axis is None else x.double().movedim(axis + 1, 0)
        values = values.flatten(1)
        self.count += values.shape[1]
        self.total += values.sum(1)
        self.squares += values.square().sum(1)

    def numbers(self, *, about_one: bool) -> Numbers:
        """Return the mean and the standard deviation of each channel, rounded.

        A constant channel gets the deviation 1. Numbers of about 1, such as pixels, have seven
        decimals, and others the nine digits of a float32.
        """
        mean = self.total / self.count
        deviation = (self.squares / self.count - mean.square()).clamp(min=0).sqrt()
        deviation[deviation < 1e-7 if about_one else deviation <= 1e-6 * mean.abs()] = 1.0
        means, deviations = (
            tuple(round(v, 7) if about_one else float(f"{v:.9g}") for v in part.tolist())
            for part in (mean, deviation)
        )
        return means, deviations
