"""The modifier `tie` of a layer: parameters that are parameters of other layers.

`head: {Linear: 10000, tie: {weight: embed.weight}}` gives two layers one weight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.syntax.item import kind
from netbuild.syntax.node import Map, Scalar, is_null, is_unknown
from netbuild.syntax.substitution import substitute

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Found, Span
    from netbuild.syntax.expression import Names
    from netbuild.syntax.node import Node

_HELP = "write tie: {weight: embed.weight}, with the names in state_dict()"


class Tie(NamedTuple):
    """A parameter that is another one: the other one's name in `state_dict()`, and the places."""

    target: str
    key: Span
    span: Span


def read_ties(node: Node, names: Names) -> Found[dict[str, Tie]]:
    """Read the modifier `tie`: names of parameters to names in `state_dict()`."""
    node, faults = substitute(node, names)
    if is_null(node) or is_unknown(node):
        return {}, faults
    if not isinstance(node, Map):
        label = f"tie wants a mapping from parameters to names, not {kind(node)}"
        wrong = Diagnostic("NB106", "tie is not a mapping", node.span, label, help=_HELP)
        return {}, (*faults, wrong)
    found: dict[str, Tie] = {}
    for name, (key, value) in node.entries.items():
        # A Parameter at position 0 of a list has the name 0.
        if isinstance(value, Scalar) and type(value.value) in {str, int, float}:
            text = value.value if isinstance(value.value, str) else value.text
            found[name] = Tie(text, key.span, value.span)
        elif not is_unknown(value):
            label = f"tie wants the name of a parameter, not {kind(value)}"
            title = "a tie in the wrong form"
            faults = (*faults, Diagnostic("NB106", title, value.span, label, help=_HELP))
    return found, faults
