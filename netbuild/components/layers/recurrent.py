"""Recurrent layers: https://docs.pytorch.org/docs/stable/nn.html#recurrent-layers."""

from collections.abc import Callable, Collection
from types import MappingProxyType
from typing import Any

from pydantic import field_validator

from netbuild.components.fields import (
    NaturalInt,
    unwanted,
)
from netbuild.components.layers._recurrent import Nonlinearity, mixed
from netbuild.components.layers._sequence import Recurrent, by_steps, swapped
from netbuild.components.layers.formula import Equation
from netbuild.components.layers.layer import Needs
from netbuild.components.layers.layout import Placed
from netbuild.components.layers.ranges import ANY, POSITIVE, SIGNED, Range
from netbuild.components.tensor import BYTES, Shape


class RNN(Recurrent):
    """h_t = tanh(W_ih · x_t + b_ih + W_hh · h_(t−1) + b_hh), or relu, step by step.

    (length, input_size) to (length, directions · hidden_size), and the last states `h_n` of
    (num_layers · directions, hidden_size). An optional input `h_0` gives the first states; by
    default they are zeros.

    An optional input `lengths`, given by name, is the number of steps of each sample, from 1. The
    last states are then those at the end of each sample.

    - RNN: 20  # 5×10 to 5×20, h_n: 1×20
    """

    gates = 1

    nonlinearity: Nonlinearity = "tanh"
    """Function of the sum: tanh, from −1 to 1, or relu, at least 0."""

    def range(self, *x: Range | None) -> Range | None:
        return SIGNED if self.nonlinearity == "tanh" else POSITIVE

    def computed(self, length: int, size: int, *, learns: bool) -> int:
        """The states."""
        return length * self.hidden_size


class LSTM(Recurrent):
    """c_t = f ⊙ c_(t−1) + i ⊙ g, h_t = o ⊙ tanh(c_t), with gates as in LSTMCell, step by step.

    (length, input_size) to (length, directions · hidden_size), and the last states `h_n` and `c_n`
    of (num_layers · directions, hidden_size). Optional inputs `h_0` and `c_0`, both or neither,
    give the first states; by default they are zeros. With proj_size, h_t becomes W_hr · h_t of that
    size, with proj_size · hidden_size more multiply-adds: https://arxiv.org/abs/1402.1128.

    An optional input `lengths`, given by name, is the number of steps of each sample, from 1. The
    last states are then those at the end of each sample.

    - LSTM: {hidden_size: 20, bidirectional: true}  # 5×10 to 5×40, h_n: 2×20, c_n: 2×20
    """

    gates = 4
    optional_inputs = ("h_0", "c_0")
    other_results = MappingProxyType({"c_n": ANY})

    last = f"{Recurrent.last} proj_size"

    proj_size: NaturalInt = 0
    """Number of features of the projected results; 0 means no projection."""

    @field_validator("proj_size")
    @classmethod
    def _is_smaller_than_the_state(cls, proj_size: Any, info: Any) -> Any:
        if proj_size >= info.data.get("hidden_size", proj_size + 1):
            raise unwanted("a number smaller than hidden_size, or 0")
        return proj_size

    @property
    def state(self) -> int:
        return self.proj_size or self.hidden_size

    def states(self) -> tuple[int, ...]:
        return (self.state, self.hidden_size)

    def cell_weights(self, size: int, state: int, *, bias: bool) -> dict[str, Shape]:
        projection = {"weight_hr": (self.proj_size, self.hidden_size)} if self.proj_size else {}
        return super().cell_weights(size, state, bias=bias) | projection

    def cell_formulas(self, size: Equation, state: str) -> dict[str, Equation]:
        numbers = {"proj_size": self.proj_size, "hidden_size": self.hidden_size}
        projection = Equation("proj_size·hidden_size", numbers)
        return super().cell_formulas(size, state) | {"weight_hr": projection}

    def range(self, *x: Range | None) -> Range | None:
        return ANY if self.proj_size else self.results

    @property
    def _keeps_output(self) -> bool:
        return not (self.proj_size or self.bidirectional)

    def reads_in_place(self, x: Placed) -> bool:
        return by_steps(x) if self.ignores_freezing else super().reads_in_place(x)

    @property
    def ignores_freezing(self) -> bool:
        """Without projection, oneDNN computes all cells, and keeps what any gradient needs."""
        return not self.proj_size

    def workspace(self, x: Shape, *states: Shape) -> int:
        """Without projection also each cell's results, unless they are another cell's kept input.

        With both directions or a dropout, the next layer's input is a tensor of its own.
        """
        return super().workspace(x, *states)

    def needs(self, *x: Placed, learns: bool) -> Needs:
        found = super().needs(*x, learns=learns)
        apart = 0
        if not self.proj_size and (self.bidirectional or self.dropout):
            apart = self.cells - (1 if self._keeps_output else 0)
        packs = bool(self.given)  # the results are then padded copies
        apart += packs and self._keeps_output
        given = BYTES["float32"] * apart * x[0].shape[0] * self.hidden_size
        outputs = ("output",) if self._keeps_output and not packs else ()
        return found._replace(outputs=outputs, workspace=found.workspace + given)

    def needs_for(self, read: Collection[str], *x: Placed, learns: bool) -> Needs:
        """With projection, the last step's tanh(c) and o ⊙ tanh(c) are not for c_n."""
        found = self.needs(*x, learns=learns)
        if not self.proj_size or set(read) != {"c_n"}:
            return found
        unread = self.directions * (2 if learns else 1) * self.hidden_size
        return found._replace(workspace=found.workspace - BYTES["float32"] * unread)

    def copies(self) -> int:
        return self.directions if self.proj_size else 1

    def computed(self, length: int, size: int, *, learns: bool) -> int:
        """With projection the values of all steps except the last states; else oneDNN's workspace.

        A step has four gates, tanh(c), o ⊙ tanh(c), and both states; o ⊙ tanh(c) and h are for
        the gradients of weights. oneDNN begins each part of its workspace at a new page of 4096
        bytes. This count ignores the pages: a batch has them once.
        """
        if self.proj_size and not learns:
            return (6 * length - 1) * self.hidden_size
        if self.proj_size:
            return 6 * length * self.hidden_size + (length - 1) * sum(self.states())
        return _onednn_workspace(length, size, self.hidden_size) + 2 * self.hidden_size

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        x, named = self.apart(x)
        states = tuple(swapped(state) for state in x[1:])
        y = forward(x[0], states, **named) if states else forward(x[0], **named)
        h_n, c_n = y[1][0], y[1][1]
        return {"output": y[0], "h_n": h_n.transpose(0, 1), "c_n": c_n.transpose(0, 1)}


