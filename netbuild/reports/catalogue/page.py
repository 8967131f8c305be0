"""The catalogue for people: a list of names by family, and a page for each component."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from rich.text import Text

from netbuild.components.augmentations.augmentation import Augmentation
from netbuild.components.layers.layer import Layer
from netbuild.components.layers.named import known_inputs
from netbuild.components.metrics.metric import Metric
from netbuild.components.tensor import times
from netbuild.reports.catalogue import entries as catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.component import Component
    from netbuild.components.layers.layer import Modes
    from netbuild.components.tensor import Tensor
    from netbuild.graph.row import Row
    from netbuild.reports.catalogue.entries import Example


#: The fewest columns for a text beside another one.
_NARROW = 24


def listing(known: Mapping[str, type[Component]], width: int) -> Text:
    """Return all names, by family."""
    parts: list[Text] = []
    for family, names in catalogue.families(known).items():
        parts += [*_paragraph(family, width, style="bold"), *_paragraph(" ".join(names), width, 2)]
        parts.append(Text())
    return Text("\n").join(parts[:-1])


def matches(found: Mapping[str, type[Component]], width: int) -> Text:
    """Return some names, each with the first sentence of its description."""
    column = max(map(len, found))
    parts: list[Text] = []
    for name, component in found.items():
        first = catalogue.description(component).partition("\n")[0]
        parts += _hanging(Text(name.ljust(column), "cyan"), first, width)
    return Text("\n").join(parts)


def page(name: str, component: type[Component], width: int) -> Text:
    """Return the page of a component: its formula, its fields, an example and torch's name."""
    parts: list[Text] = [Text(name, "bold")]
    for paragraph in catalogue.description(component).split("\n\n"):
        parts += [Text(), *_paragraph(paragraph, width)]
    if issubclass(component, Layer):
        parts += _wires(component, width)
        parts += _modes(component.modes, width) if component.modes else []
    if issubclass(component, Metric):
        parts += _measuring(component, width)
    if issubclass(component, Augmentation):
        parts += _carrying(component, width)
    parts += [Text(), Text("fields", "bold")]
    fields = catalogue.fields(component)
    parts += _fields(fields, width) if fields else [Text("  none")]
    parts += [Text(), Text("example", "bold"), *_example(catalogue.example(component), width)]
    torchs = catalogue.page(component)
    if torchs is not None:
        library = torchs.partition(".")[0]
        parts += [
            Text(),
            Text.assemble((library, "bold"), f"  {torchs}"),
        ]
    return Text("\n").join(parts)


def _carrying(augmentation: type[Augmentation], width: int) -> list[Text]:
    """Return the lines about what happens to the target of an image."""
    if augmentation.geometric or augmentation.mixes:
        nouns = {"mask": "masks", "picture": "pictures", "boxes": "boxes", "points": "points"}
        carried = [noun for kind, noun in nouns.items() if kind in augmentation.carries]
        stay = [noun for noun in nouns.values() if noun not in carried]
        verb = "are mixed" if augmentation.mixes else "move"
        said = [f"{_listed(carried)} {verb} with the image"] if carried else []
        if augmentation.mixes:
            said.insert(0, "classes become shares of classes, and values are weighed")
        cannot = "cannot be mixed" if augmentation.mixes else "cannot move"
        said += [f"{_listed(stay)} {cannot}: {augmentation.holds}"] if stay else []
    else:
        said = ["stays as it is"]
    return [Text(), *_hanging(Text("target", "bold"), "; ".join(said), width)]


def _listed(nouns: list[str]) -> str:
    *others, last = nouns
    return f"{', '.join(others)} and {last}" if others else last


def _paragraph(text: str, width: int, indent: int = 0, style: str = "") -> list[Text]:
    """Return a text in lines. Words are never divided: a long word is a line of its own."""
    lines = wrap(text, max(width - indent, 20), break_long_words=False, break_on_hyphens=False)
    return [Text.assemble(" " * indent, (line, style)) for line in lines]


