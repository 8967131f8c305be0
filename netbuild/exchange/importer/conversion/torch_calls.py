"""The table of torch's functions, methods and layers: which function converts a call of each."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

from netbuild.exchange.importer.conversion import (
    assigning,
    formulas,
    joins,
    layers,
    reductions,
    views,
    weighted,
)
from netbuild.exchange.importer.conversion.layouts import Gap
from netbuild.exchange.importer.recording.functions import name_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from netbuild.exchange.importer.conversion.context import Context


def same(converter: Context, x: Any, *_: Any, **__: Any) -> Any:
    """Convert a function that changes nothing but where the values lie."""
    return converter.sym(x)


#: A call has one function of the table; it takes the converter and the arguments of the call.
TABLE: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(
        ("contiguous", "clone", "data", "requires_grad", "cpu", "cuda", "alias", "positive"), same
    ),
    **dict.fromkeys(("as_subclass", "dropout_", "_assert"), same),
    **views.TABLE,
    **joins.TABLE,
    **assigning.TABLE,
    **reductions.TABLE,
    **weighted.TABLE,
    **layers.TABLE,
}


def convert(converter: Context) -> Any:
    """Return the value or the values of the call at hand.

    Raises:
        Gap: a config cannot hold it.
    """
    call = converter.call
    if call.path is not None:
        return layers.convert(converter)
    if formulas.is_elementwise(call):
        return formulas.convert(converter)
    name = name_of(call.target)
    if name not in TABLE:
        raise Gap("a config has no counterpart")
    named = {key: one for key, one in call.kwargs.items() if key != "out" or one is not None}
    try:
        given = signature(TABLE[name]).bind(converter, *call.args, **named)
    except TypeError as error:
        message = f"its arguments have no counterpart in a config ({error})"
        raise Gap(message) from error
    return TABLE[name](*given.args, **given.kwargs)
