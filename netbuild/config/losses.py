"""The section `loss:`: what the training makes small, one loss or the weighted sum of several.

    loss: CrossEntropyLoss
    loss: {MSELoss, inputs: sharp}
    loss: [{CrossEntropyLoss, inputs: classes}, {CrossEntropyLoss, inputs: early, weight: 0.3}]

Each reads the outputs that it names, or all, and is compared with the target of the data. Metrics
go by the first one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from netbuild.components.component import Component
from netbuild.components.fields import Wants, real
from netbuild.components.losses import LOSSES
from netbuild.config.filling import check_modifiers, fill, fill_fields, find
from netbuild.diagnostics.diagnostic import Diagnostic, collect
from netbuild.syntax.item import Item, read_item
from netbuild.syntax.node import List, Map, Node
from netbuild.syntax.wires import name_of_input_fault, read_wires

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.components.losses.loss import Loss
    from netbuild.components.tensor import Tensor
    from netbuild.diagnostics.diagnostic import Found
    from netbuild.syntax.wires import Wire


class Weighing(Component):
    """What stands beside a loss, but for the outputs that it reads."""

    weight: Annotated[float, Wants("a number greater than 0", real(gt=0))] = 1.0
    """Factor of this loss in the sum of all."""


class LossTerm(NamedTuple):
    """A loss, the outputs that it reads where it says which, and its weight in the sum."""

    loss: Loss
    reads: tuple[Wire, ...]
    weight: float
    item: Item

    def compared(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs that it reads, in its order, by their names."""
        named = [wire.outside for wire in self.reads] or list(outputs)
        return {name: outputs[name] for name in named if name in outputs}


def loss_names(losses: Sequence[LossTerm]) -> list[str]:
    """Return what the weights of each loss are called by: its type, numbered from a second one on.

    So a parameter group can name them, as `LinearCrossEntropyLoss.*`.
    """
    types = [type(term.loss).__name__ for term in losses]
    before = [types[:number].count(kind) for number, kind in enumerate(types)]
    return [f"{kind}{n + 1}" if n else kind for kind, n in zip(types, before, strict=True)]


def read_losses(node: Node) -> Found[tuple[LossTerm, ...]]:
    """Read the section; none where one of its losses has a fault."""
    if isinstance(node, List) and not node.items:
        return (), (Diagnostic("NB106", "an empty list", node.span, "it wants at least one loss"),)
    nodes = node.items if isinstance(node, List) else (node,)
    read, faults = collect(_loss(part) for part in nodes)
    losses = tuple(loss for loss in read if loss is not None)
    return losses if len(losses) == len(read) else (), faults


def _loss(node: Node) -> Found[LossTerm | None]:
    item = read_item(node, "loss", LOSSES)
    if isinstance(item, Diagnostic):
        return None, (item,)
    kind, faults = find(item, LOSSES, "loss")
    if kind is None:
        return None, faults
    faults = check_modifiers(item, kind, "loss", allowed=["inputs", *Weighing.model_fields])
    loss, wrong = fill(kind, item)
    beside = {name: e for name, e in item.modifiers.items() if name in Weighing.model_fields}
    weighing, wrong_beside = fill_fields(Weighing, beside, "loss", item.type.span)
    reads, unread = _reads(item, kind)
    faults += (*wrong, *wrong_beside, *unread)
    if loss is None or weighing is None or reads is None:
        return None, faults
    return LossTerm(loss, reads, weighing.weight, item), faults


def _reads(item: Item, kind: type[Loss]) -> Found[tuple[Wire, ...] | None]:
    """Return the outputs that a loss says it reads, in its order; None after a fault."""
    written = item.modifiers.get("inputs")
    if written is None:
        return (), ()
    wires, faults = read_wires(written.value, "inputs")
    if isinstance(written.value, Map):
        fault = name_of_input_fault(kind.inputs, written, item.type.text)
        if fault is not None:
            return None, (*faults, fault)
        wires.sort(key=lambda wire: kind.inputs.index(str(wire.inside)))
    return tuple(wires) or None, faults
