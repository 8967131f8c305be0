"""Lints of windows: values that no window reads, small receptive fields, and checkerboards."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.tensor import product, times
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Flow
    from netbuild.graph.inference import Inferred
    from netbuild.graph.row import Row
    from netbuild.graph.value import Value

_AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


class _Axis(NamedTuple):
    """One axis of a layer with a window: the sizes of input and output, and the window."""

    name: str
    n: int
    outputs: int
    kernel: int
    stride: int
    padding: int
    dilation: int

    @property
    def span(self) -> int:
        """The length of the axis that a window covers."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def unseen(self) -> int:
        """The number of input values after the last window; all, if it ends in the padding."""
        behind = self.n + self.padding - (self.outputs - 1) * self.stride - self.span
        return min(self.n, max(0, behind))

    @property
    def skipped(self) -> int:
        """The number of values between windows that no window covers."""
        return (self.outputs - 1) * max(0, self.stride - self.span)


@lru_cache(maxsize=4096)  # a network repeats its layers, and two lints call this
def _axes(inferred: Inferred) -> list[_Axis]:
    """Return the axes over which a convolution or a pool slides its window."""
    window = inferred.window if inferred.layer.slides else None
    if window is None:
        return []
    x, y = inferred.shapes[0], next(iter(inferred.outputs.values())).shape
    sizes = (_AXES[len(x) - 1], x[1:], y[1:])
    return [_Axis(*axis) for axis in zip(*sizes, *window, strict=True)]