class GRU(Recurrent):
    """h_t = (1 − z) ⊙ n + z ⊙ h_(t−1), with gates as in GRUCell, step by step.

    (length, input_size) to (length, directions · hidden_size), and the last states `h_n` of
    (num_layers · directions, hidden_size). An optional input `h_0` gives the first states; by
    default they are zeros.

    An optional input `lengths`, given by name, is the number of steps of each sample, from 1. The
    last states are then those at the end of each sample.

    - GRU: {hidden_size: 20, num_layers: 2}  # 5×10 to 5×20, h_n: 2×20
    """

    gates = 3

    def range(self, *x: Range | None) -> Range | None:
        return mixed(*self.apart(x)[0][1:])

    def computed(self, length: int, size: int, *, learns: bool) -> int:
        """Six numbers per step as in GRUCell, and for weights all states except the last one."""
        states = length - 1 if learns else 0
        return (6 * length + states) * self.hidden_size


def _onednn_workspace(length: int, size: int, hidden: int) -> int:
    """Return the numbers of a sample in the workspace of one LSTM cell.

    `init_conf` in oneDNN's `src/cpu/rnn/rnn_utils.hpp` counts the gates and states of each step.
    One more step and one more layer stand for the inputs: they count the states, each step's c and
    the gradients of input, h and c.
    """
    states = 2 * (length + 1)
    wide = _row(max(size, hidden))
    gates = length * (_row(4 * hidden) + _row(hidden))
    return gates + states * (wide + hidden + 2 * wide + hidden)


def _row(size: int) -> int:
    """Return the distance between rows in oneDNN's workspace: its `get_good_ld` for float32.

    >>> _row(20), _row(256)
    (32, 272)
    """
    row = -(-size // 16) * 16
    return row + 16 if row % 256 == 0 else row
