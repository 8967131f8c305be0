"""Recurrent cells: https://docs.pytorch.org/docs/stable/nn.html#recurrent-layers."""

from collections.abc import Callable, Collection
from types import MappingProxyType
from typing import Any, ClassVar

from netbuild.components.layers._recurrent import Nonlinearity, Stateful, mixed
from netbuild.components.layers.formula import Equation, Formulas, formula
from netbuild.components.layers.layer import Needs
from netbuild.components.layers.layout import Placed
from netbuild.components.layers.ranges import ANY, POSITIVE, SIGNED, Range
from netbuild.components.tensor import BYTES, Shape, Tensor, expect_rank


class _Cell(Stateful):
    """One step: (input_size) and a state of (hidden_size) to the next state.

    It needs gates · hidden_size · (input_size + hidden_size) multiply-adds.
    """

    optional_inputs: ClassVar[tuple[str, ...]] = ("hx",)

    def output_shape(self, x: Shape, *states: Shape) -> Shape:
        expect_rank(x, "features", ranks=(1,))
        state = (self.hidden_size,)
        self.expect_states(*states, wanted=(state,) * len(self.optional_inputs))
        return state

    def weights(self, x: Shape, *states: Shape) -> dict[str, Shape]:
        return self.cell_weights(x[0], self.hidden_size, bias=self.bias)

    def saved(self, x: Shape, *states: Shape) -> tuple[str, ...]:
        return ("input", *self.optional_inputs[: len(states)])

    def workspace(self, x: Shape, *states: Shape) -> int:
        """The zeros in place of an omitted state, and the values of the gates."""
        zeros = 0 if states else self.hidden_size
        return BYTES["float32"] * (zeros + self.computed())

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """The input and the state h are for the gradients of weights only."""
        found = super().needs(*x, learns=learns)
        if learns:
            return found
        inputs = tuple(n for n in found.inputs if n > 1)
        return found._replace(inputs=inputs, workspace=BYTES["float32"] * self.computed())

    def computed(self) -> int:
        """Return how many intermediate numbers of a step are kept."""
        return 0

    def formulas(self, x: Shape, *states: Shape) -> Formulas:
        size = formula("input_size", input_size=x[0])
        cell = self.cell_formulas(size, "hidden_size")
        own = self.weights(x)
        rule = "gates·hidden_size·(input_size + hidden_size)"
        numbers = {"gates": self.gates, "hidden_size": self.hidden_size, "input_size": x[0]}
        return Formulas(
            {"features": formula("hidden_size", hidden_size=self.hidden_size)},
            {name: cell[name] for name in own},
            {"": Equation(rule, numbers)},
            terms=self.terms(),
        )


class RNNCell(_Cell):
    """h' = tanh(W_ih · x + b_ih + W_hh · h + b_hh), or relu: (input_size) to (hidden_size).

    An optional input `hx` of (hidden_size) gives the state h; by default h is zeros.

    - RNNCell: 20  # 10 to 20
    """

    gates = 1

    nonlinearity: Nonlinearity = "tanh"
    """Function of the sum: tanh, from −1 to 1, or relu, at least 0."""

    def range(self, *x: Range | None) -> Range | None:
        return SIGNED if self.nonlinearity == "tanh" else POSITIVE

    def saved(self, x: Shape, *states: Shape) -> tuple[str, ...]:
        return (*super().saved(x, *states), "output")


class LSTMCell(_Cell):
    """c' = f ⊙ c + i ⊙ g, h' = o ⊙ tanh(c'): (input_size) to h' and `c_1`, both (hidden_size).

    The gates i, f and o are σ(W_ih · x + b_ih + W_hh · h + b_hh), and g is the tanh of such a sum.
    Optional inputs `hx` and `cx` of (hidden_size), both or neither, give h and c; by default both
    are zeros.

    - LSTMCell: 20  # 10 to 20, c_1: 20
    """

    gates = 4
    optional_inputs = ("hx", "cx")
    other_results = MappingProxyType({"c_1": ANY})

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        state = Tensor(self.output_shape(*(tensor.shape for tensor in x)))
        return {"output": state, "c_1": state}

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        y = forward(x[0], x[1:]) if len(x) > 1 else forward(x[0])
        return {"output": y[0], "c_1": y[1]}

    def needs(self, *x: Placed, learns: bool) -> Needs:
        return self.needs_for(("output", "c_1"), *x, learns=learns)

    def needs_for(self, read: Collection[str], *x: Placed, learns: bool) -> Needs:
        """The state c is for the gradients of the gates, and tanh(c') for the result h' only.

        The gates are one piece of memory. The zeros in place of an omitted state are the state c
        too.
        """
        found = super().needs(*x, learns=learns)
        gates = learns or any(one.gradient for one in x[:2])
        inputs = tuple(n for n in found.inputs if n < 2 or gates)
        numbers = 4 + ("output" in read) + (len(x) == 1)
        workspace = BYTES["float32"] * numbers * self.hidden_size
        return found._replace(inputs=inputs, workspace=workspace)

    def computed(self) -> int:
        """The four gates and tanh(c')."""
        return 5 * self.hidden_size


class GRUCell(_Cell):
    """h' = (1 − z) ⊙ n + z ⊙ h: (input_size) to (hidden_size).

    The gates r and z are σ(W_ih · x + b_ih + W_hh · h + b_hh), and n is
    tanh(W_in · x + b_in + r ⊙ (W_hn · h + b_hn)). An optional input `hx`
    gives the state h; by default h is zeros.

    - GRUCell: 20  # 10 to 20
    """

    gates = 3

    def range(self, *x: Range | None) -> Range | None:
        return mixed(*x[1:])

    def computed(self) -> int:
        """The gates r, z and n, another copy of n, W_hn · h + b_hn, and h − n."""
        return 6 * self.hidden_size