def _hanging(head: Text, text: str, width: int) -> list[Text]:
    """Return a text to the right of a head or, in a narrow terminal, below it."""
    column = len(head.plain) + 2
    if width - column < _NARROW:
        head.rstrip()
        return [head, *_paragraph(text, width, 6)]
    first, *rest = _paragraph(text, width - column) or [Text()]
    return [Text.assemble(head, "  ", first), *(Text.assemble(" " * column, one) for one in rest)]


def _wires(layer: type[Layer], width: int) -> list[Text]:
    """Return the lines about the inputs, if there are several."""
    if len(known_inputs(layer, layer.inputs)) <= 1:
        return []
    optional = "".join(f", {name} (optional)" for name in layer.optional_inputs)
    optional += "".join(f", {name} (optional, by name)" for name in layer.named_inputs)
    more = ", and more" if layer.variadic else ""
    reads = f"{', '.join(layer.inputs)}{optional}{more}"
    return [Text(), *_hanging(Text("reads", "bold"), reads, width)]


def _modes(modes: Modes, width: int) -> list[Text]:
    """Return the lines about training and evaluation."""
    training = _hanging(Text("training  ", "bold"), modes.training, width)
    return [Text(), *training, *_hanging(Text("evaluation", "bold"), modes.evaluation, width)]


_COMPARES = {
    "classes": "predicted classes with the true ones",
    "probabilities": "probabilities of classes with the true classes",
    "values": "values",
    "distributions": "vectors",
    "draws": "several draws of a value with the value",
    "regions": "the regions of images",
    "items": "the order of a sample's items",
}
_TASKS = {
    "binary": "one yes or no",
    "multiclass": "one of several classes",
    "multilabel": "several yes or no",
}


def _measuring(metric: type[Metric], width: int) -> list[Text]:
    """Return the lines about what a metric compares, and when it is measured."""
    compares = _COMPARES[metric.compares]
    if metric.tasks:
        compares += f": {', '.join(_TASKS[task] for task in metric.tasks)}"
    measured = "in training and in validation, added up batch by batch"
    if not metric.adds_up:
        measured = "in validation, from every prediction, by torchmetrics"
    better = {True: "larger", False: "smaller", None: "neither"}[metric.higher_is_better]
    lines = (("compares", compares), ("measured", measured), ("better  ", better))
    return [
        Text(),
        *(part for head, text in lines for part in _hanging(Text(head, "bold"), text, width)),
    ]


def _fields(fields: list[catalogue.Field], width: int) -> list[Text]:
    """Return the lines of each field: name, default and values; below them the meaning."""
    widths = [max(len(one.name) for one in fields), max(len(_default(one)) for one in fields)]
    lines: list[Text] = []
    for field in fields:
        default = (_default(field).ljust(widths[1]), "italic" if field.default is None else "")
        since = f" Since torch {field.since}." if field.since else ""
        head = Text.assemble("  ", (field.name.ljust(widths[0]), "cyan"), "  ", default)
        lines += [
            *_hanging(head, field.wanted, width),
            *_paragraph(f"{field.meaning}{since}", width, 6),
        ]
    return lines


def _default(field: catalogue.Field) -> str:
    return "required" if field.default is None else field.default


def _example(example: Example, width: int) -> list[Text]:
    lines = [Text(f"  {line}") for line in example.text.splitlines()]
    if example.row is None:
        return lines
    row = example.row
    counted = [does(row)]
    counted += [f"{row.params:,} parameters"] if row.params else []
    counted += [f"{row.macs:,} MACs"] if row.macs else []
    return [*lines, *_paragraph(", ".join(counted), width, 2)]


def does(row: Row) -> str:
    """Return the input and output shapes of a layer: `1×28×28 to 6×28×28`."""
    came = " and ".join(map(_written, row.inputs))
    (_, first), *others = row.outputs.items()
    more = "".join(f", {port}: {_written(y)}" for port, y in others)
    return f"{came} to {_written(first)}{more}" if came else _written(first)


def _written(x: Tensor) -> str:
    return times(x.shape) + ("" if x.dtype == "float32" else f" of {x.dtype}")
