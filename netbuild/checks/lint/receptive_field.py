"""Lints of windows: what none of them sees, and what each puts unevenly."""

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
    """One axis of a layer with a window: its size and its output's, and the window along it."""

    name: str
    n: int
    outputs: int
    kernel: int
    stride: int
    padding: int
    dilation: int

    @property
    def span(self) -> int:
        """How much of the axis a window reaches over."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def unseen(self) -> int:
        """The values at the end that lie behind the last window."""
        return max(0, self.n + self.padding - (self.outputs - 1) * self.stride - self.span)

    @property
    def skipped(self) -> int:
        """The values between windows that none of them reaches over."""
        return (self.outputs - 1) * max(0, self.stride - self.span)


@lru_cache(maxsize=4096)  # a network repeats its layers, and two lints ask
def _axes(inferred: Inferred) -> list[_Axis]:
    """Return the axes over which a convolution or a pool slides its window."""
    window = inferred.window if inferred.layer.slides else None
    if window is None:
        return []
    x, y = inferred.shapes[0], next(iter(inferred.outputs.values())).shape
    sizes = (_AXES[len(x) - 1], x[1:], y[1:])
    return [_Axis(*axis) for axis in zip(*sizes, *window, strict=True)]


def unseen_borders(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a border that no window sees, for the remainder of the stride exceeds the padding.

    Of n + 2p − d(k − 1) − 1 steps, r are left behind the last window; p of them are padding, and
    the other r − p values are never read. Known networks lose some like that, and learn well: a
    pool of 2 over 11 rows one of them, the stem of AlexNet at 224 two, patches of 14 at 384 (Zhai
    et al. 2023) six. It is said where it is more than one value, and more than a fiftieth of all.
    """
    graph = flow.graph
    for row in graph.rows:
        lost = [axis for axis in _axes(row.inferred) if axis.stride <= axis.span]
        lost = [axis for axis in lost if axis.unseen > max(1, axis.n / 50)]
        if not lost:
            continue
        alike = _alike(lost)
        unseen = [f"the last {axis.unseen} of {axis.n} values of {axis.name}" for axis in alike]
        formulas = [Note("formula", _remainder(axis)) for axis in alike]
        yield Diagnostic(
            "NB311",
            f"{row.type} leaves a border of its input out",
            place(row.item, "stride" if getattr(row.layer, "stride", None) else "kernel_size"),
            f"no window sees {', nor '.join(unseen)}",
            (Note("input", f"{row.path} reads {times(row.x)}"), *formulas),
            help=_whole(alike),
            layer=row.path,
        )


def _alike(axes: list[_Axis]) -> list[_Axis]:
    """Return those of the same sizes and windows as one, called `the height and the width`."""
    names: dict[_Axis, list[str]] = {}
    for axis in axes:
        names.setdefault(axis._replace(name=""), []).append(f"the {axis.name}")
    return [
        axis._replace(name=" and ".join(filter(None, (", ".join(others), last))))
        for axis, (*others, last) in names.items()
    ]


def _remainder(axis: _Axis) -> str:
    """Return how many values are left behind the last window, and how many of them are padding."""
    rest = (axis.n + 2 * axis.padding - axis.span) % axis.stride
    steps = f"({axis.n} + 2·{axis.padding} − {axis.span}) mod {axis.stride}"
    return f"{steps} = {rest}, and padding {axis.padding}"


def _whole(axes: list[_Axis]) -> str:
    """Return the sizes of axes at which no border is left out."""
    whole = [(axis.n - axis.unseen, axis) for axis in axes]
    if len(axes) > 1:
        sizes = [f"{size} or {size + axis.stride} for {axis.name}" for size, axis in whole]
        return f"take {', and '.join(sizes)}, or padding"
    ((size, axis),) = whole
    return f"an input of {size} or of {size + axis.stride} is seen as a whole; so is padding"


def skipping_strides(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a stride that is larger than the window: what lies between windows is never read.

    A window of one value is a way to say that only every other is wanted, as in the shortcuts of
    ResNets (He et al. 2016).
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
                f"{row.type} with a stride larger than its window",
                place(row.item, "stride"),
                f"between two windows {missed} never read",
                (
                    Note("input", f"{row.path} reads {times(row.x)}"),
                    Note("window", f"kernel_size {worst.kernel}{over}, stride {worst.stride}"),
                ),
                help=f"a stride of at most {worst.span} sees all of the {worst.name}",
                layer=row.path,
            )


def checkerboards(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a transposed convolution whose kernel the stride does not divide.

    Some of its output positions are then the sum of more products than their neighbours, which
    draws a checkerboard (Odena et al. 2016). With dilation it is counted instead.
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
                f"{row.type} that draws a checkerboard",
                place(row.item, "kernel_size"),
                f"outputs are sums of {min(counts)} to {max(counts)} products in turn",
                (Note("window", f"kernel_size {k} with stride {s}"),),
                help=f"with kernel_size {fitting} all get as many; or Upsample, then a convolution",
                layer=row.path,
            )
            break


def small_fields(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a network no position of which sees an object as a whole.

    `object_size` beside the shape of an input says how large they are. Nothing is said where places
    meet in a way that no window tells, as in attention or behind the gate of a channel.
    """
    graph = flow.graph
    largest: dict[int, Row] = {}  # by the number of axes, the layer that sees most
    wholes: set[Value] = set()  # of the whole input, or of places that are not known
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
                help="more layers, larger windows, or strides earlier on, let it see more",
                layer=last.path,
            )
