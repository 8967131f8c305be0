"""Arguments of torch's classes: those that differ from torch's defaults."""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netbuild.components.component import Component


def differing(
    kind: Callable[..., Any], component: Component, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments that differ from the defaults of a class of the installed torch.

    An older release does not have every field. Such a field is left out while it has netbuild's
    default. `netbuild.checks.torch_release` refuses every other value of it.
    """
    parameters = _parameters(kind)
    found = {}
    for name, value in arguments.items():
        there: Any = parameters.get(name)
        if there is None and name in component.fields_since:
            there = type(component).model_fields[name]
        if there is None or not _same(value, there.default):
            found[name] = value
    return found


@cache
def _parameters(kind: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(kind).parameters


def _same(value: Any, default: Any) -> bool:
    """Whether a value is the default: 0.0 is 0, and 1 is not true."""
    if {type(value), type(default)} == {int, float} or type(value) is type(default):
        return bool(value == default)
    return False
