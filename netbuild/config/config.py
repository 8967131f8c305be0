"""A file as a whole: what it extends, what `--set` changes, and what its sections mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.diagnostics.diagnostic import Diagnostic, Document, Span
from netbuild.syntax.item import place
from netbuild.syntax.node import Map, Node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.datasets.dataset import Dataset
    from netbuild.components.losses.loss import Loss
    from netbuild.components.optimizers.optimizer import Optimizer
    from netbuild.components.tensor import Shape, Tensor
    from netbuild.config.blocks import Definition
    from netbuild.config.budget import Budget
    from netbuild.config.init import Rule
    from netbuild.config.losses import LossTerm
    from netbuild.config.parameter_groups import Group
    from netbuild.config.preparation import Preparation
    from netbuild.config.pretrained import Pretrained
    from netbuild.config.scheduler import Schedule
    from netbuild.config.train import Train
    from netbuild.syntax.item import Item


class Config(NamedTuple):
    """A file with its sections read; what has a fault or is absent is None or its default."""

    document: Document
    root: Map
    name: str
    names: Mapping[str, Any]
    blocks: Mapping[str, Definition | None]
    inputs: Mapping[str, Tensor | None]
    layers: Node | None
    init: tuple[Rule, ...]
    pretrained: Pretrained | None
    #: The losses, of which the training makes the weighted sum small.
    losses: tuple[LossTerm, ...]
    metrics: tuple[str, ...]
    optimizer: Optimizer | None
    groups: tuple[Group, ...]
    scheduler: Schedule | None
    data: Dataset | None
    preparation: Preparation
    train: Train
    budget: Budget
    #: How large objects are, of the inputs that say it.
    object_sizes: Mapping[str, int | Shape]
    #: What each section was read from, as it is written; a mapping such as `train` as if its
    #: name were the type of an item.
    items: Mapping[str, Item]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def start(self) -> Span:
        """The first character of the file, where a fault has no better place."""
        return Span(self.document, 1, 1, 1, 2)

    @property
    def loss(self) -> Loss | None:
        """The loss, or the first of several; None where there is none."""
        return self.losses[0].loss if self.losses else None

    @property
    def input(self) -> Tensor | None:
        """The only input of the network; None where there are several, or none is known."""
        return next(iter(self.inputs.values())) if len(self.inputs) == 1 else None

    @property
    def written_inputs(self) -> dict[str, Node]:
        """The inputs of the network as they are written, by name."""
        one, several = self.root.get("input"), self.root.get("inputs")
        if isinstance(several, Map):
            return {name: entry.value for name, entry in several.entries.items()}
        return {} if one is None else {"input": one}

    def input_span(self, name: str) -> Span:
        """Return where an input of the network is written."""
        inputs = self.root.get("inputs")
        if isinstance(inputs, Map) and name in inputs.entries:
            return inputs.entries[name].key.span
        return self.span("input")

    def place(self, section: str, field: str | None = None) -> Span:
        """Return where the type of a section's item is written, or one of its fields."""
        item = self.items.get(section)
        return place(item, field) if item else self.span(section)

    def span(self, section: str) -> Span:
        """Return where a section's value stands: what faults that concern all of it point at."""
        node = self.root.get(section)
        return node.span if node else self.root.span
