"""`pretrained:`, as a section or beside a stack: files with the first weights of a part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic_core import core_schema

from netbuild.components.component import Component
from netbuild.components.fields import Bool, OptionalText, Wants, many, optional
from netbuild.config.filling import fill_fields
from netbuild.diagnostics.diagnostic import Diagnostic, collect
from netbuild.syntax.node import Entry, List, Map, Node, Scalar, is_null, is_unknown
from netbuild.syntax.substitution import substitute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.diagnostics.diagnostic import Found
    from netbuild.syntax.expression import Names

_text = core_schema.str_schema(strict=True, min_length=1)


class Pretrained(Component):
    """A file of weights, and the modules that do not get their weights from the file."""

    file: Annotated[str, Wants("the path of a file", _text)]
    """Path of the weights: safetensors, a state_dict() saved by torch.save, or a run."""
    strict: Bool = True
    """Whether the file must have exactly the weights of the network."""
    leave_out: Annotated[
        tuple[str, ...], Wants("a list of modules, such as [fc]", many(_text))
    ] = ()
    """Names of modules, or patterns, whose weights are not loaded; needs strict: false."""
    prefix: OptionalText = None
    """What the names in the file begin with, without the dot; other names there are not read."""
    rename: Annotated[
        dict[str, str] | None,
        Wants(
            "a mapping from patterns to patterns", optional(core_schema.dict_schema(_text, _text))
        ),
    ] = None
    """Patterns of names in the file, after `prefix`, and the patterns of their names here."""


class Given(NamedTuple):
    """A file of weights, and the text that names it."""

    pretrained: Pretrained
    node: Node


def read_beside(node: Node, names: Names) -> Found[tuple[Given, ...]]:
    """Read the modifier `pretrained` of a stack."""
    node, faults = substitute(node, names)
    if is_null(node) or is_unknown(node):
        return (), faults
    given, wrong = read_pretrained(node)
    return given, (*faults, *wrong)


def read_pretrained(node: Node) -> Found[tuple[Given, ...]]:
    """Read one file of weights or a list of them; none of them after a fault."""
    nodes = node.items if isinstance(node, List) else (node,)
    files, faults = collect(_read(one) for one in nodes)
    if faults:
        return (), faults
    return tuple(Given(file, one) for file, one in zip(files, nodes, strict=True) if file), ()


def _read(node: Node) -> Found[Pretrained | None]:
    """Read a file of weights, with the path relative to the current folder; None after a fault."""
    entries = node.entries if isinstance(node, Map) else {}
    if not isinstance(node, Map):
        entries = {"file": Entry(Scalar("file", node.span, "file"), node)}
    if "leave_out" in entries:
        key, value = entries["leave_out"]
        entries = {**entries, "leave_out": Entry(key, _as_names(value))}
    filled, faults = fill_fields(Pretrained, entries, "pretrained", node.span)
    if filled is None:
        return None, faults
    uneven = [entry for name, entry in _renaming(entries).items() if not _is_even(name, entry)]
    if uneven:
        label = "a pattern and its replacement have the same number of *"
        help_ = "write rename: {layer.*.fc.*: blocks.*.linear.*}"
        title = "patterns that do not go together"
        wrong = Diagnostic("NB107", title, uneven[0].key.span, label, help=help_)
        return None, (*faults, wrong)
    if filled.strict == bool(filled.leave_out):
        at, label = node.span, "strict: false needs leave_out"
        help_ = "add leave_out: [fc], or remove strict: false"
        if filled.strict:
            at = entries["leave_out"].key.span
            label, help_ = "leave_out needs strict: false", "write strict: false next to leave_out"
        title = "strict and leave_out contradict each other"
        return None, (*faults, Diagnostic("NB107", title, at, label, help=help_))
    folder = Path(entries["file"].value.span.document.name).parent
    return filled.model_copy(update={"file": str(folder / filled.file)}), faults


def _renaming(entries: Mapping[str, Entry]) -> Mapping[str, Entry]:
    node = entries["rename"].value if "rename" in entries else None
    return node.entries if isinstance(node, Map) else {}


def _is_even(pattern: str, entry: Entry) -> bool:
    """Whether a pattern has as many `*` as the pattern that replaces it."""
    value = entry.value
    text = value.value if isinstance(value, Scalar) else ""
    return not isinstance(text, str) or pattern.count("*") == text.count("*")


def _as_names(node: Node) -> Node:
    """Return a list with its numbers as names, such as `0` for a layer, or `1.0` inside a stack."""
    if not isinstance(node, List):
        return node
    numbers = (int, float)
    items = (
        item._replace(value=item.text)
        if isinstance(item, Scalar) and type(item.value) in numbers
        else item
        for item in node.items
    )
    return List(tuple(items), node.span)
