"""The field `normalize`: which inputs and targets are scaled, and by which numbers.

    normalize: true                                    # the only input
    normalize: {inputs: {numbers: true}, targets: {spend: true}}

A scaled value is (x − mean) / deviation. Losses see scaled targets. Metrics and predictions are in
the unit of the data, so the outputs that a loss compares with a scaled target are scaled back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from netbuild.components.tensor import Shape, Tensor
    from netbuild.config.config import Config
    from netbuild.config.losses import LossTerm
    from netbuild.config.normalize import Numbers


class Scales(NamedTuple):
    """The inputs and the targets that are scaled; true if their numbers are to be measured."""

    inputs: Mapping[str, Numbers | bool]
    targets: Mapping[str, Numbers | bool]


class Back(NamedTuple):
    """How an output is scaled back: by the numbers of a target.

    An output of `power` 1 is a value: y · deviation + mean. One of 2 is a variance: y · deviation².
    """

    target: str
    power: int


def scales(config: Config, outputs: Mapping[str, Tensor]) -> Scales:
    """Return the inputs and the targets that `normalize` scales."""
    written = config.preparation.normalize
    if not isinstance(written, dict):
        return Scales(_by_name(written, [*config.inputs][:1]), {})
    floating = [name for name, x in config.inputs.items() if x is not None and x.floating]
    return Scales(
        _by_name(written["inputs"], floating or [*config.inputs]),
        _by_name(written["targets"], _targets(config, outputs)),
    )


def _by_name(written: Any, names: Iterable[str]) -> dict[str, Numbers | bool]:
    if isinstance(written, dict):
        return {name: one for name, one in written.items() if one is not False}
    return dict.fromkeys(names, written) if written else {}


def _targets(config: Config, outputs: Mapping[str, Tensor]) -> Sequence[str]:
    """Return the targets of `targets: true`: the only one, or all whose losses can be scaled."""
    names = config.targets
    if len(names) == 1:
        return names
    read = {name: terms(config, outputs, name) for name in names}
    return [n for n, own in read.items() if own and all(term.loss.scales for term in own)]


def terms(config: Config, outputs: Collection[str], target: str) -> list[LossTerm]:
    """Return the losses that compare with a target of the data."""
    found = [(term, config.against(term, outputs)) for term in config.losses]
    return [term for term, a in found if a and a.kind == "target" and a.name == target]


def back(config: Config, outputs: Mapping[str, Tensor]) -> dict[str, Back]:
    """Return how each output is scaled back, if a loss compares it with a scaled target."""
    return {
        output: Back(target, power)
        for target in scales(config, outputs).targets
        for term in terms(config, outputs, target)
        for output, power in zip(term.compared(outputs), term.loss.scales, strict=False)
    }


def over_time(config: Config) -> bool:
    """Whether the first axis of inputs and targets is time, as in windows of a series."""
    return config.data is not None and config.data.over_time


def channel_axis(shape: Shape, *, over_time: bool) -> int | None:
    """Return the axis of a sample with a mean and a deviation for each place; None for one mean.

    It is the first axis. If that is time, it is the second one.
    """
    axis = int(over_time)
    return axis if len(shape) > axis else None


def channels(shape: Shape, *, over_time: bool) -> int:
    """Return the number of means and deviations for samples of a shape."""
    axis = channel_axis(shape, over_time=over_time)
    return 1 if axis is None else shape[axis]
