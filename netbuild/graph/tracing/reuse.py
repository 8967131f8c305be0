"""`Reuse`: call a member of a stack again, with the same weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from netbuild.components.layers.named import known_inputs
from netbuild.components.layers.operation import Operation
from netbuild.components.tensor import times
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.graph.misfit import circumstances
from netbuild.graph.row import Block, Row
from netbuild.graph.tracing.shared import kept_from_outside
from netbuild.graph.value import state_key
from netbuild.syntax.item import Item, Stack, shown
from netbuild.syntax.node import Map, Scalar, is_unknown
from netbuild.syntax.substitution import substitute
from netbuild.syntax.wires import name_of_input_fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.components.layers.layer import Layer
    from netbuild.diagnostics.diagnostic import Faults, Found, Span
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
    #: The member; None if it has a fault.
    traced: Row | Block | None
    #: Whether training leaves its weights unchanged.
    frozen: bool
    #: Whether the backward pass computes it again.
    checkpoint: bool = False

    @property
    def modifiers(self) -> tuple[bool, int | None, bool]:
        """What `freeze`, `repeat` and `checkpoint` say."""
        return self.frozen, self.repeat, self.checkpoint


def find(
    item: Item, recipes: Mapping[str, Recipe], scope: Scope, names: Names
) -> Found[Recipe | None]:
    """Return the recipe of the member that a Reuse names; None after a fault."""
    node = item.arguments
    if node is not None:
        node, faults = substitute(node, names)
        if is_unknown(node):
            return None, faults
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


def part_of(recipe: Recipe, item: Item, reads: Reads) -> Item | Stack:
    """Return the part of a recipe with the `inputs` of a Reuse.

    If only one of the two names the inputs, the names of the recipe count.
    """
    own = {key: e for key, e in recipe.part.modifiers.items() if key in {"init", "outputs"}}
    named = reads[0][0] is not None
    of_item = item.modifiers.get("inputs")
    fits = of_item is not None and isinstance(of_item.value, Map) is named
    inputs = of_item if fits else recipe.part.modifiers.get("inputs")
    if inputs is not None and isinstance(inputs.value, Map) is named:
        own["inputs"] = inputs
    return recipe.part._replace(modifiers=own)


def in_order(
    item: Item, recipe: Recipe, reads: Reads, layer: type[Layer] | None
) -> Found[Reads | None]:
    """Return the sources of a Reuse in the order of the module's inputs; None after a fault.

    `layer` is the class of the module, or of each of its repetitions; None for other stacks.
    """
    if not isinstance(recipe.traced, Block):
        return reads, ()
    names, inputs = recipe.traced.inputs, item.modifiers.get("inputs")
    sources = dict(reads)
    fault = None
    if None not in sources:
        known = names if layer is None else known_inputs(layer, names)
        named = () if layer is None else layer.named_inputs
        fault = name_of_input_fault(known, inputs, recipe.module, named)
        refs = [sources[name] for name in known if name in sources]
    else:
        refs = [ref for _, ref in reads] if layer or len(reads) == 1 else []
    if fault is None and len(refs) == len(names):
        return _in_order_of(recipe, names, refs, layer), ()
    if fault is None:
        label = f"{recipe.module} has the inputs {', '.join(names)}"
        help_ = f"name each input: inputs: {{{names[0]}: …}}"
        title = f"{recipe.module} gets the wrong number of inputs"
        span = inputs.value.span if inputs else item.type.span
        fault = Diagnostic("NB208", title, span, label, help=help_)
    return None, (fault,)


def _in_order_of(
    recipe: Recipe, names: Sequence[str], refs: Sequence[Ref], layer: type[Layer] | None
) -> Reads:
    """Return sources in the order of the inputs of a stack, or of a repeated layer."""
    if layer is None:
        return list(zip(names, refs, strict=True))
    inputs = recipe.part.modifiers.get("inputs")
    if inputs is None or not isinstance(inputs.value, Map):
        return [(None, ref) for ref in refs]
    in_order = [name for name in known_inputs(layer, names) if name in names]
    sources = dict(zip(in_order, refs, strict=True))
    return [(name, sources[name]) for name in names]


def of_one_name(item: Item, name: str) -> Diagnostic:
    """Return the fault of a repeated Reuse whose calls have one name.

    Under one name they would be a stack, and the module is outside of it.
    """
    label = f"the calls would be a stack {name}, from which the module is not in reach"
    help_ = f"give each call its own name: {name}$index"
    title = "a repeated Reuse with one name"
    return Diagnostic("NB213", title, item.modifiers["repeat"].key.span, label, help=help_)


def check(item: Item, module: Row | Block, again: Row | Block, name: str, path: str) -> Faults:
    """Return the fault of inputs for which the module would have to be another one.

    `again` is the module for the inputs of the Reuse. `name` and `path` are the paths of the module
    and of the Reuse.
    """
    at, label = _difference(module, again, name)
    if not label:
        return ()
    title = f"{name.rpartition('.')[2]} does not fit these inputs"
    layer = path + at.removeprefix(name)
    help_ = "a Reuse keeps the weights: let it read the same size, or write a layer of its own"
    return (Diagnostic("NB215", title, item.type.span, label, layer=layer, help=help_),)


def check_kept(item: Item, rows: Sequence[Row], name: str) -> Faults:
    """Return the fault of a module with a constant that keeps a value of one of its inputs."""
    kept = kept_from_outside(rows, name)
    if kept is None:
        return ()
    label = f"{kept.path} keeps the value that it has in the first call of {name}"
    help_ = "let the stack read a Constant that is outside of it"
    title = f"{name.rpartition('.')[2]} keeps a value of its input"
    return (Diagnostic("NB215", title, item.type.span, label, help=help_),)


def _difference(module: Row | Block, again: Row | Block, name: str) -> tuple[str, str]:
    """Return the path of the first difference between two parts, and the difference in words."""
    if isinstance(module, Block) and isinstance(again, Block):
        return _other_stack(module, again, name)
    if isinstance(module, Row) and isinstance(again, Row):
        own_function = isinstance(module.layer, Operation)
        return name, "" if own_function else other_layer(module, again, inside=False)
    return name, f"{name} is another kind of layer for these inputs"


def _other_stack(module: Block, again: Block, name: str) -> tuple[str, str]:
    has, needs = _layers(module), _layers(again)
    if has != needs:
        layers = "1 layer" if has == 1 else f"{has} layers"
        return name, f"{name} has {layers}, and these inputs need {needs}"
    for member, other in zip(module.members, again.members, strict=False):
        path = f"{name}.{member.name}"
        if member.name != other.name:
            return path, f"{name} has a layer {member.name}, and these inputs need {other.name}"
        if (member.reads, member.module) != (other.reads, other.module):
            return path, f"{path} reads other results for these inputs"
        if member.module:
            continue
        if isinstance(member.part, Row) and isinstance(other.part, Row):
            found = path, other_layer(member.part, other.part, inside=True)
        else:
            found = _difference(member.part, other.part, path)
        if found[1]:
            return found
    if list(module.outputs.items()) != list(again.outputs.items()):
        return name, f"{name} has other outputs for these inputs"
    own = next((own for own in again.batched if own not in module.batched), None)
    if own is not None:
        return name, f"all samples share the input {own} of {name}, and here each has its own"
    return name, ""


def _layers(block: Block) -> int:
    """Return the number of layers in a stack and in the stacks inside it."""
    parts = [member.part for member in block.members]
    return sum(_layers(part) if isinstance(part, Block) else 1 for part in parts)


def other_layer(module: Row, again: Row, *, inside: bool) -> str:
    """Return why a layer does not fit other inputs; an empty text if it fits.

    A layer inside a stack keeps the arguments of its calls too, such as an `output_size`.
    """
    path = module.path
    needs = f"the input {times(again.x)} needs" if again.shapes else "these inputs need"
    if module.type != again.type:
        return f"{path} is {module.type}, and {needs} {again.type}"
    weights = module.inferred.weights
    for name, shape in again.inferred.weights.items():
        if weights.get(name) != shape:
            size = times(weights.get(name, ()))
            return f"{state_key(path, name)} is {size}, and {needs} {times(shape)}"
    values, others = dict(module.arguments), dict(again.arguments)
    if inside:
        for name in type(module.layer).model_fields:
            values.setdefault(name, getattr(module.layer, name))
            others.setdefault(name, getattr(again.layer, name))
    for name, value in values.items():
        if others.get(name) != value:
            return f"{path} has {name} {_as_text(value)}, and {needs} {_as_text(others.get(name))}"
    return ""


def _as_text(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def blamed(item: Item, fault: Diagnostic) -> Diagnostic:
    """Return a fault of a reused member at the place of the Reuse, with a note on its own place."""
    if _is_within(fault.span, item):
        return fault
    text = f"{fault.layer or 'the layer'} is in line {fault.span.line}"
    notes = (*fault.notes, Note("there", text))
    around = circumstances(fault)
    origin = around if around and around.misfit else None
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
