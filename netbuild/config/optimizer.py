"""The section `optimizer:`: an optimizer for all weights, or a list, each for weights of its own.

    optimizer: {AdamW: {lr: 1e-3}}
    optimizer: [{Muon: {lr: 0.02}, type: Linear}, {AdamW: {lr: 3e-4}, scheduler: {StepLR: 10}}]

In a list, a weight belongs to the first optimizer whose `match` and `type` name it, and that is
made for weights of its kind: Muon is made for matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic_core import core_schema

from netbuild.components.component import Component
from netbuild.components.fields import PositiveInt, Wants, many, optional
from netbuild.components.layers import LAYERS
from netbuild.components.optimizers import OPTIMIZERS
from netbuild.config.filling import check_modifiers, fill, fill_fields, find
from netbuild.config.init import condition
from netbuild.config.parameter_groups import matches, read_groups
from netbuild.diagnostics.diagnostic import Diagnostic, collect
from netbuild.syntax.item import Item, read_item
from netbuild.syntax.node import List, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netbuild.components.optimizers.optimizer import Optimizer, Weight
    from netbuild.config.parameter_groups import Group
    from netbuild.config.scheduler import Schedule
    from netbuild.config.sections import Sections
    from netbuild.diagnostics.diagnostic import Found

#: The help for modifiers that only an optimizer in a list has.
_ELSEWHERE = {
    "match": "an optimizer in a list has match: write [{Muon: …, match: …}, AdamW], or groups",
    "type": "an optimizer in a list has type: write [{Muon: …, type: Linear}, AdamW]",
    "losses": "an optimizer in a list has losses: write [{Adam: …, match: …, losses: […]}, …]",
    "every": "an optimizer in a list has every: write [{Adam: …, match: …, every: 2}, Adam]",
    "scheduler": "scheduler is a section of its own: write it below the optimizer",
}


class Playing(Component):
    """The modifiers of an optimizer in a list that takes steps of its own."""

    losses: Annotated[
        tuple[str, ...] | None,
        Wants(
            "the name of a loss, or a list of names",
            optional(many(core_schema.str_schema(strict=True, min_length=1), at_least=1)),
        ),
    ] = None
    """The names of the losses that it minimises; null: all losses."""
    every: PositiveInt = 1
    """It takes one of this many steps."""


class Optimizing(NamedTuple):
    """An optimizer with its groups; in a list also the weights that it names, and its schedule."""

    optimizer: Optimizer
    item: Item
    groups: tuple[Group, ...] = ()
    #: Patterns of names, and types of layers. Without them, it names all weights.
    match: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    schedule: Schedule | None = None
    #: The names of the losses that it minimises; none stands for all losses.
    losses: tuple[str, ...] = ()
    #: It takes each step whose number has this divisor.
    every: int = 1
    #: Whether it stands in a list, and leaves some weights to the others.
    listed: bool = False

    @property
    def grouped(self) -> bool:
        """Whether one of its groups has its own learning rate."""
        return any("lr" in group.options for group in self.groups)

    def names(self, weight: Weight) -> bool:
        """Whether `match` and `type` name a weight; a pattern also matches the path of a layer."""
        if self.types and weight.type not in self.types:
            return False
        return not self.match or any(matches(pattern, weight.name) for pattern in self.match)

    def takes(self, weight: Weight) -> bool:
        """Whether a weight is for this optimizer, if none before it takes the weight."""
        return not self.listed or (self.names(weight) and self.optimizer.suits(weight))


def has_players(optimizers: Iterable[Optimizing]) -> bool:
    """Whether optimizers take steps of their own: with other losses, or not in every step."""
    return any(one.losses or one.every > 1 for one in optimizers)


def divided(
    weights: Iterable[Weight], optimizers: Sequence[Optimizing]
) -> tuple[list[list[Weight]], list[Weight]]:
    """Return the weights of each optimizer, and those that none takes."""
    members: list[list[Weight]] = [[] for _ in range(len(optimizers) + 1)]
    for weight in weights:
        taking = (n for n, one in enumerate(optimizers) if one.takes(weight))
        members[next(taking, len(optimizers))].append(weight)
    return members[:-1], members[-1]


def read_optimizers(sections: Sections) -> Found[tuple[Optimizing, ...]]:
    """Read the section; the result is empty after a fault. The schedules are read later."""

    def reader(node: Node) -> Found[tuple[Optimizing, ...]]:
        if isinstance(node, List):
            return _list(node, sections.names)
        item = read_item(node, "optimizer", OPTIMIZERS)
        if isinstance(item, Diagnostic):
            return (), (item,)
        written = read_item(sections.root.entries["optimizer"].value, "optimizer", OPTIMIZERS)
        sections.items["optimizer"] = written if isinstance(written, Item) else item
        one, faults = _optimizing(item, ["groups"], sections.names)
        return (one,) if one else (), faults

    optimizers: tuple[Optimizing, ...] = ()
    return sections.read("optimizer", reader, optimizers)


def _list(node: Node, names: Mapping[str, Any]) -> Found[tuple[Optimizing, ...]]:
    assert isinstance(node, List)
    if not node.items:
        label = "optimizer wants at least one optimizer"
        return (), (Diagnostic("NB106", "an empty list", node.span, label),)
    read, faults = collect(_listed(part, names) for part in node.items)
    found = tuple(one for one in read if one is not None)
    return found if len(found) == len(read) else (), faults


def _listed(node: Node, names: Mapping[str, Any]) -> Found[Optimizing | None]:
    item = read_item(node, "optimizer", OPTIMIZERS)
    if isinstance(item, Diagnostic):
        return None, (item,)
    modifiers = ["match", "type", "losses", "every", "groups", "scheduler"]
    one, faults = _optimizing(item, modifiers, names)
    match, wrong = _conditions(item, "match")
    types, misread = _conditions(item, "type")
    playing, unread = _playing(item)
    faults = (*faults, *wrong, *misread, *unread)
    if one is None or match is None or types is None or playing is None:
        return None, faults
    one = one._replace(match=match, types=types, listed=True)
    return one._replace(losses=playing.losses or (), every=playing.every), faults


def _playing(item: Item) -> Found[Playing | None]:
    """Return the losses of an optimizer, and which steps it takes; None after a fault."""
    entries = {name: e for name, e in item.modifiers.items() if name in Playing.model_fields}
    losses = entries.get("losses")
    if losses and isinstance(losses.value, Scalar) and isinstance(losses.value.value, str):
        entries["losses"] = losses._replace(value=List((losses.value,), losses.value.span))
    return fill_fields(Playing, entries, "optimizer", item.type.span)


def _optimizing(
    item: Item, modifiers: list[str], names: Mapping[str, Any]
) -> Found[Optimizing | None]:
    component, unknown = find(item, OPTIMIZERS, "optimizer")
    if component is None:
        return None, unknown
    faults = check_modifiers(item, component, "optimizer", allowed=modifiers, elsewhere=_ELSEWHERE)
    optimizer, wrong = fill(component, item, names)
    faults += wrong
    if optimizer is None:
        return None, faults
    groups, misread = read_groups(item, optimizer)
    return Optimizing(optimizer, item, groups), (*faults, *misread)


def _conditions(item: Item, name: str) -> Found[tuple[str, ...] | None]:
    """Return the patterns or the types that a modifier names; None after a fault."""
    if name not in item.modifiers:
        return (), ()
    node = item.modifiers[name].value
    nodes = node.items if isinstance(node, List) else (node,)
    texts, faults = collect(condition(name, each, LAYERS, "an optimizer") for each in nodes)
    found = tuple(text for text in texts if text is not None)
    if not nodes:
        label = f"{name} wants at least one {'pattern' if name == 'match' else 'type'}"
        faults = (Diagnostic("NB106", "an empty list", node.span, label),)
    return found if nodes and len(found) == len(texts) else None, faults
