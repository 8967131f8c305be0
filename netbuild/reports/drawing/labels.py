"""The texts of a part: its title, what is special about it, its name, and its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.layers.layer import Layer
from netbuild.components.tensor import times
from netbuild.diagnostics.escapes import one_line
from netbuild.diagnostics.wording import brief
from netbuild.reports.summary import short_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.tensor import Tensor
    from netbuild.graph.row import Row
    from netbuild.reports.drawing.structure import Drawn, Part

#: The most characters of the value of a field.
_LONGEST = 24
#: The most characters for the types in a stack without a type.
_LONGEST_CONTENTS = 26
#: Fields that say nothing that a picture has to tell, and those that the shapes tell.
_SILENT = {"inplace", "bias", "padding", "padding_mode", "device", "dtype", "batch_first", "affine"}


class Label(NamedTuple):
    """The texts of a box. Numbers are empty where there are none."""

    title: str
    detail: str = ""
    #: At the right of the title.
    aside: str = ""
    params: str = ""
    macs: str = ""
    #: Remarks such as `frozen`, below.
    note: str = ""


def label_of(part: Part, drawn: Drawn) -> Label:
    """Return the texts of a part."""
    if part.kind in {"input", "output"}:
        (value,) = part.reads or part.gives
        return Label(one_line(part.name), wire_label(drawn.tensors[value]))
    if part.stop:
        note = one_line(part.stop.fault.message)
        return Label(one_line(brief(part.path, _LONGEST)), part.stop.place, note=note)
    params = f"{short_number(part.params)} params" if part.params else ""
    macs = f"{short_number(part.macs)} MACs" if part.macs else ""
    title, detail, aside = _title(part)
    title, detail, aside, note = map(one_line, (title, detail, aside, _note(part)))
    return Label(title, detail, aside, params, macs, note)


def _title(part: Part) -> tuple[str, str, str]:
    name = "" if part.name.isdecimal() else part.name
    if part.row is not None:
        if written := part.row.layer.written:
            return written, "", name
        return part.type, ", ".join(_details(part.row)), name
    count = f"{part.layers} layers" if part.layers > 1 else "1 layer"
    if part.type:
        return (name or part.type), (part.type if name else ""), count
    contents = "" if part.reuses else brief(_contents(part), _LONGEST_CONTENTS)
    return name or f"stack {part.name}", contents, count


def _contents(part: Part) -> str:
    """Return the types of the members of a stack."""
    types = (member.type or member.name for member in part.members if member.kind != "fault")
    return ", ".join(types)


def _note(part: Part) -> str:
    notes = []
    if part.reuses:
        notes.append(f"weights of {part.reuses}")
    if part.row is not None and part.row.tied:
        notes.append(f"tied to {', '.join(part.row.tied.values())}")
    if part.frozen:
        notes.append("frozen")
    elif part.row is not None and part.row.unfreezes:
        notes.append(f"frozen until epoch {part.row.unfreezes}")
    return ", ".join(notes)


def _details(row: Row) -> list[str]:
    """Return the fields of a layer that the file gives, in short: `3×3`, `/2`, `groups 32`.

    The name of a field is left out if the field is the only one.
    """
    found = list(_fields(row))
    if len(found) == 1 and found[0][0] == next(iter(type(row.layer).model_fields)):
        return [found[0][1]]
    return [name if value == "True" else f"{name} {value}".lstrip() for name, value in found]


def _fields(row: Row) -> Iterator[tuple[str, str]]:
    """Yield the names and values of the fields to show. Sizes of windows are without names."""
    layer = row.layer
    places = max(len(row.x) - 1, 1) if row.shapes else 1
    for name, field in type(layer).model_fields.items():
        given = getattr(layer, name, None)
        if name not in layer.model_fields_set or name in _SILENT or given == field.default:
            continue
        if isinstance(given, Layer):
            continue  # the name of the layer tells it, as in TransformerEncoder
        if name == "kernel_size":
            sizes: Any = given if isinstance(given, tuple | list) else (given,) * places
            yield "", times(tuple(sizes))
        elif name == "stride":
            sizes = set(given) if isinstance(given, tuple | list) else {given}
            if sizes != {1}:
                yield "", f"/{_value(name, given)}"
        elif not _is_told(name, given, row):
            yield name, _value(name, given)


def _is_told(name: str, given: Any, row: Row) -> bool:
    """Whether a field is a size of the result, which the shape behind the layer tells."""
    is_size = name.startswith("out_") or name.endswith(("_dim", "hidden_size"))
    return is_size and given in row.output.shape


def _value(name: str, given: Any) -> str:
    if isinstance(given, tuple | list) and given and all(isinstance(x, int) for x in given):
        are_sizes = any(word in name for word in ("size", "stride", "shape"))
        return times(tuple(given)) if are_sizes else ", ".join(map(str, given))
    return brief(f"{given:g}" if isinstance(given, float) else str(given), _LONGEST)


def wire_label(tensor: Tensor) -> str:
    """Return the shape of a value, as it stands beside its line."""
    return times(tensor.shape)


def tooltip(part: Part, drawn: Drawn) -> str:
    """Return all about a part: its path, its type, its shapes and its numbers."""
    lines = [part.path.lstrip("<>") or drawn.graph.config.name]
    if part.stop:
        return one_line(f"{part.stop.place}: {part.stop.fault.message}")
    if part.row is not None:
        given = (f"{name}={value}" for name, value in part.row.arguments.items())
        lines.append(f"{part.type}({', '.join(given)})"[:400])
    elif part.type:
        lines.append(part.type)
    shapes = [
        " and ".join(wire_label(drawn.tensors[value]) for value in values if value in drawn.tensors)
        for values in (part.reads, part.gives)
    ]
    if all(shapes):
        lines.append(f"{shapes[0]} to {shapes[1]}")
    if part.repeats > 1:
        lines.append(f"{part.repeats} times")
    lines.append(f"{part.params:,} parameters, {part.macs:,} MACs")
    return "\n".join(map(one_line, lines))
