"""The section `optimizer:`: an optimizer for all weights, or a list, each for weights of its own.

    optimizer: {AdamW: {lr: 1e-3}}
    optimizer: [{Muon: {lr: 0.02}, type: Linear}, {AdamW: {lr: 3e-4}, scheduler: {StepLR: 10}}]

In a list, a weight belongs to the first optimizer whose `match` and `type` name it, and that is
made for weights of its kind: Muon is made for matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.layers import LAYERS
from netbuild.components.optimizers import OPTIMIZERS
from netbuild.config.filling import check_modifiers, fill, find
from netbuild.config.init import condition
from netbuild.config.parameter_groups import matches, read_groups
from netbuild.diagnostics.diagnostic import Diagnostic, collect
from netbuild.syntax.item import Item, read_item
from netbuild.syntax.node import List, Node

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
    "scheduler": "scheduler is a section of its own: write it below the optimizer",
}


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
    one, faults = _optimizing(item, ["match", "type", "groups", "scheduler"], names)
    match, wrong = _conditions(item, "match")
    types, misread = _conditions(item, "type")
    faults = (*faults, *wrong, *misread)
    if one is None or match is None or types is None:
        return None, faults
    return one._replace(match=match, types=types, listed=True), faults


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
