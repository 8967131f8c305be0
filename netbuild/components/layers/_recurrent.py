"""The base of layers that pass a state from step to step."""

from typing import Annotated, Any, ClassVar, Literal

from netbuild.components.fields import Bool, PositiveInt, SizeFromInput, one_of
from netbuild.components.first_values import FirstValues, by_size
from netbuild.components.layers.formula import Equation
from netbuild.components.layers.layer import Layer, Window
from netbuild.components.layers.ranges import SIGNED, Range, hull
from netbuild.components.layers.sight import Sight, every
from netbuild.components.tensor import Shape, ShapeError, product, times

Nonlinearity = Annotated[Literal["tanh", "relu"], one_of("tanh", "relu")]


class Stateful(Layer):
    """A cell, or a stack of cells over the steps of a sequence; gates combine input and state.

    Each step multiplies each matrix by one vector.
    """

    #: Number of gates: the values that are computed for each value of the state.
    gates: ClassVar[int]

    results = SIGNED

    input_size: SizeFromInput = None
    """Number of features at each step."""
    hidden_size: PositiveInt
    """Number of features of the state."""
    bias: Bool = True
    """Whether the gates have learned biases."""

    def decide(self, x: Shape, *states: Shape) -> dict[str, Any]:
        return {"input_size": x[-1]}

    def cell_weights(self, size: int, state: int, *, bias: bool) -> dict[str, Shape]:
        """Return the weights of a cell that reads `size` values and passes on `state` values."""
        rows = self.gates * self.hidden_size
        biases = {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}
        return {"weight_ih": (rows, size), "weight_hh": (rows, state), **biases}

    def first_values(self, x: Shape, *states: Shape) -> dict[str, FirstValues]:
        weights = self.weights(x, *states)
        return dict.fromkeys(weights, by_size("hidden_size", self.hidden_size))

    def cell_formulas(self, size: Equation, state: str) -> dict[str, Equation]:
        """Return the formulas of the weights of a cell; `size` is its input, `state` a field."""
        rows = {"gates": self.gates, "hidden_size": self.hidden_size}
        both = rows | {state: getattr(self, state)}
        bias = Equation("gates·hidden_size", rows)
        reads = Equation(f"gates·hidden_size·{size.rule}", {**rows, **size.numbers})
        return {
            "weight_ih": reads,
            "weight_hh": Equation(f"gates·hidden_size·{state}", both),
            "bias_ih": bias,
            "bias_hh": bias,
        }

    def terms(self) -> dict[str, str]:
        """Return the meaning of names in the formulas that are no fields."""
        return {"gates": f"values that {type(self).__name__} computes for each value of its state"}

    def macs(self, x: Shape, *states: Shape) -> int:
        matrices = [shape for shape in self.weights(x).values() if len(shape) > 1]
        return product(x[:-1]) * sum(product(shape) for shape in matrices)

    def window(self, x: Shape, *states: Shape) -> Window | None:
        """Each step depends on all earlier steps."""
        return None

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return every(x[source][axis])

    def expect_states(self, *given: Shape, wanted: tuple[Shape, ...]) -> None:
        """Refuse states that have other shapes than `wanted`, or that are only some of the states.

        Raises:
            ShapeError: names the state, with its shape or the missing state.
        """
        names = self.optional_inputs
        if given and len(given) < len(wanted):
            message = f"{names[0]} comes without {names[1]}: write both or neither"
            raise ShapeError("NB208", message)
        for name, shape, expected in zip(names, given, wanted, strict=False):
            if shape != expected:
                size = times(shape)
                message = f"{name} is {size}, and the first state must be {times(expected)}"
                raise ShapeError("NB212", message)


def mixed(*states: Range | None) -> Range | None:
    """Return the range of a GRU's results: they mix a tanh with the previous state."""
    return hull((SIGNED, *states))
