"""Lints of masks of attention: padded places, and the two meanings of a bool mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.checks.lint.flow import Flow, described
from netbuild.checks.lint.known_masks import wrong
from netbuild.components.layers.named import Named
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.graph.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.graph.row import Row


class Padded(NamedTuple):
    """The axis of a value along which some places are padded, and the layer that says so."""

    axis: int
    origin: Row
    #: The values that tell which places are padded.
    known_by: frozenset[Value]


def padded_places(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a mean, a maximum or a norm over places that a mask of padding marks as padded.

    A layer that also reads the mask, or what is computed from it, may leave these places out.
    """
    padded: dict[Value, Padded] = {}
    for row in flow.graph.rows:
        mask = _mask_of_result(row)
        if mask is not None:
            padded[row.passed_on] = Padded(0, row, _known_by(flow, mask, row.sources[0]))
            continue
        for number, value in enumerate(row.sources):
            found = padded.get(value)
            if found is None or not found.known_by.isdisjoint(row.sources):
                continue
            axis = found.axis
            sight = row.layer.sees(axis, *row.shapes, source=number, port=None)
            if sight is None:
                continue
            alone = sight.axis is not None and (sight.stride, sight.first, sight.last) == (1, 0, 0)
            if _summarises(row, axis, alone=alone):
                yield _fault(row, found)
            elif alone and sight.axis is not None:
                padded[row.passed_on] = found._replace(axis=sight.axis)


def _mask_of_result(row: Row) -> Value | None:
    """Return the mask of padding for the places of a layer's own result; None without one."""
    if not isinstance(row.layer, Named):
        return None
    sources = dict(zip(row.layer.input_names(len(row.sources)), row.sources, strict=True))
    if "key" in sources and sources["key"] != sources["query"]:
        return None  # the keys are places of another sequence
    first = "tgt" if "tgt" in sources else "src"
    return sources.get("key_padding_mask") or sources.get(f"{first}_key_padding_mask")


def _known_by(flow: Flow, mask: Value, places: Value) -> frozenset[Value]:
    """Return the values that tell of a mask: what it comes from, and what comes from it."""
    found = {mask, *(_above(flow, mask) - _above(flow, places) - {places})}
    for row in flow.graph.rows:
        masks = row.layer.given if isinstance(row.layer, Named) else {}
        names = row.layer.input_names(len(row.sources)) if masks else ()
        read = [v for n, v in enumerate(row.sources) if not masks or names[n] not in masks]
        if not found.isdisjoint(read):
            found |= {Value(row.path, port) for port in row.outputs}
    return frozenset(found)


def _above(flow: Flow, value: Value) -> set[Value]:
    """Return all values from which a value is computed."""
    found: set[Value] = set()
    waiting = [value]
    while waiting:
        row = flow.producer.get(waiting.pop())
        new = set(row.sources) - found if row is not None else set()
        found |= new
        waiting += new
    return found


def _summarises(row: Row, axis: int, *, alone: bool) -> bool:
    """Whether a layer pools or normalises along an axis."""
    if row.layer.normalises in {"batch", "processes"}:
        return axis > 0  # axis 0 holds the channels, each with statistics of its own
    return not alone and (row.layer.pools or row.layer.normalises is not None)


def _fault(row: Row, padded: Padded) -> Diagnostic:
    does = "normalises" if row.layer.normalises else "pools"
    return Diagnostic(
        "NB329",
        f"{row.type} over padded places",
        row.span,
        f"it {does} all {row.shapes[0][padded.axis]} places, and a mask says that some are padded",
        (Note("mask", f"of {described(padded.origin)}"),),
        help="multiply by the mask and divide by the number of places, or read one place of each "
        "sample",
        layer=row.path,
    )


def two_meanings(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a bool mask that hides a place in one layer and shows the same place in another."""
    hiding: dict[Value, Row] = {}
    showing: dict[Value, Row] = {}
    for row in flow.graph.rows:
        if not isinstance(row.layer, Named):
            continue
        names = row.layer.input_names(len(row.sources))
        own, other = (showing, hiding) if row.layer.masks_show else (hiding, showing)
        for name, value, x in zip(names, row.sources, row.inputs, strict=True):
            if not name.endswith("mask") or x.dtype != "bool":
                continue
            own.setdefault(value, row)
            told = (any(wrong(flow, one, name, value)) for one in (row, other.get(value)) if one)
            if value in other and not any(told):
                yield _contradiction(row, name, other[value])


def _contradiction(row: Row, name: str, first: Row) -> Diagnostic:
    shows = isinstance(row.layer, Named) and row.layer.masks_show
    means = "may be seen" if shows else "is hidden"
    return Diagnostic(
        "NB328",
        f"{name} hides what it shows elsewhere",
        row.span,
        f"true means here that a place {means}, and the opposite in {first.path}",
        (Note("elsewhere", described(first)),),
        help="give one of them the inverse mask: true hides in MultiheadAttention and the "
        "transformers, and shows in ScaledDotProductAttention",
        layer=row.path,
    )
