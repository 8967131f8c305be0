"""The section `loss:`: one loss, or a list of losses. Training minimises their weighted sum.

    loss: CrossEntropyLoss
    loss: {MSELoss, inputs: sharp}
    loss: [{CrossEntropyLoss, inputs: classes}, {CrossEntropyLoss, inputs: early, weight: 0.3}]

A loss reads the outputs that `inputs` names, or all outputs. `target` says with what it compares
them; without it, that is the only target of the data. Metrics depend on the first loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.component import Component
from netbuild.components.fields import Wants, either, optional, real, unwanted
from netbuild.components.losses import LOSSES
from netbuild.config.filling import check_modifiers, fill, fill_fields, find
from netbuild.diagnostics.diagnostic import Diagnostic, Note, collect
from netbuild.syntax.item import Item, read_item
from netbuild.syntax.node import List, Map, Node
from netbuild.syntax.wires import name_of_input_fault, read_wires

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.components.losses.loss import Loss
    from netbuild.components.tensor import Tensor
    from netbuild.diagnostics.diagnostic import Faults, Found
    from netbuild.syntax.wires import Wire


_text = core_schema.str_schema(strict=True, pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")


class Weighing(Component):
    """The modifiers of a loss except `inputs`."""

    weight: Annotated[float, Wants("a number greater than 0", real(gt=0))] = 1.0
    """Factor of this loss in the sum of all losses."""
    target: Annotated[
        str | float | None,
        Wants(
            "the name of a target, of an output or of an input, or a number",
            optional(either(core_schema.str_schema(strict=True, min_length=1), real())),
        ),
    ] = None
    """What the outputs are compared with; null means the only target of the data."""
    name: Annotated[
        str | None,
        Wants("a name: letters, digits, _ and -, beginning with a letter", optional(_text)),
    ] = None
    """What optimizers, metrics and the run call this loss; null means its type."""

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: Any) -> Any:
        if name == "loss":
            raise unwanted("another name than loss, which is the name of the sum of all losses")
        return name


class WeighingEitherWay(Weighing):
    """The modifiers of a loss whose weight may be negative."""

    weight: Annotated[float, Wants("a number other than 0", either(real(lt=0), real(gt=0)))] = 1.0
    """Factor of this loss in the sum of all losses; a negative one makes the output large."""


class LossTerm(NamedTuple):
    """A loss, the outputs that its `inputs` names (none without it), and its weight in the sum.

    `name` is the written name, or the type of the loss, with a number from the second loss of a
    type on. `target` is the written target. `netbuild.config.against` says what it means.
    """

    loss: Loss
    reads: tuple[Wire, ...]
    weight: float
    item: Item
    name: str = ""
    target: str | float | None = None

    def compared(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs that the loss reads, by name, in the order of its inputs."""
        names = [wire.outside for wire in self.reads] or list(outputs)
        return {name: outputs[name] for name in names if name in outputs}

    @property
    def named(self) -> bool:
        """Whether the file gives the loss a name. The run then has its value."""
        return "name" in self.item.modifiers


def _named(losses: Sequence[LossTerm]) -> tuple[LossTerm, ...]:
    """Return losses, each with a name.

    The weights of a loss have this name as prefix, so a parameter group can match them, for example
    with `LinearCrossEntropyLoss.*`.
    """
    types = [type(term.loss).__name__ for term in losses]
    before = [types[:number].count(kind) for number, kind in enumerate(types)]
    computed = [f"{kind}{n + 1}" if n else kind for kind, n in zip(types, before, strict=True)]
    pairs = zip(losses, computed, strict=True)
    return tuple(term._replace(name=term.name or name) for term, name in pairs)


def read_losses(node: Node) -> Found[tuple[LossTerm, ...]]:
    """Read the section; the result is empty if one of its losses has a fault."""
    if isinstance(node, List) and not node.items:
        label = "loss wants at least one loss"
        return (), (Diagnostic("NB106", "an empty list", node.span, label),)
    nodes = node.items if isinstance(node, List) else (node,)
    read, faults = collect(_loss(part) for part in nodes)
    losses = tuple(loss for loss in read if loss is not None)
    if len(losses) < len(read):
        return (), faults
    losses = _named(losses)
    return losses, (*faults, *_twice(losses))


def _twice(losses: Sequence[LossTerm]) -> Faults:
    """Return a fault for each loss with the name of another one."""
    faults: list[Diagnostic] = []
    known: dict[str, LossTerm] = {}
    for term in losses:
        first = known.setdefault(term.name, term)
        if first is not term:
            item = term.item if term.named else first.item
            span = item.modifiers["name"].value.span
            other = first if term.named else term
            title, label = "two losses of one name", f"another loss is called {term.name}"
            notes = (Note("other", f"line {other.item.type.span.line}"),)
            faults.append(Diagnostic("NB414", title, span, label, notes))
    return tuple(faults)


def _loss(node: Node) -> Found[LossTerm | None]:
    item = read_item(node, "loss", LOSSES)
    if isinstance(item, Diagnostic):
        return None, (item,)
    kind, faults = find(item, LOSSES, "loss")
    if kind is None:
        return None, faults
    faults = check_modifiers(item, kind, "loss", allowed=["inputs", *Weighing.model_fields])
    loss, wrong = fill(kind, item)
    weight = {name: e for name, e in item.modifiers.items() if name in Weighing.model_fields}
    modifiers = WeighingEitherWay if kind.either_way else Weighing
    weighing, wrong_weight = fill_fields(modifiers, weight, "loss", item.type.span)
    reads, wrong_inputs = _reads(item, kind)
    faults += (*wrong, *wrong_weight, *wrong_inputs)
    if loss is None or weighing is None or reads is None:
        return None, faults
    term = LossTerm(loss, reads, weighing.weight, item, weighing.name or "", weighing.target)
    return term, faults


def _reads(item: Item, kind: type[Loss]) -> Found[tuple[Wire, ...] | None]:
    """Return the outputs that `inputs` of a loss names, in the order of its inputs.

    The result is empty without `inputs`, and None after a fault.
    """
    inputs = item.modifiers.get("inputs")
    if inputs is None:
        return (), ()
    wires, faults = read_wires(inputs.value, "inputs")
    if isinstance(inputs.value, Map):
        fault = name_of_input_fault(kind.inputs, inputs, item.type.text)
        if fault is not None:
            return None, (*faults, fault)
        wires.sort(key=lambda wire: kind.inputs.index(str(wire.inside)))
    return tuple(wires) or None, faults