def unseen_borders(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a border that no window reads, because the stride leaves more than the padding.

    The last window is followed by r = (n + 2p − d(k − 1) − 1) mod s values. p of them are padding,
    and the other r − p values are never read. Known networks learn well although they lose a few
    values: a pool of 2 over 11 rows loses 1, the stem of AlexNet at 224 loses 2, and patches of 14
    at 384 (Zhai et al. 2023) lose 6. There is a warning if an axis loses more than one value and
    more than a fiftieth of all.
    """
    graph = flow.graph
    for row in graph.rows:
        lost = [axis for axis in _axes(row.inferred) if axis.stride <= axis.span]
        lost = [axis for axis in lost if axis.unseen > max(1, axis.n / 50)]
        if not lost:
            continue
        alike = _alike(lost)
        unseen = [f"the last {axis.unseen} of {axis.n} values along {axis.name}" for axis in alike]
        formulas = [Note("formula", _remainder(axis)) for axis in alike]
        yield Diagnostic(
            "NB311",
            f"{row.type} does not read a border of its input",
            place(row.item, "stride" if getattr(row.layer, "stride", None) else "kernel_size"),
            f"no window reads {', or '.join(unseen)}",
            (Note("input", f"{row.path} reads {times(row.x)}"), *formulas),
            help=_whole(alike),
            layer=row.path,
        )


def _alike(axes: list[_Axis]) -> list[_Axis]:
    """Merge axes with the same sizes and windows into one, named `the height and the width`."""
    names: dict[_Axis, list[str]] = {}
    for axis in axes:
        names.setdefault(axis._replace(name=""), []).append(f"the {axis.name}")
    return [
        axis._replace(name=" and ".join(filter(None, (", ".join(others), last))))
        for axis, (*others, last) in names.items()
    ]


def _remainder(axis: _Axis) -> str:
    """Return the number of values after the last window, and how many of them are padding."""
    rest = (axis.n + 2 * axis.padding - axis.span) % axis.stride
    steps = f"({axis.n} + 2·{axis.padding} − {axis.span}) mod {axis.stride}"
    return f"{steps} = {rest}, minus padding {axis.padding}"


def _whole(axes: list[_Axis]) -> str:
    """Return the help: sizes of the axes for which the windows read every value."""
    sizes = []
    for axis in axes:
        least = axis.n - axis.unseen  # 0 if the only window lies in the padding
        read = " or ".join(str(size) for size in (least, least + axis.stride) if size)
        sizes.append(f"{read} for {axis.name}")
    return f"use {', and '.join(sizes)}, or add padding"


def skipping_strides(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a stride that is larger than the window: the values between windows are never read.

    There is no warning for a window of one value. It clearly intends to keep every n-th value, as
    the shortcuts of ResNets do (He et al. 2016).
    """
    graph = flow.graph
    for row in graph.rows:
        gaps = [axis for axis in _axes(row.inferred) if axis.kernel > 1 and axis.skipped]
        if gaps:
            worst = max(gaps, key=lambda axis: axis.skipped / axis.n)
            over = f" over {worst.span} values" if worst.dilation > 1 else ""
            gap = worst.stride - worst.span
            missed = f"{gap} values are" if gap > 1 else "a value is"
            yield Diagnostic(
                "NB312",
                f"{row.type} with a stride that is larger than its window",
                place(row.item, "stride"),
                f"between two windows {missed} never read",
                (
                    Note("input", f"{row.path} reads {times(row.x)}"),
                    Note("window", f"kernel_size {worst.kernel}{over}, stride {worst.stride}"),
                ),
                help=f"use a stride of at most {worst.span} to read the whole {worst.name}",
                layer=row.path,
            )


def checkerboards(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a transposed convolution if its stride does not divide its kernel.

    Some output positions are then sums of more products than their neighbours, which causes a
    checkerboard pattern (Odena et al. 2016). The products are counted, so dilation is included.
    """
    graph = flow.graph
    for row in graph.rows:
        spread = row.layer.spread()
        if spread is None:
            continue
        for n, k, s, _, d in zip(row.x[1:], *spread, strict=True):
            products = Counter(j * d % s for j in range(k))
            counts = {products[offset] for offset in range(s)}
            if n == 1 or len(counts) == 1:
                continue
            higher = -(-k // s) * s
            fitting = f"{k // s * s} or {higher}" if k > s else str(higher)
            yield Diagnostic(
                "NB314",
                f"{row.type} that causes a checkerboard",
                place(row.item, "kernel_size"),
                f"neighbouring outputs are sums of {min(counts)} to {max(counts)} products",
                (Note("window", f"kernel_size {k} with stride {s}"),),
                help=f"use kernel_size {fitting}, or Upsample followed by a convolution",
                layer=row.path,
            )
            break


def small_fields(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a network if no position sees a whole object.

    `object_size`, next to the shape of an input, gives the size of the objects. There is no warning
    if positions mix without a window, as in attention or in a gate for each channel.
    """
    graph = flow.graph
    largest: dict[int, Row] = {}  # the layer that sees most, by the number of axes
    wholes: set[Value] = set()  # computed from the whole input, or from unknown positions
    for row in graph.rows:
        places = product(row.output.shape[1:])
        joins = row.layer.pools or (row.layer.slides and not row.layer.is_affine)
        pooled = joins and places == 1 < product(row.x[1:])
        if row.reach is None or pooled or not wholes.isdisjoint(row.sources):
            if places > 1:
                return
            wholes.add(row.passed_on)
        elif row.receptive_field:
            rank = len(row.receptive_field)
            other = largest.setdefault(rank, row)
            if product(row.receptive_field) > product(other.receptive_field or ()):
                largest[rank] = row
    for name, size in graph.config.object_sizes.items():
        input_ = graph.config.inputs.get(name)
        last = largest.get(len(input_.shape) - 1) if input_ else None
        field = last.receptive_field if last else None
        if last is None or field is None:
            continue
        wanted = size if isinstance(size, tuple) else (size,) * len(field)
        if any(seen < needed for seen, needed in zip(field, wanted, strict=True)):
            yield Diagnostic(
                "NB313",
                "a receptive field that is smaller than the objects",
                last.span,
                f"a position of {last.path} sees {times(field)} of the input",
                (Note("objects", f"{times(wanted)}, line {graph.config.input_span(name).line}"),),
                help="add layers, use larger windows, or move a stride to an earlier layer",
                layer=last.path,
            )
