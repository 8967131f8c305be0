"""The modifier `parametrize` of a layer: parameters that are computed from other tensors.

`{Linear: 120, parametrize: {weight: spectral_norm}}` names the parameter. Without a name
it is `weight`: `{Linear: 120, parametrize: spectral_norm}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.config.filling import fill
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.syntax.item import Item, kind
from netbuild.syntax.node import Map, Scalar, is_null, is_unknown
from netbuild.syntax.substitution import substitute

if TYPE_CHECKING:
    from netbuild.components.parametrizations import Parametrization
    from netbuild.diagnostics.diagnostic import Found, Span
    from netbuild.syntax.expression import Names
    from netbuild.syntax.node import Node

_HELP = "write parametrize: {weight: spectral_norm}, or {weight: {weight_norm: {dim: 0}}}"
#: The parameter of a parametrization without one.
_BARE = "weight"
#: What torch puts between the path of a layer and the name of a parametrized parameter.
_BETWEEN = "parametrizations"


class Parametrized(NamedTuple):
    """A parametrization of a parameter, and the places of the parameter and of the value."""

    by: Parametrization
    key: Span
    span: Span


def name_in_file(name: str) -> str:
    """Return the name of a parameter in a file, for a name in `state_dict()`.

    >>> name_in_file("conv.parametrizations.weight.original0")
    'conv.weight'
    """
    if _BETWEEN not in name:
        return name
    path, _, last = name.rpartition(".")
    within, _, own = path.rpartition(".")
    above = within.removesuffix(_BETWEEN)
    if above == within or not last.startswith("original"):
        return name
    return f"{above}{own}"


def tensor_name(parameter: str, tensor: str) -> str:
    """Return the name in a module of a tensor from which a parameter is computed."""
    within, _, own = parameter.rpartition(".")
    return f"{within}{'.' if within else ''}{_BETWEEN}.{own}.{tensor}"


def read_parametrize(node: Node, names: Names) -> Found[dict[str, Parametrized]]:
    """Read the modifier `parametrize`: a parametrization of `weight`, or several by parameter."""
    node, faults = substitute(node, names)
    if is_null(node) or is_unknown(node):
        return {}, faults
    if _is_bare(node):
        by, wrong = _parametrization(node)
        bare = {} if by is None else {_BARE: Parametrized(by, node.span, node.span)}
        return bare, (*faults, *wrong)
    if not isinstance(node, Map):
        label = f"parametrize wants one name, or names by parameter, not {kind(node)}"
        title = "parametrize is no parametrization"
        return {}, (*faults, Diagnostic("NB106", title, node.span, label, help=_HELP))
    found: dict[str, Parametrized] = {}
    for name, (key, value) in node.entries.items():
        by, wrong = _parametrization(value)
        faults = (*faults, *wrong)
        if by is not None:
            found[name] = Parametrized(by, key.span, value.span)
    return found, faults


def _is_bare(node: Node) -> bool:
    """Whether a parametrization stands without a parameter: its name, alone or with arguments."""
    if isinstance(node, Scalar):
        return isinstance(node.value, str)
    if not isinstance(node, Map) or len(node.entries) != 1:
        return False
    from netbuild.components.parametrizations import PARAMETRIZATIONS

    return next(iter(node.entries)) in PARAMETRIZATIONS


def _parametrization(node: Node) -> Found[Parametrization | None]:
    from netbuild.components.parametrizations import PARAMETRIZATIONS

    if is_unknown(node):
        return None, ()
    name, arguments = node, None
    if isinstance(node, Map) and len(node.entries) == 1:
        ((name, arguments),) = node.entries.values()
    if not isinstance(name, Scalar) or not isinstance(name.value, str):
        label = f"a parametrization is one name with its arguments, not {kind(node)}"
        title = "a parametrization in the wrong form"
        return None, (Diagnostic("NB108", title, node.span, label, help=_HELP),)
    name = name._replace(text=name.value)
    component = PARAMETRIZATIONS.get(name.text)
    if component is None:
        help_, fixes = did_you_mean(name.text, PARAMETRIZATIONS, name.span)
        help_ = help_ or f"the parametrizations are {', '.join(PARAMETRIZATIONS)}"
        title = f"no parametrization is called {brief(name.text)}"
        wrong = Diagnostic("NB103", title, name.span, "unknown type", help=help_, fixes=fixes)
        return None, (wrong,)
    empty = arguments is not None and is_null(arguments)
    return fill(component, Item(name, None if empty else arguments))
