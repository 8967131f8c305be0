"""What a file can name, read from the declarations: families, fields, examples, torch's pages."""

from __future__ import annotations

import ast
import re
import sys
from doctest import DocTestParser
from inspect import getdoc
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.component import FromInput, Nested, bare_field
from netbuild.fields import Wants
from netbuild.layers.layer import Layer, Operation, ShapeError, Tensor, product

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.component import Component


class Field(NamedTuple):
    """A field of a component as a page shows it; `default` is None where one must be written."""

    name: str
    default: str | None
    wanted: str


class Example(NamedTuple):
    """An item as a file holds it; for a layer also inputs for it and what it does to them."""

    item: dict[str, Any]
    inputs: tuple[Tensor, ...] = ()
    outputs: Mapping[str, Tensor] = {}
    params: int = 0
    macs: int = 0


def catalogue(what: str) -> Mapping[str, type[Component]]:
    """Return what can be named: `layers`, `losses`, `optimizers`, `schedulers`, `initializers`."""
    if what == "layers":
        from netbuild.layers import LAYERS

        return LAYERS
    if what == "losses":
        from netbuild.losses import LOSSES

        return LOSSES
    if what == "optimizers":
        from netbuild.optimizers import OPTIMIZERS

        return OPTIMIZERS
    if what == "schedulers":
        from netbuild.schedulers import SCHEDULERS

        return SCHEDULERS
    from netbuild.initializers import INITIALIZERS

    return INITIALIZERS


def families(known: Mapping[str, type[Component]]) -> dict[str, list[str]]:
    """Return the names by family: by the title of the module that declares them."""
    found: dict[str, list[str]] = {}
    for name, component in known.items():
        title = (sys.modules[component.__module__].__doc__ or "").splitlines()[0]
        found.setdefault(re.split(r"[:,]|\.$", title)[0], []).append(name)
    return found


def description(component: type[Component]) -> str:
    """Return the docstring of a component without its examples."""
    return (getdoc(component) or "").partition("\n>>>")[0].strip()


def fields(component: type[Component]) -> list[Field]:
    """Return the fields of a component, with their defaults as YAML writes them."""
    found = []
    for name, info in component.model_fields.items():
        default = None if info.is_required() else _written(info.default)
        if any(isinstance(mark, FromInput) for mark in info.metadata):
            default = "from the input"
        found.append(Field(name, default, _wanted(info.metadata)))
    return found


def page(component: type[Component]) -> str | None:
    """Return the name that torch's documentation has for it; None for what torch has not."""
    name = getattr(component, "torch_name", lambda: component.__name__)()
    if issubclass(component, Operation):
        return f"{component.namespace}.{component.function}"
    if issubclass(component, Layer):
        return None if name.startswith("Switchable") else f"torch.nn.{component.__name__}"
    module = component.__module__.split(".")[1]
    return {
        "losses": f"torch.nn.{name}",
        "optimizers": f"torch.optim.{name}",
        "schedulers": f"torch.optim.lr_scheduler.{name}",
        "initializers": f"torch.nn.init.{name}",
    }[module]


def example(name: str, component: type[Component]) -> Example | None:
    """Return the first example of a docstring as an item, with what it does.

    None where the docstring has none and a field must be written.
    """
    for written in DocTestParser().get_examples(getdoc(component) or ""):
        for call in ast.walk(ast.parse(written.source, mode="eval")):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == component.__name__:
                return _evaluated(name, component, written.source, call)
    required = any(info.is_required() for info in component.model_fields.values())
    return None if required else Example({name: {}})


def _evaluated(
    name: str, component: type[Component], source: str, call: ast.Call
) -> Example | None:
    """Return an example from `Type(field=…).rule(shape, …)`, evaluated by netbuild itself."""
    given = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords if _is_literal(k.value)}
    if len(given) < len(call.keywords):
        return Example({name: {k.arg: ast.unparse(k.value) for k in call.keywords}})
    arguments = {field: _plain(value) for field, value in given.items()}
    item = Example({name: _short(component, arguments)})
    outer = next(
        (
            node
            for node in ast.walk(ast.parse(source, mode="eval"))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.value is not None
            and ast.unparse(node.func.value) == ast.unparse(call)
        ),
        None,
    )
    layer = component(**given)
    if outer is None or not isinstance(layer, Layer):
        return item
    shapes = [ast.literal_eval(node) for node in outer.args if isinstance(node, ast.Tuple)]
    for dtype in ("float32", "int64"):
        inputs = tuple(Tensor(shape, dtype) for shape in shapes)
        try:
            outputs = layer.apply(*inputs)
        except (ShapeError, TypeError):
            continue
        params = sum(product(shape) for shape in layer.weights(*shapes).values())
        return item._replace(
            inputs=inputs, outputs=outputs, params=params, macs=layer.macs(*shapes)
        )
    return item


def _is_literal(node: ast.expr) -> bool:
    return not any(isinstance(part, (ast.Call, ast.Name)) for part in ast.walk(node))


def _short(component: type[Component], arguments: dict[str, Any]) -> Any:
    """Return arguments as they are best written: nothing, a bare value, or fields."""
    field = bare_field(component)
    if field is not None and list(arguments) == [field] and not isinstance(arguments[field], list):
        return arguments[field]
    return arguments or None


def _plain(value: Any) -> Any:
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _written(value: Any) -> str:
    from netbuild.emit import dump

    return dump(_plain(value)).removesuffix("\n").removesuffix("\n...").strip()


def _wanted(metadata: list[Any]) -> str:
    """Return the phrase of what a field wants."""
    for mark in metadata:
        if isinstance(mark, Wants):
            return mark.phrase
        if isinstance(mark, Nested):
            names = " or ".join(mark.known)
            return f"a list, each a {mark.what}" if mark.many else f"a {mark.what}: {names}"
    return ""
