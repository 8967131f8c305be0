"""Values by their positions: https://docs.pytorch.org/docs/stable/generated/torch.gather.html."""

from collections.abc import Callable
from typing import Any, ClassVar

from netbuild.components.fields import Int, PositiveInt
from netbuild.components.layers._broadcast import contradiction, expect_same_rank, size_of
from netbuild.components.layers.formula import Formulas, by_axis, formula, unchanged
from netbuild.components.layers.layer import Needs, Window
from netbuild.components.layers.layout import Placed
from netbuild.components.layers.lookup import Lookup
from netbuild.components.layers.operation import Operation
from netbuild.components.layers.ranges import PROBABILITIES, Range
from netbuild.components.layers.sight import Sight, every, repeated
from netbuild.components.tensor import BYTES, Shape, ShapeError, Tensor, axis, product

_HELP = "convert whole numbers by To: int64, or declare them by input: {shape: […], dtype: int64}"


def _expect_positions(name: str, x: Tensor) -> None:
    """Refuse positions that are not int64.

    Raises:
        ShapeError: names the input, and its dtype.
    """
    if x.dtype != "int64":
        raise ShapeError("NB207", f"{name} must be int64, and is {x.dtype}", help=_HELP)


class _ByPosition(Operation):
    """Takes the values of an input at the positions that another input names."""

    results = None
    #: Whether negative positions count from the end.
    counts_back: ClassVar[bool] = False

    dim: Int
    """Axis that the positions count along; 1 is the first axis after the batch."""

    def expect_dtypes(self, *x: Tensor) -> None:
        _expect_positions(self.inputs[1], x[1])

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        """A position is a number that only the data knows: it may be any."""
        if axis_ == axis(self.dim, x[0], at="dim"):
            return every(x[0][axis_])._replace(loose=True) if source == 0 else Sight(axis_)
        n, wider = x[source][axis_], self.output_shape(*x)[axis_]
        return repeated(axis_, n, wider)

    def range(self, *x: Range | None) -> Range | None:
        return x[0]

    def lookup(self, *x: Shape) -> Lookup | None:
        here = axis(self.dim, x[0], at="dim")
        n = x[0][here]
        least = -n if self.counts_back else 0
        has = f"axis {here + 1} of its input has the places {least} to {n - 1}"
        return Lookup(1, least, n - 1, has, "dim")

    def window(self, *x: Shape) -> Window | None:
        """Only the data knows the positions."""
        return None


class Gather(_ByPosition):
    """The values at the positions `index` along the axis `dim`: (A, n) and (A, k) to (A, k).

    The positions are int64, from 0 to n − 1. On the other axes, `index` may be shorter than the
    input.

    - {Gather: 2, inputs: [scores, picked]}  # 10×64 and 10×5 of int64 to 10×5
    """

    function = "gather"
    inputs = ("input", "index")

    def output_shape(self, x: Shape, index: Shape) -> Shape:
        expect_same_rank(x, index)
        here = axis(self.dim, x, at="dim")
        for place, (n, wanted) in enumerate(zip(x, index, strict=True)):
            if place != here and wanted > n:
                limit = "of index may be at most the size of the input"
                raise contradiction(place, (0, x), (1, index), limit)
        return index

    def formulas(self, x: Shape, index: Shape) -> Formulas:
        return Formulas(by_axis(formula("axis of index", **{"axis of index": n}) for n in index))

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """The positions, and the input for its shape."""
        return Needs((0, 1)) if x[0].gradient else Needs()

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        """Torch has `dim` between the inputs."""
        return {"output": forward(x[0], index=x[1])}


class TakeAlongDim(_ByPosition):
    """Gather whose other axes repeat if they are 1: (A, n) and (1, k) to (A, k).

    The positions are int64, from −n to n − 1.

    - {TakeAlongDim: 1, inputs: [codes, picked]}  # 512×64 and 10×1 of int64 to 10×64
    """

    function = "take_along_dim"
    counts_back = True
    inputs = ("input", "indices")

    def output_shape(self, x: Shape, indices: Shape) -> Shape:
        expect_same_rank(x, indices)
        here = axis(self.dim, x, at="dim")
        others = tuple((*shape[:here], 1, *shape[here + 1 :]) for shape in (x, indices))
        sizes = [size_of(place, others) for place in range(len(x))]
        return (*sizes[:here], indices[here], *sizes[here + 1 :])

    def formulas(self, x: Shape, indices: Shape) -> Formulas:
        here = axis(self.dim, x, at="dim")
        sizes = [
            formula("the largest of the inputs", **{"the largest of the inputs": f"max({n}, {m})"})
            for n, m in zip(x, indices, strict=True)
        ]
        sizes[here] = formula("axis of indices", **{"axis of indices": indices[here]})
        kept = formula("8 B·positions", positions=product(self.output_shape(x, indices)))
        terms = {"positions": "the number of positions, which torch copies"}
        return Formulas(by_axis(sizes), workspace=kept, terms=terms)

    def saved(self, x: Shape, indices: Shape) -> tuple[str, ...]:
        return ("input",)

    def workspace(self, x: Shape, indices: Shape) -> int:
        """A copy of the positions, counted from the front."""
        return BYTES["int64"] * product(self.output_shape(x, indices))

    def needs(self, *x: Placed, learns: bool) -> Needs:
        return super().needs(*x, learns=learns) if x[0].gradient else Needs()


class OneHot(Operation):
    """A 1 at the place of each number, and 0 elsewhere: (*) of int64 to (*, num_classes) of int64.

    - OneHot: 10  # 20 of int64 to 20×10 of int64
    """

    function = "one_hot"
    namespace = "torch.nn.functional"
    results = PROBABILITIES

    num_classes: PositiveInt
    """Number of classes; the numbers of the input go from 0 to num_classes − 1."""

    def lookup(self, *x: Shape) -> Lookup | None:
        last = self.num_classes - 1
        return Lookup(0, 0, last, f"it has classes for 0 to {last}", "num_classes")

    def expect_dtypes(self, *x: Tensor) -> None:
        _expect_positions("its input", x[0])

    def output_shape(self, x: Shape) -> Shape:
        return (*x, self.num_classes)

    def formulas(self, x: Shape) -> Formulas:
        classes = formula("num_classes", num_classes=self.num_classes)
        return Formulas(by_axis([*map(unchanged, x), classes]))

    def window(self, x: Shape) -> Window | None:
        """The input has no channels, so output positions have no input positions."""
        return None
