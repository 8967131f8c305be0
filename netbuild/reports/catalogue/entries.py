"""The entries of the catalogue, built from declarations: families, fields and examples."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from inspect import getdoc
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.checks.trace import infer
from netbuild.components.component import FromInput, Nested, field_notes
from netbuild.components.fields import Wants
from netbuild.components.layers.layer import Layer
from netbuild.components.layers.operation import Operation
from netbuild.components.losses.loss import Loss
from netbuild.components.metrics.metric import Metric
from netbuild.config.load import read
from netbuild.diagnostics.diagnostic import Document
from netbuild.diagnostics.wording import article
from netbuild.syntax.dump import dump
from netbuild.syntax.node import List, Map, plain
from netbuild.syntax.parser import from_bytes, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.component import Component
    from netbuild.graph.row import Row


class Field(NamedTuple):
    """A field of a component on its page. `default` is None for a required field.

    `since` is the release of torch that brought the field, if older supported ones lack it.
    """

    name: str
    default: str | None
    wanted: str
    meaning: str
    since: str | None = None


class Example(NamedTuple):
    """An example for a file. An example of a layer has a row, with shapes and counts."""

    text: str
    row: Row | None


#: The module with the components of each kind.
_CATALOGUES = {
    "layers": "netbuild.components.layers",
    "losses": "netbuild.components.losses",
    "metrics": "netbuild.components.metrics",
    "optimizers": "netbuild.components.optimizers",
    "schedulers": "netbuild.components.schedulers",
    "initializers": "netbuild.components.initializers",
    "datasets": "netbuild.components.datasets",
    "augmentations": "netbuild.components.augmentations",
}


def catalogue(what: str) -> Mapping[str, type[Component]]:
    """Return the components of a kind: `layers`, `losses`, `optimizers` and so on."""
    known: Mapping[str, type[Component]]
    known = getattr(import_module(_CATALOGUES[what]), what.upper())
    return known


def find(known: Mapping[str, type[Component]], word: str) -> dict[str, type[Component]]:
    """Return the component of a name or, if no name is equal, all whose names contain the word.

    If there are none either, return those that have the word in their description. Case does not
    count.
    """
    folded = word.casefold().strip()
    if word in known or not folded:
        return {word: known[word]} if word in known else {}
    names = {name: name.casefold() for name in known}
    equal = [name for name in known if names[name] == folded]
    within = equal or [name for name in known if folded in names[name]]
    within = within or [n for n in known if folded in description(known[n]).casefold()]
    return {name: known[name] for name in within}


def families(known: Mapping[str, type[Component]]) -> dict[str, list[str]]:
    """Return the names by family: by the title of the module that declares them."""
    found: dict[str, list[str]] = {}
    for name, component in known.items():
        title = (sys.modules[component.__module__].__doc__ or "").splitlines()[0]
        found.setdefault(re.split(r":|\.$", title)[0], []).append(name)
    return found


def description(component: type[Component]) -> str:
    """Return the docstring of a component without its example, which is the last paragraph.

    Each paragraph is one line. The reader of the text wraps it.
    """
    *paragraphs, _ = (getdoc(component) or "").split("\n\n")
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)


def fields(component: type[Component]) -> list[Field]:
    """Return the fields of a component, with their defaults in YAML."""
    found, notes = [], field_notes(component)
    for name, info in component.model_fields.items():
        default = None if info.is_required() else _written(info.default)
        if any(isinstance(mark, FromInput) for mark in info.metadata):
            default = "from the input"
        since = component.fields_since.get(name)
        found.append(Field(name, default, _wanted(info.metadata), notes[name], since))
    return found


def page(component: type[Component]) -> str | None:
    """Return the name of a component in torch's documentation; None if torch lacks it.

    A component that older supported releases lack also has its first release.
    """
    name = _torch_name(component)
    return f"{name}, since torch {component.since}" if component.since else name


def _torch_name(component: type[Component]) -> str | None:
    name = getattr(component, "torch_name", lambda: component.__name__)()
    if issubclass(component, Operation):
        return f"{component.namespace}.{component.function}" if component.function else None
    if name == "ScaledDotProductAttention":
        return "torch.nn.functional.scaled_dot_product_attention"
    if issubclass(component, Layer):
        if name.startswith("Switchable") or name == "Constant":
            return None
        package = "torchvision.ops" if name == "StochasticDepth" else "torch.nn"
        return f"{package}.{component.__name__}"
    if issubclass(component, Metric):
        return f"torchmetrics.{component.package}.{component.__name__}"
    if issubclass(component, Loss):
        return f"{component.home}.{name}"
    module = component.__module__.split(".")[2]
    if module in {"augmentations", "datasets"}:
        return None
    return {
        "optimizers": f"torch.optim.{name}",
        "schedulers": f"torch.optim.lr_scheduler.{name}",
        "initializers": f"torch.nn.init.{name}",
        "parametrizations": f"torch.nn.utils.parametrizations.{name}",
    }[module]


def example(component: type[Component]) -> Example:
    """Return the example of a docstring. The row of a layer is inferred."""
    *_, text = (getdoc(component) or "").split("\n\n")
    text, _, inputs = text.partition("# ")
    return Example(text.strip(), _traced(text, inputs) if issubclass(component, Layer) else None)


def _traced(item: str, inputs: str) -> Row:
    """Return the row of an item in a network with the inputs `6×8×8 and 6×1×1 to …`."""
    root = parse(Document("example", item)).root
    assert isinstance(root, List)
    wires = plain(root.items[0]) if isinstance(root.items[0], Map) else {}
    names = wires.get("inputs", ["input"])
    came, _, _ = inputs.rpartition(" to ")
    shapes = came.split(" and ") if came else ["1"]  # a Parameter reads nothing
    given = dict(zip(names, map(_input, shapes), strict=True))
    section = {"input": given["input"]} if len(given) == 1 else {"inputs": given}
    text = dump({**section, "layers": plain(root)})
    return infer(read(from_bytes("example", text.encode()))).rows[0]


def _input(written: str) -> dict[str, Any]:
    """Return the section of an input, given as `20` or `20 of int64`."""
    sizes, _, dtype = written.partition(" of ")
    return {"shape": [int(size) for size in sizes.split("×")], "dtype": dtype or "float32"}


def _plain(value: Any) -> Any:
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _written(value: Any) -> str:
    return dump(_plain(value)).removesuffix("\n").removesuffix("\n...").strip()


def _wanted(metadata: list[Any]) -> str:
    """Return the phrase for the values of a field."""
    for mark in metadata:
        if isinstance(mark, Wants):
            return mark.phrase
        if isinstance(mark, Nested):
            names = " or ".join(mark.known)
            return (
                f"a list, each {article(mark.what)} {mark.what}"
                if mark.many
                else f"{article(mark.what)} {mark.what}: {names}"
            )
    return ""
