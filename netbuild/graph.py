"""A network with everything inferred: its rows, and what they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.layers.layer import Tensor, product

if TYPE_CHECKING:
    from netbuild.config import Config
    from netbuild.diagnostic import Diagnostic, Span
    from netbuild.layers.layer import Layer, Shape, Window


class Reach(NamedTuple):
    """The receptive field of a position, and how far apart neighbouring positions look."""

    size: Shape
    stride: Shape

    def through(self, window: Window) -> Reach:
        """Return the reach behind a window: r + (k − 1)·d·j and j·s for each axis."""
        size = tuple(
            r + (k - 1) * d * j
            for r, j, k, d in zip(
                self.size, self.stride, window.kernel, window.dilation, strict=True
            )
        )
        stride = tuple(j * s for j, s in zip(self.stride, window.stride, strict=True))
        return Reach(size, stride)


class Row(NamedTuple):
    """One layer at its place: what it is, what reaches it and what it gives."""

    path: str
    type: str
    layer: Layer
    inputs: tuple[Tensor, ...]
    outputs: dict[str, Tensor]
    reach: Reach | None
    span: Span

    @property
    def x(self) -> Shape:
        """The shape of the first input."""
        return self.inputs[0].shape

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of the inputs, on which the rules of a layer depend."""
        return tuple(tensor.shape for tensor in self.inputs)

    @property
    def receptive_field(self) -> Shape | None:
        """What an output position sees of the network's input; None where it has no place."""
        return self.reach.size if self.reach else None

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of torch's constructor."""
        return self.layer.arguments(*self.shapes)

    @property
    def weights(self) -> dict[str, Shape]:
        """The shapes of the parameters, by their names in the module."""
        return self.layer.weights(*self.shapes)

    @property
    def buffers(self) -> dict[str, Tensor]:
        """What `state_dict()` holds beside the parameters."""
        return self.layer.buffers(*self.shapes)

    @property
    def params(self) -> int:
        """The number of learned values."""
        return sum(product(shape) for shape in self.weights.values())

    @property
    def trainable(self) -> int:
        """The number of values that training changes."""
        return self.params

    @property
    def macs(self) -> int:
        """The multiplications for one sample."""
        return self.layer.macs(*self.shapes)

    @property
    def output(self) -> Tensor:
        """The result that is passed on."""
        return next(iter(self.outputs.values()))


class Graph(NamedTuple):
    """A network: its rows in the order of execution, up to the first whose shape is unknown."""

    config: Config
    rows: tuple[Row, ...]
    output: Tensor | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def params(self) -> int:
        """The number of learned values."""
        return sum(row.params for row in self.rows)

    @property
    def trainable(self) -> int:
        """The number of values that training changes."""
        return sum(row.trainable for row in self.rows)

    @property
    def macs(self) -> int:
        """The multiplications for one sample."""
        return sum(row.macs for row in self.rows)

    @property
    def weights_bytes(self) -> int:
        """The memory of the parameters."""
        return sum(Tensor(w).nbytes for row in self.rows for w in row.weights.values())

    @property
    def activations_bytes(self) -> int:
        """The memory that training keeps of one sample for the backward pass.

        A tensor that two layers keep counts once, and so does a view of it. Constants that do not
        grow with the batch, such as the statistics of a batch norm, are left out. Up to the first
        layer with weights there is nothing to go back for.
        """
        learning = False
        total, kept = 0, set()
        memory = 0  # which memory holds the current tensor: a view stays in its input's
        for number, row in enumerate(self.rows, start=1):
            behind = number if row.layer.memory() == "new" else memory
            learning = learning or row.params > 0
            total += row.layer.workspace(row.x) if learning else 0
            for which in row.layer.saved(row.x) if learning else ():
                place, tensor = (
                    (memory, row.inputs[0]) if which == "input" else (behind, row.output)
                )
                if place not in kept:
                    kept.add(place)
                    total += tensor.nbytes
            memory = behind
        return total
