"""The values of the field `normalize`."""

from typing import Annotated, Any, TypeAlias

from pydantic_core import core_schema

from netbuild.components.datasets.fields import named
from netbuild.components.fields import Wants, either, fields, many, optional, real

#: The mean and the deviation of each channel.
Numbers: TypeAlias = "tuple[tuple[float, ...], tuple[float, ...]]"

_switch = core_schema.bool_schema(strict=True)
_numbers = core_schema.tuple_schema([many(real(), at_least=1), many(real(gt=0), at_least=1)])
_scale = either(_switch, _numbers)
_scales = optional(either(_switch, _numbers, named(_scale)))
Normalize = Annotated[
    bool | tuple[tuple[float, ...], tuple[float, ...]] | dict[str, Any],
    Wants(
        "true, false, a list of two lists, the means and the deviations of the channels, or a "
        "mapping such as {inputs: true, targets: {price: true}}",
        either(_switch, _numbers, fields({}, {"inputs": _scales, "targets": _scales})),
    ),
]


def measures(normalize: Any) -> bool:
    """Whether any mean and deviation is to be measured."""
    if isinstance(normalize, dict):
        return any(map(measures, normalize.values()))
    return normalize is True


def with_measured(normalize: Any, before: Any) -> Any:
    """Return the field with the numbers that a run has measured in place of each `true`."""
    if normalize is True:
        return before or True
    if not isinstance(normalize, dict):
        return normalize
    known = before if isinstance(before, dict) else {}
    return {name: with_measured(one, known.get(name)) for name, one in normalize.items()}
