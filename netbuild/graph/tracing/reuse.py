"""`Reuse`: a member of a stack that is called again, with the same weights."""

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

#: What an item reads, in order: the name inside, where it is given, and the result that it means.
Reads: TypeAlias = "list[tuple[str | None, Ref]]"


class Recipe(NamedTuple):
    """How a member was traced, so that it can be traced again for other inputs."""

    part: Item | Stack
    names: Names
    repeat: int | None
    module: str
    #: The names of a stack's inputs, and how many layers it has.
    inputs: tuple[str, ...]
    layers: int


def find(item: Item, recipes: Mapping[str, Recipe], scope: Scope) -> Found[Recipe | None]:
    """Return how the member that a Reuse names was traced; None after a fault."""
    written = item.arguments
    if not isinstance(written, Scalar) or not isinstance(written.value, (str, int)):
        label = "it wants the name of a layer or a stack above it"
        if written is not None:
            label += f", not {shown(written)}"
        span = written.span if written else item.type.span
        help_ = "write {Reuse: encoder, inputs: right}"
        return None, (Diagnostic("NB106", "a Reuse of nothing", span, label, help=help_),)
    name = str(written.value)
    if name in recipes:
        return recipes[name], ()
    return None, () if name in scope.members else (scope.unknown(name, written.span),)


def part_of(recipe: Recipe, item: Item) -> Item | Stack:
    """Return the part of a recipe as a Reuse calls it: with the inputs of the Reuse."""
    own = {key: e for key, e in recipe.part.modifiers.items() if key in {"init", "outputs"}}
    inputs = {key: e for key, e in item.modifiers.items() if key == "inputs"}
    return recipe.part._replace(modifiers={**own, **inputs})


def in_order(item: Item, recipe: Recipe, reads: Reads) -> Found[Reads | None]:
    """Return what a stack is called with in the order of its inputs; None after a fault."""
    names, written = recipe.inputs, item.modifiers.get("inputs")
    given = dict(reads)
    if written is not None and None not in given:
        fault = name_of_input_fault(names, written, recipe.module)
        if fault is None and len(given) == len(names):
            return [(name, given[name]) for name in names], ()
    elif len(reads) == len(names) == 1:
        return [(names[0], reads[0][1])], ()
    else:
        fault = None
    if fault is None:
        label = f"{recipe.module} has the inputs {', '.join(names)}"
        help_ = f"give each by its name: inputs: {{{names[0]}: …}}"
        title = f"{recipe.module} gets other inputs than it has"
        span = written.value.span if written else item.type.span
        fault = Diagnostic("NB208", title, span, label, help=help_)
    return None, (fault,)


def blamed(item: Item, fault: Diagnostic) -> Diagnostic:
    """Return a fault of what is called again at the Reuse, with a note that says where it arose."""
    if _is_within(fault.span, item):
        return fault
    said = f"{fault.layer or 'it'} is written in line {fault.span.line}"
    notes = (*fault.notes, Note("there", said))
    around = circumstances(fault)
    origin = around._replace(reused=True) if around and around.misfit else None
    return fault._replace(span=item.type.span, notes=notes, fixes=(), origin=origin)


def _is_within(span: Span, item: Item) -> bool:
    """Whether a fault is of what is written beside the type of an item, or of the type."""
    own = [item.type.span, *(entry.value.span for entry in item.modifiers.values())]
    places = [(s.document, s.line, s.column, s.end_line, s.end_column) for s in own]
    place = (span.line, span.column)
    return any(
        span.document is document and (line, column) <= place < (end_line, end_column)
        for document, line, column, end_line, end_column in places
    )
