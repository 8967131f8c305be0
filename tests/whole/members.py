"""How a member is written, and where what it makes is kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.nn.modules import dropout

from tests.whole.layers import Layer, reads
from tests.whole.masks import NAMED
from tests.whole.modules import MANY
from tests.whole.refusal import Refusal

if TYPE_CHECKING:
    from tests.whole.network import Value
    from tests.whole.scope import Inputs, Scope

_MODIFIERS = {"name", "repeat", "when", "inputs", "freeze", "init"}
_MODIFIERS |= {"checkpoint", "tie", "parametrize"}
_OF_STACKS = {"name", "repeat", "when", "inputs", "freeze", "checkpoint", "outputs", "layers"}
_OF_REUSE = {"name", "repeat", "when", "inputs"}


def parts(node: Any) -> tuple[str, Any, dict[str, Any]]:
    """Return the type, the arguments and the modifiers of a member; a stack's type is `layers`."""
    if isinstance(node, str):
        node = {node: None}
    if isinstance(node, list):
        return "layers", node, {}
    if not isinstance(node, dict) or not node:
        raise Refusal(f"no member: {node!r}")
    found = types(node)
    if len(found) > 1:
        raise Refusal("two types in one item")
    if not found:
        if "layers" not in node:
            return "layers", node, {}
        modifiers = {key: value for key, value in node.items() if key != "layers"}
        if not set(modifiers) <= _OF_STACKS:
            raise Refusal("an unknown modifier")
        return "layers", node["layers"], modifiers
    kind = found[0]
    modifiers = {key: value for key, value in node.items() if key != kind}
    if not set(modifiers) <= (_OF_REUSE if kind == "Reuse" else _MODIFIERS):
        raise Refusal("an unknown modifier")
    return kind, node[kind], modifiers


def _capitalised(node: dict[str, Any]) -> list[str]:
    return [key for key in node if isinstance(key, str) and key[:1].isupper()]


def types(node: list[Any] | dict[str, Any]) -> list[str]:
    """Return the types of a mapping; none if it is a stack."""
    if isinstance(node, list) or _only_names(node):
        return []
    return _capitalised(node)


def _only_names(node: dict[str, Any]) -> bool:
    """Return whether the Capitalised keys of a mapping name members, and are no types."""
    modifiers = _MODIFIERS | _OF_STACKS
    if len(node) < 2 or set(node) & modifiers:
        return False
    for key, value in node.items():
        if not isinstance(value, (str, list, dict)):
            return False
        if key in _capitalised(node):
            inner = _capitalised(value) if isinstance(value, dict) else []
            if len(inner) != 1 or not set(value) <= {*inner, *modifiers}:
                return False
    return True


def names_index(name: str) -> bool:
    return re.search(r"\$index\b|\$\([^)]*\bindex\b", name) is not None


def path(scope: Scope, name: str) -> str:
    return f"{scope.path}.{name}" if scope.path else name


def container(scope: Scope, name: str) -> nn.Module | None:
    if scope.module is None:
        return None
    module = nn.Module()
    if scope.original is None:
        scope.module.add_module(name, module)
    return module


def register(scope: Scope, name: str, layer: Layer, *, freeze: bool) -> None:
    if isinstance(layer.parameter, nn.Parameter):
        layer.parameter.requires_grad_(not freeze)
    if layer.module is not None:
        layer.module.requires_grad_(not freeze)
    if freeze and isinstance(layer.module, dropout._DropoutNd):
        layer.module.p = 0.0  # what is frozen is built so, and drops nothing
    if scope.module is None:
        return
    if isinstance(layer.parameter, nn.Parameter):
        scope.module.register_parameter(name, layer.parameter)
    elif layer.parameter is not None:
        scope.module.register_buffer(name, layer.parameter)
    if layer.module is not None:
        scope.module.add_module(name, layer.module)


def ordered(kind: str, inputs: Inputs) -> tuple[list[Value], tuple[str, ...]]:
    """Return the inputs of a layer in its own order, and the names of those given by name only.

    Raises:
        Refusal: too few, too many, or an unknown name.
    """
    if kind in MANY:
        if isinstance(inputs, dict) or len(inputs) < 2:
            raise Refusal(f"{kind} reads two or more, in a list")
        return inputs, ()
    if kind == "Formula":
        if isinstance(inputs, list) and len(inputs) > 1:
            raise Refusal("several inputs of a formula need names")
        return ([*inputs.values()], tuple(inputs)) if isinstance(inputs, dict) else (inputs, ("x",))
    needed, further = reads(kind)
    named: dict[str, Value] = {}
    if isinstance(inputs, dict):
        named = {name: inputs[name] for name in NAMED.get(kind, ()) if name in inputs}
        inputs = {name: value for name, value in inputs.items() if name not in named}
        known = [*needed, *further]
        names = [name for name in known if name in inputs]
        if set(inputs) - set(known) or names != known[: len(names)]:
            raise Refusal(f"{kind} has other inputs")
        inputs = [inputs[name] for name in names]
    if not len(needed) <= len(inputs) <= len(needed) + len(further):
        raise Refusal(f"{kind} reads another number of inputs")
    return [*inputs, *named.values()], tuple(named)
