"""`Reuse`: call a member of a stack again, with the same weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.graph.misfit import circumstances
from netbuild.syntax.item import Item, Stack, shown
from netbuild.syntax.node import Scalar
from netbuild.syntax.wires import name_of_input_fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.diagnostics.diagnostic import Found, Span
    from netbuild.graph.tracing.scope import Scope
    from netbuild.graph.value import Ref
    from netbuild.syntax.expression import Names

#: The inputs of an item in order: the name of the input (None without one), and its source.
Reads: TypeAlias = "list[tuple[str | None, Ref]]"


class Recipe(NamedTuple):
    """The data for tracing a member again, for other inputs."""

    part: Item | Stack
    names: Names
    repeat: int | None
    module: str
    #: The names of the inputs of a stack, and its number of layers.
    inputs: tuple[str, ...]
    layers: int
    frozen: bool


def find(item: Item, recipes: Mapping[str, Recipe], scope: Scope) -> Found[Recipe | None]:
    """Return the recipe of the member that a Reuse names; None after a fault."""
    node = item.arguments
    if not isinstance(node, Scalar) or not isinstance(node.value, (str, int)):
        label = "Reuse wants the name of a layer or a stack above it"
        if node is not None:
            label += f", not {shown(node)}"
        span = node.span if node else item.type.span
        help_ = "write {Reuse: encoder, inputs: right}"
        return None, (
            Diagnostic("NB106", "a Reuse without the name of a layer", span, label, help=help_),
        )
    name = str(node.value)
    if name in recipes:
        return recipes[name], ()
    return None, () if name in scope.members else (scope.unknown(name, node.span),)


def part_of(recipe: Recipe, item: Item) -> Item | Stack:
    """Return the part of a recipe with the `inputs` of a Reuse."""
    own = {key: e for key, e in recipe.part.modifiers.items() if key in {"init", "outputs"}}
    inputs = {key: e for key, e in item.modifiers.items() if key == "inputs"}
    return recipe.part._replace(modifiers={**own, **inputs})


def in_order(item: Item, recipe: Recipe, reads: Reads) -> Found[Reads | None]:
    """Return the sources of a Reuse in the order of the stack's inputs; None after a fault."""
    names, inputs = recipe.inputs, item.modifiers.get("inputs")
    sources = dict(reads)
    if inputs is not None and None not in sources:
        fault = name_of_input_fault(names, inputs, recipe.module)
        if fault is None and len(sources) == len(names):
            return [(name, sources[name]) for name in names], ()
    elif len(reads) == len(names) == 1:
        return [(names[0], reads[0][1])], ()
    else:
        fault = None
    if fault is None:
        label = f"{recipe.module} has the inputs {', '.join(names)}"
        help_ = f"name each input: inputs: {{{names[0]}: …}}"
        title = f"{recipe.module} gets the wrong number of inputs"
        span = inputs.value.span if inputs else item.type.span
        fault = Diagnostic("NB208", title, span, label, help=help_)
    return None, (fault,)


def blamed(item: Item, fault: Diagnostic) -> Diagnostic:
    """Return a fault of a reused member at the place of the Reuse, with a note on its own place."""
    if _is_within(fault.span, item):
        return fault
    text = f"{fault.layer or 'the layer'} is in line {fault.span.line}"
    notes = (*fault.notes, Note("there", text))
    around = circumstances(fault)
    origin = around._replace(reused=True) if around and around.misfit else None
    return fault._replace(span=item.type.span, notes=notes, fixes=(), origin=origin)


def _is_within(span: Span, item: Item) -> bool:
    """Whether a fault is at the type of an item or at its modifiers."""
    own = [item.type.span, *(entry.value.span for entry in item.modifiers.values())]
    places = [(s.document, s.line, s.column, s.end_line, s.end_column) for s in own]
    place = (span.line, span.column)
    return any(
        span.document is document and (line, column) <= place < (end_line, end_column)
        for document, line, column, end_line, end_column in places
    )
