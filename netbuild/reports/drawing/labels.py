"""The texts of a part: its title, what is special about it, its name, and its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.tensor import times
from netbuild.diagnostics.escapes import one_line
from netbuild.reports.summary import short_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.tensor import Tensor
    from netbuild.graph.row import Row
    from netbuild.reports.drawing.parts import Drawn, Part

#: The most characters of the value of a field.
_LONGEST = 24
#: Fields that say nothing that a picture has to tell, and those that the shapes tell.
_SILENT = {"inplace", "bias", "padding", "padding_mode", "device", "dtype", "batch_first", "affine"}
#: The fields that are written without their names.
_PLAIN = {"kernel_size", "stride"}


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
        return Label(one_line(part.name), _shape(drawn.tensors[value]))
    if part.stop:
        return Label(one_line(part.name), part.stop.place, note=one_line(part.stop.fault.message))
    params = f"{short_number(part.params)} params" if part.params else ""
    macs = f"{short_number(part.macs)} MACs" if part.macs else ""
    title, detail, aside = _title(part)
    return Label(*map(one_line, (title, detail, aside)), params, macs, one_line(_note(part)))


def _title(part: Part) -> tuple[str, str, str]:
    name = "" if part.name.isdecimal() else part.name
    if part.row is not None:
        written = part.row.layer.written
        detail = written or ", ".join(_details(part.row))
        return ("" if written else part.type), detail, name
    count = f"{part.layers} layers" if part.layers > 1 else "1 layer"
    if part.type:
        return (name or part.type), (part.type if name else ""), count
    return name or f"stack {part.name}", "", count


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


def _details(row: Row) -> Iterator[str]:
    """Yield the fields of a layer that the file gives, in short: `3×3`, `/2`, `groups 32`."""
    layer = row.layer
    places = max(len(row.x) - 1, 1) if row.shapes else 1
    for name, field in type(layer).model_fields.items():
        given = getattr(layer, name, None)
        if name not in layer.model_fields_set or name in _SILENT or given == field.default:
            continue
        if name == "kernel_size":
            yield times(given if isinstance(given, tuple | list) else (given,) * places)
        elif name == "stride":
            sizes = set(given) if isinstance(given, tuple | list) else {given}
            if sizes != {1}:
                yield f"/{_value(given)}"
        elif _is_told(name):
            continue
        else:
            value = _value(given)
            yield value if name == _first(row) else f"{name} {value}"


def _is_told(name: str) -> bool:
    """Whether a field is a size of the result, which the shape behind the layer tells."""
    return name in {"out_channels", "out_features"}


def _first(row: Row) -> str | None:
    """Return the field that a file gives without its name."""
    return next(iter(type(row.layer).model_fields), None)


def _value(given: Any) -> str:
    if isinstance(given, tuple | list) and given and all(isinstance(x, int) for x in given):
        return times(tuple(given)) if min(given) > 0 else ", ".join(map(str, given))
    text = f"{given:g}" if isinstance(given, float) else str(given)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _shape(tensor: Tensor) -> str:
    return times(tensor.shape) or "one number"


def wire_label(drawn: Drawn, tensor: Tensor) -> str:
    """Return the shape of a value, as it stands beside its line."""
    del drawn
    return _shape(tensor)


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
        " and ".join(_shape(drawn.tensors[value]) for value in values if value in drawn.tensors)
        for values in (part.reads, part.gives)
    ]
    if all(shapes):
        lines.append(f"{shapes[0]} to {shapes[1]}")
    if part.count > 1:
        lines.append(f"{part.count} times")
    lines.append(f"{part.params:,} parameters, {part.macs:,} MACs")
    return "\n".join(map(one_line, lines))
