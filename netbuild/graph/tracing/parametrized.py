"""The faults of `parametrize`: parameters that a parametrization does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.tensor import times
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.diagnostics.wording import brief, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.graph.row import Row


def misfits(row: Row) -> Iterator[Diagnostic]:
    """Yield a fault for each parametrization of a layer that fits none of its parameters."""
    for name, one in row.parametrized.items():
        called, shape = one.by.torch_name(), row.inferred.weights.get(name) if name else None
        if name in row.ties:
            label = f"{name} is also tied to {row.ties[name].target}, and torch cannot do both"
            yield Diagnostic("NB220", "a tied parameter with a parametrization", one.key, label)
        elif shape is None:
            yield _nameless(row, name)
        elif wanted := one.by.misfit(shape):
            label = f"{called} needs {wanted}, and {name} is {times(shape)}"
            yield Diagnostic("NB220", f"{called} does not fit its parameter", one.span, label)


def _nameless(row: Row, name: str) -> Diagnostic:
    """Return the fault of a parametrization of a parameter that the layer does not have."""
    own = [parameter for parameter in row.inferred.weights if parameter]
    key = row.parametrized[name].key
    help_, fixes = did_you_mean(name, own, key)
    if help_ is None and own:
        help_ = f"its parameters are {', '.join(own)}"
    label = f"{row.type} has no parameter {brief(name)} to parametrize"
    title = "a parametrization of no parameter"
    return Diagnostic("NB220", title, key, label, help=help_, fixes=fixes)
