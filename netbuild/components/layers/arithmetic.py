"""Element-wise arithmetic: https://docs.pytorch.org/docs/stable/torch.html#pointwise-ops."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, ClassVar

from pydantic_core import core_schema

from netbuild.components.fields import Wants
from netbuild.components.layers._broadcast import broadcast_formulas
from netbuild.components.layers.elementwise import consequences, inference
from netbuild.components.layers.elementwise.program import Number, Program, Slot
from netbuild.components.layers.elementwise.reading import read
from netbuild.components.layers.elementwise.typesetting import typeset
from netbuild.components.layers.formula import Formulas
from netbuild.components.layers.layer import Needs
from netbuild.components.layers.layout import Placed, Strides
from netbuild.components.layers.operation import Operation
from netbuild.components.layers.ranges import Range
from netbuild.components.layers.sight import Sight, repeated
from netbuild.components.tensor import Shape, ShapeError, Tensor

_Formula = Annotated[
    str, Wants("a formula such as x * sigmoid(x)", core_schema.str_schema(strict=True))
]


#: The activation of a function, with the fields for its further operands in their order.
_TWINS = {
    "relu": ("ReLU",),
    "relu6": ("ReLU6",),
    "gelu": ("GELU",),
    "silu": ("SiLU",),
    "mish": ("Mish",),
    "selu": ("SELU",),
    "elu": ("ELU",),
    "sigmoid": ("Sigmoid",),
    "tanh": ("Tanh",),
    "hardsigmoid": ("Hardsigmoid",),
    "hardswish": ("Hardswish",),
    "leaky_relu": ("LeakyReLU", "negative_slope"),
    "softplus": ("Softplus", "beta", "threshold"),
}


class Formula(Operation):
    """A formula of numbers, inputs and element-wise functions of torch: (*) and (*) to (*).

    `inputs: {m: mean, v: variance}` names its inputs; a single input without a name is `x`. It has
    `+ - * / // % **`, comparisons, `& | ~` between booleans, and torch's functions by their names:
    `exp`, `log`, `sqrt`, `abs`, `sin`, `tanh`, `sigmoid`, `relu`, `gelu`, `clamp`, `where`,
    `minimum`, `maximum` and others. `pi`, `e` and `inf` are numbers. Axes of size 1 repeat. Dtypes
    follow torch's rules.

    - Formula: x * sigmoid(1.702 * x)  # 6×28×28 to 6×28×28
    """

    inputs: ClassVar[tuple[str, ...]] = ("x",)
    names_inputs = True
    function = ""
    broadcasts = True
    arrangement = "as input"

    formula: _Formula
    """The formula, in one line. Quote it if it has a comma and stands in braces."""

    def reading(self, given: Mapping[str, Tensor]) -> "Formula":
        made = self.model_copy()
        made.__dict__["inputs"] = tuple(given)
        return made

    @property
    def program(self) -> Program:
        """The steps of the formula.

        Raises:
            PartError: a part of the text is not part of a formula.
        """
        return read(self.formula, self.inputs)

    @property
    def written(self) -> str:
        return typeset(self.program)

    @property
    def activates(self) -> bool:
        return len(self.inputs) == 1 and not consequences.is_affine(self.program)

    @property
    def scales(self) -> bool:
        return len(self.inputs) == 1 and consequences.is_affine(self.program)

    @property
    def results(self) -> Range | None:
        return self.range(*[None] * len(self.inputs))

    @property
    def twin(self) -> str | None:
        """The activation for a formula that is one call of its function."""
        (step, *others) = self.program.steps
        fields = _TWINS.get(step.function.name)
        if others or fields is None:
            return None
        names = zip(fields[1:], step.operands[1:], strict=False)
        given = [(name, one.value) for name, one in names if isinstance(one, Number)]
        if len(given) == 1 and given[0][0] == fields[1]:
            return f"{fields[0]}: {given[0][1]}"
        values = ", ".join(f"{name}: {value}" for name, value in given)
        return f"{fields[0]}: {{{values}}}" if given else fields[0]

    def range(self, *x: Range | None) -> Range | None:
        """Return a range by interval arithmetic, if each input stands once in the formula."""
        return consequences.bounds(self.program, x)

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        read_ = {slot for step in self.program.steps for slot in step.slots}
        for number, name in enumerate(self.inputs):
            if number not in read_:
                help_ = "use each input in the formula, or leave it out of inputs"
                raise ShapeError("NB217", f"the formula does not read {name}", help=help_)
        return {"output": self._values(x)[-1]}

    def output_shape(self, *x: Shape) -> Shape:
        return self._values(self._tensors(x))[-1].shape

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return repeated(axis, x[source][axis], max(shape[axis] for shape in x))

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """Operands and results of its functions, if their gradients need them."""
        return consequences.needs(self.program, x, self._values(x))

    def feeding(self, port: str, x: Sequence[Any]) -> Sequence[Any]:
        """No gradient goes through a comparison, nor through the condition of `where`."""
        fed = consequences.feeding(self.program)
        return [one for number, one in enumerate(x) if number in fed]

    def saved(self, *x: Shape) -> tuple[str, ...]:
        found = self._needs(x)
        return (*(self.inputs[number] for number in found.inputs), *found.outputs)

    def workspace(self, *x: Shape) -> int:
        """Results of its functions, which the gradients of other functions need."""
        return self._needs(x).workspace

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        return (consequences.placed(self.program, x, self._values(x))[-1].strides,)

    def formulas(self, *x: Shape) -> Formulas:
        return Formulas(broadcast_formulas(*x))

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        """Call the functions in their order. `forward` takes the name of a function first."""
        found = list(x)
        for step in self.program.steps:
            given = [
                one.value if isinstance(one, Number) else None if one is None else found[one.number]
                for one in step.operands
            ]
            while given[-1] is None:
                given.pop()
            found.append(forward(step.path, *given, **dict(step.function.keywords)))
        return {"output": found[-1]}

    def _values(self, x: Sequence[Tensor | Placed]) -> tuple[Tensor, ...]:
        """Return the inputs, and the result of each step."""
        return _values(
            self.formula, self.inputs, tuple([Tensor(one.shape, one.dtype) for one in x])
        )

    def _needs(self, x: Sequence[Shape]) -> Needs:
        tensors = self._tensors(x)
        given = [Placed(one.shape, None, one.floating, one.dtype) for one in tensors]
        return self.needs(*given, learns=False)

    def _tensors(self, x: Sequence[Shape]) -> tuple[Tensor, ...]:
        """Return inputs of likely dtypes: a condition is bool, and all others are float32."""
        steps = self.program.steps
        conditions = [step.operands[:1] for step in steps if step.function.dtypes == "where"]
        conditions += [step.operands for step in steps if step.function.dtypes == "bits"]
        bools = {one.number for given in conditions for one in given if isinstance(one, Slot)}
        return tuple(
            Tensor(shape, "bool" if number in bools else "float32")
            for number, shape in enumerate(x)
        )


@lru_cache(maxsize=4096)
def _values(text: str, names: tuple[str, ...], x: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return inference.values(read(text, names), x)
