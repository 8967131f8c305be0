"""The base of layers that read a sequence step by step."""

from collections.abc import Callable, Sequence
from math import inf
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_core import core_schema

from netbuild.components.fields import (
    Bool,
    PositiveInt,
    Probability,
    Wants,
    unwanted,
)
from netbuild.components.layers._recurrent import Stateful
from netbuild.components.layers.formula import Equation, Formulas, formula, unchanged
from netbuild.components.layers.layer import Modes, Needs
from netbuild.components.layers.layout import BATCH, Placed, Strides, ordered
from netbuild.components.layers.lookup import Lookup
from netbuild.components.layers.named import Named
from netbuild.components.layers.sight import Sight, across, every
from netbuild.components.tensor import (
    BYTES,
    Shape,
    ShapeError,
    Tensor,
    expect_rank,
    product,
    times,
)

_BatchFirst = Annotated[
    Literal[True], Wants("true: axis 0 is the batch", core_schema.literal_schema([True]))
]


#: The numbers in the bytes of an index of int64.
_INDEX = 2


class Recurrent(Stateful, Named):
    """A stack of layers of cells over the steps of (length, input_size); each reads the one before.

    Each layer goes through the steps in one direction or in both directions. It needs
    length · directions · gates · hidden_size · (input_size + hidden_size) multiply-adds. The
    input_size of later layers is directions · hidden_size.

    The kept values are the ones that torch keeps on a CPU. With `lengths`, steps behind the end of
    a sample are left out, and results there are 0. All numbers are those of a full sample.
    """

    optional_inputs: ClassVar[tuple[str, ...]] = ("h_0",)
    named_inputs: ClassVar[tuple[str, ...]] = ("lengths",)
    modes = Modes(
        "each value between two layers becomes 0 with probability dropout, and "
        "x / (1 − dropout) otherwise",
        "values pass between layers unchanged",
    )

    last = "bias batch_first dropout bidirectional"

    num_layers: PositiveInt = 1
    """Number of layers; each layer reads the results of the layer before."""
    batch_first: _BatchFirst = True
    """Always true: axis 0 is the batch, as in every layer."""
    dropout: Probability = Field(0.0, validate_default=True)
    """Probability that a value between two layers is dropped in training; 0 drops none."""
    bidirectional: Bool = False
    """Whether it also reads the steps backwards; the result has the features of both directions."""

    @field_validator("dropout")
    @classmethod
    def _stands_between_layers(cls, dropout: Any, info: Any) -> Any:
        if dropout and info.data.get("num_layers") == 1:
            raise unwanted("0 with num_layers 1: it applies between layers")
        return dropout

    @property
    def switches(self) -> bool:
        return self.dropout > 0

    def stilled(self) -> dict[str, Any]:
        return {"dropout": 0.0}

    @property
    def directions(self) -> int:
        """The number of directions in which each layer reads the sequence."""
        return 2 if self.bidirectional else 1

    @property
    def cells(self) -> int:
        """The number of cells: one for each layer and direction."""
        return self.num_layers * self.directions

    @property
    def state(self) -> int:
        """The size of a cell's result at each step."""
        return self.hidden_size

    def states(self) -> tuple[int, ...]:
        """Return the sizes of the states that a cell passes from step to step."""
        return (self.state,)

    def built_name(self) -> str:
        return f"Packed{self.torch_name()}" if self.given else super().built_name()

    def expect_dtypes(self, *x: Tensor) -> None:
        sequences, named = self.apart(x)
        super().expect_dtypes(*sequences)
        for lengths in named.values():
            if lengths.dtype != "int64" or lengths.shape:
                message = f"lengths is {lengths.dtype} of {times(lengths.shape)}"
                help_ = (
                    "lengths is an input of one whole number a sample: {shape: [], dtype: int64}"
                )
                code = "NB212" if lengths.dtype == "int64" else "NB207"
                raise ShapeError(code, f"{message}, and it must be one int64", help=help_)

    def lookup(self, *x: Shape) -> Lookup | None:
        if "lengths" not in self.given:
            return None
        steps = x[0][0]
        has = f"a sequence of {steps} steps has lengths from 1 to {steps}"
        return Lookup(len(x) - 1, 1, steps, has, "inputs", what="a length")

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        x, _ = self.apart(x)
        output = Tensor(self.output_shape(*(tensor.shape for tensor in x)))
        last = zip(self.optional_inputs, self.states(), strict=True)
        states = {name.replace("_0", "_n"): Tensor((self.cells, size)) for name, size in last}
        return {"output": output, **states}

    def output_shape(self, x: Shape, *states: Shape) -> Shape:
        expect_rank(x, "length, features", ranks=(2,))
        self.expect_states(*states, wanted=tuple((self.cells, size) for size in self.states()))
        return (x[0], self.directions * self.state)

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        """A step sees the steps before it; with two directions it sees all steps."""
        if source or axis or port not in {None, "output"}:
            return every(x[source][axis])
        return across(0, x[0][0]) if self.bidirectional else Sight(0, 1, -inf, 0)

    def causal_fields(self, source: int) -> dict[str, Any]:
        return {} if source else {"bidirectional": False}

    def layer_inputs(self, x: Shape) -> list[int]:
        """Return the number of features that each layer reads at a step."""
        return [x[1]] + (self.num_layers - 1) * [self.directions * self.state]

    def weights(self, x: Shape, *states: Shape) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {}
        for layer, size in enumerate(self.layer_inputs(x)):
            cell = self.cell_weights(size, self.state, bias=self.bias)
            for direction in ("", "_reverse")[: self.directions]:
                shapes |= {f"{name}_l{layer}{direction}": cell[name] for name in cell}
        return shapes

    def saved(self, x: Shape, *states: Shape) -> tuple[str, ...]:
        found = self.needs(*self.placed(x, *states), learns=True)
        names = self.input_names(1 + len(states))
        return (*(names[n] for n in found.inputs), *found.outputs)

    def workspace(self, x: Shape, *states: Shape) -> int:
        """Copies of the input and the states, the values between layers, and those of each step."""
        return self.needs(*self.placed(x, *states), learns=True).workspace

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """Torch swaps batch and steps, and copies what does not lie in this order in memory.

        The inputs of cells, and most states, are needed for the gradients of weights only.
        """
        x, _ = self.apart(x)
        length, states = x[0].shape[0], x[1:]
        inputs = self.layer_inputs(x[0].shape)
        for_weights = learns or self.ignores_freezing
        gates = self.num_layers > 1 or any(one.gradient for one in x[:2])
        kept: list[int] = []
        numbers = 0
        packs = bool(self.given)
        if packs:  # the order of samples by length, and back
            numbers += _INDEX * (1 + any(one.gradient for one in x))
        if for_weights and not packs and self.reads_in_place(x[0]):
            kept.append(0)
        elif for_weights:
            numbers += (1 if packs else self.copies()) * product(x[0].shape)
        copies = (0 < self.dropout < 1) + for_weights
        numbers += copies * length * sum(inputs[1:])
        for place, size in enumerate(self.states()):
            is_cell = self.optional_inputs[place] == "c_0"  # for the gradients of the gates
            if not (for_weights or (is_cell and gates)):
                continue
            if states and not packs and by_steps(states[place]):
                kept.append(1 + place)
            else:
                numbers += self.cells * size
        numbers += self.directions * sum(self.computed(length, n, learns=learns) for n in inputs)
        return Needs(tuple(kept), (), BYTES["float32"] * numbers)

    def reads_in_place(self, x: Placed) -> bool:
        """Whether the steps and the batch are one axis, so that torch needs no copy."""
        return x.merged(1, 0)

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        """The steps, or the cells, are the outermost axis in memory; padded steps lie in order."""
        found = tuple(ordered((BATCH, *shape), (1, 0, 2)) for shape in y)
        return (None, *found[1:]) if self.given else found

    #: Whether torch keeps the same if the weights do not learn.
    ignores_freezing: ClassVar[bool] = False

    def copies(self) -> int:
        """Return the number of copies of the input that have the steps as first axis."""
        return self.directions

    def computed(self, length: int, size: int, *, learns: bool) -> int:
        """Return how many numbers a cell keeps for its steps; it reads `size` values per step."""
        raise NotImplementedError

    @property
    def _state_field(self) -> str:
        """The field with the size of a cell's result."""
        return "proj_size" if self.state != self.hidden_size else "hidden_size"

    def formulas(self, x: Shape, *states: Shape) -> Formulas:
        numbers = {"directions": self.directions, self._state_field: self.state}
        features = Equation(f"directions·{self._state_field}", numbers)
        terms = self.terms() | {"directions": "2 if bidirectional, else 1"}
        return Formulas(
            {"length": unchanged(x[0]), "features": features},
            {name: size for cell in self._cells(x) for name, size in cell.items()},
            {f"layer {layer}": product for layer, product in enumerate(self._products(x))},
            self._last_states(),
            terms=terms,
        )

    def _layer_sizes(self, x: Shape) -> list[Equation]:
        """Return the formulas of the numbers of features that each layer reads."""
        first = formula("input_size", input_size=x[1])
        numbers = {"directions": self.directions, self._state_field: self.state}
        above = Equation(f"directions·{self._state_field}", numbers)
        return [first] + (self.num_layers - 1) * [above]

    def _cells(self, x: Shape) -> list[dict[str, Equation]]:
        """Return the formulas of the weights of each cell, by their names."""
        own = self.weights(x)
        found = []
        for layer, size in enumerate(self._layer_sizes(x)):
            cell = self.cell_formulas(size, self._state_field)
            for direction in ("", "_reverse")[: self.directions]:
                named = {f"{name}_l{layer}{direction}": cell[name] for name in cell}
                found.append({name: named[name] for name in named if name in own})
        return found

    def _products(self, x: Shape) -> list[Equation]:
        """Return the formula of the multiplications of each layer."""
        numbers = {"length": x[0], "directions": self.directions, "gates": self.gates}
        numbers |= {"hidden_size": self.hidden_size, self._state_field: self.state}
        found = []
        for size in self._layer_sizes(x):
            step = f"gates·hidden_size·({size.rule} + {self._state_field})"
            if self.state != self.hidden_size:
                step = f"({step} + proj_size·hidden_size)"
            found.append(Equation(f"length·directions·{step}", {**numbers, **size.numbers}))
        return found

    def _last_states(self) -> dict[str, dict[str, Equation]]:
        """Return the formulas of the axes of the last states."""
        numbers = {"num_layers": self.num_layers, "directions": self.directions}
        cells = Equation("num_layers·directions", numbers)
        fields = (self._state_field, "hidden_size")
        return {
            name.replace("_0", "_n"): {"cells": cells, "features": formula(field, **{field: size})}
            for name, field, size in zip(self.optional_inputs, fields, self.states(), strict=False)
        }

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        x, named = self.apart(x)
        y = forward(x[0], *(swapped(state) for state in x[1:]), **named)
        return {"output": y[0], "h_n": y[1].transpose(0, 1)}


def swapped(state: Any) -> Any:
    """Return states with the axes (cells, batch, features), in memory too, as cuDNN needs them."""
    return state.transpose(0, 1).contiguous()


def by_steps(x: Placed) -> bool:
    """Whether the values lie in order with the steps, or the cells, as the outermost axis."""
    return x.moved((1, 0, 2))
