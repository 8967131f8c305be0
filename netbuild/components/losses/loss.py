"""The contract of a loss: which outputs and targets it takes, known without computing it.

Shapes have no batch axis, as in the layers. `y` is the shape of an output for one sample.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic_core import core_schema
from pydantic_core.core_schema import CoreSchema

from netbuild.components.component import Component
from netbuild.components.fields import Wants, either, many, one_of, optional, real
from netbuild.components.target import Target, Values
from netbuild.components.tensor import Shape, ShapeError, Tensor, times

#: Training needs one number, so torch's `none` is missing.
Reduction = Annotated[Literal["mean", "sum"], one_of("mean", "sum")]
Weights = Annotated[
    tuple[float, ...] | None,
    Wants(
        "a list of numbers of at least 0, one for each class",
        optional(many(real(ge=0), at_least=1)),
    ),
]


def _rectangular(values: Any) -> Any:
    """Refuse nested lists that differ in length.

    Raises:
        ValueError: the lists differ in length or in depth.
    """
    shape_of(values)
    return values


#: The most axes of nested lists: three spatial axes, the channels and the batch.
_MOST_AXES = 5


def _numbers(axes: int) -> CoreSchema:
    """Return the schema of lists of numbers, nested up to a number of axes."""
    item = real(ge=0) if axes == 1 else either(real(ge=0), _numbers(axes - 1))
    return many(item, at_least=1)


#: Numbers that torch repeats along the axes that they lack, from the last axis on.
Repeated = Annotated[
    tuple[Any, ...] | None,
    Wants(
        "a list of numbers of at least 0, or nested lists of equal lengths",
        optional(core_schema.no_info_after_validator_function(_rectangular, _numbers(_MOST_AXES))),
    ),
]


class Loss(Component):
    """A loss of torch or of kornia. By default it compares one output with a target of its shape.

    It lacks torch's fields `size_average` and `reduce`: torch has deprecated them in favour of
    `reduction`.
    """

    #: The package with the class that is built.
    home: ClassVar[str] = "torch.nn"
    #: Names of the outputs that the loss reads, in the order of `forward`'s arguments.
    inputs: ClassVar[tuple[str, ...]] = ("input",)
    #: Whether it compares with a target. Otherwise it compares outputs with one another.
    compares: ClassVar[bool] = True
    #: Whether its weight may be negative: training then makes its output large.
    either_way: ClassVar[bool] = False
    #: Whether it compares with classes, so that an accuracy can be measured.
    classifies: ClassVar[bool] = False
    #: Whether the mean of a loss that `classifies` is over the labels that count: without those
    #: that it ignores, and with the weights of their classes. Otherwise it is over all samples.
    divides_by_labels: ClassVar[bool] = True
    #: Whether the loss of a batch is no mean and no sum over its samples. Then a step has one
    #: batch, and all batches have one size.
    over_batch: ClassVar[bool] = False
    #: Whether each value of an output decides yes or no: between two classes.
    binary: ClassVar[bool] = False
    #: Whether each value of its target is 1 or −1.
    signed: ClassVar[bool] = False
    #: Whether targets may be scaled: for each output, the power of the deviation by which it is
    #: scaled back. Empty for a loss whose targets have a meaning of their own, such as counts.
    scales: ClassVar[tuple[int, ...]] = ()

    # Traits that lints ask for. A test asks every loss.

    #: What the first output must hold: values or scores of any size, probabilities, logarithms of
    #: probabilities, or features. From features the loss itself computes scores or distances.
    takes: ClassVar[Literal["values", "scores", "probabilities", "logarithms", "features"]]
    #: The function that the loss applies to its first output.
    applies: ClassVar[Literal["softmax", "sigmoid"] | None] = None
    #: The name of the loss that takes scores and applies the function that this loss expects
    #: the network to apply.
    of_scores: ClassVar[str | None] = None
    #: The name of the loss that expects the network to apply the function that this one `applies`.
    of_applied: ClassVar[str | None] = None
    #: torch's number of the class axis, for a loss that `classifies` or takes logarithms.
    class_axis: ClassVar[int] = 1
    #: The axis of several yes or no, for a loss that is `binary`.
    labels_axis: ClassVar[int] = 1
    #: The field with the number of classes that the loss's own weights score.
    classes_field: ClassVar[str | None] = None

    #: The fields of numbers that torch repeats along the axes that they lack.
    repeated: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def torch_name(cls) -> str:
        """Return torch's name of the class that is built."""
        return cls.__name__

    def target(self, outputs: tuple[Tensor, ...]) -> Target:
        """Return the target that fits these outputs; a guess if they do not fit the loss."""
        if len(outputs) != len(self.inputs):
            return Values(outputs[0].shape)
        return self.wanted(*(output.shape for output in outputs))

    def check(self, outputs: tuple[Tensor, ...], target: Target) -> None:
        """Check the outputs of the network and the target of the data against the loss.

        Raises:
            ShapeError: an output or the target does not fit the loss.
        """
        if len(outputs) != len(self.inputs):
            names = ", ".join(self.inputs)
            plural = "output" if len(self.inputs) == 1 else "outputs"
            message = (
                f"it reads {len(self.inputs)} {plural} ({names}), and the network gives "
                f"{len(outputs)}"
            )
            raise mismatch(message)
        for output in outputs:
            if not output.floating:
                message = (
                    f"it computes with floating-point numbers, and the network gives {output.dtype}"
                )
                raise mismatch(message)
        self.compare(target, *(output.shape for output in outputs))
        for name, value in self.decide(*(output.shape for output in outputs)).items():
            written = getattr(self, name)
            if written is not None and written != value:
                raise mismatch(f"{name} is {written}, and the network gives {value}", at=name)

    def wanted(self, *y: Shape) -> Target:
        """Return the target that fits outputs of these shapes best."""
        return Values(y[0])

    def compare(self, target: Target, *y: Shape) -> None:
        """Check the shapes of the outputs against the target.

        Raises:
            ShapeError: the outputs do not fit the target.
        """
        raise TypeError(f"{type(self).__name__} does not say what it takes")

    def decide(self, *y: Shape) -> dict[str, Any]:
        """Return the values of the fields that the outputs decide."""
        return {}

    def nonnegative(self) -> dict[str, str]:
        """Return the inputs whose values must not be below 0, each with the noun of its values."""
        return {}

    @property
    def logarithmic(self) -> bool:
        """Whether the first output holds logarithms of what it predicts."""
        return self.takes == "logarithms"

    def weights(self, *y: Shape) -> dict[str, Shape]:
        """Return the shapes of the loss's own parameters, by name."""
        return {}

    def arguments(self, *y: Shape) -> dict[str, Any]:
        """Return the arguments of torch's constructor."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return values | self.decide(*y)

    def run(self, forward: Callable[..., Any], y: tuple[Any, ...], target: Any) -> Any:
        """Call torch's `forward` with batches of outputs and targets; return one number."""
        return forward(*y, target)


def mismatch(
    message: str,
    *,
    at: str | None = None,
    help: str | None = None,  # noqa: A002  as messages call it
) -> ShapeError:
    """Return the error of a loss that does not fit the network or the data."""
    return ShapeError("NB401", message, at=at, help=help)


def too_few_scores(classes: int, scores: int) -> ShapeError:
    """Return the error of data with more classes than the network has scores."""
    return mismatch(f"the data has {classes} classes, and the network tells {scores} apart")


def expect_axes(y: Shape, axes: str, *, rank: int) -> None:
    """Refuse an output whose number of axes is not `rank`; `axes` names them.

    Raises:
        ShapeError: the output has another number of axes.
    """
    if len(y) != rank:
        plural = "axis" if rank == 1 else "axes"
        given = f"the output has {len(y)}" + (f": {times(y)}" if y else "")
        raise mismatch(f"it needs {rank} {plural} ({axes}), and {given}")


def expect_weights(weight: tuple[float, ...] | None, classes: int, *, at: str = "weight") -> None:
    """Refuse a list of weights that lacks exactly one weight for each class.

    Raises:
        ShapeError: the list is longer or shorter than the number of classes.
    """
    if weight is not None and len(weight) != classes:
        raise mismatch(f"{at} has {len(weight)} numbers for {classes} classes", at=at)


def shape_of(values: tuple[Any, ...]) -> Shape:
    """Return the sizes of nested lists.

    Raises:
        ValueError: the lists differ in length or in depth.
    """
    shapes = {shape_of(value) if isinstance(value, tuple) else () for value in values}
    if len(shapes) != 1:
        raise ValueError
    return (len(values), *shapes.pop())


def expect_repeatable(numbers: tuple[Any, ...] | None, y: Shape, *, at: str) -> None:
    """Refuse numbers that torch cannot repeat to the shape of an output.

    Raises:
        ShapeError: an axis of the numbers is neither 1 nor as long as the axis of the output.
    """
    if numbers is None:
        return
    shape, batch = shape_of(numbers), (1, *y)
    ends = zip(reversed(shape), reversed(batch), strict=False)
    if len(shape) <= len(batch) and all(own in {1, size} for own, size in ends):
        return
    if len(shape) > 1:
        message = f"{at} is {times(shape)}, and it cannot be repeated to an output of {times(y)}"
        raise mismatch(message, at=at)
    help_ = None
    if len(y) > 1 and len(numbers) == y[0]:
        nested = nested_list([f"{number:g}" for number in numbers], len(y))
        help_ = f"for one number for each of {y[0]} channels, write {at}: {nested}"
    last = y[-1] if y else 1
    message = f"{at} has {len(numbers)} numbers for a last axis of {last}"
    raise mismatch(message, at=at, help=help_)


def nested_list(numbers: list[str], axes: int) -> str:
    """Return numbers of the first of several axes, as nested lists in YAML.

    >>> nested_list(["1", "2"], 3)
    '[[[1]], [[2]]]'
    """
    before, after = "[" * (axes - 1), "]" * (axes - 1)
    return f"[{', '.join(before + number + after for number in numbers)}]"


class Reduced(Loss):
    """A loss that reduces many numbers to one."""

    last = "reduction"

    reduction: Reduction = "mean"
    """How the losses of all values become one: by their mean or their sum."""


class ValueLoss(Reduced):
    """Takes an output of any shape and a target of the same shape."""

    takes: ClassVar[Literal["values", "scores", "probabilities", "logarithms", "features"]] = (
        "values"
    )

    def compare(self, target: Target, *y: Shape) -> None:
        if target.tensor.shape != y[0] or not self._takes(target):
            raise mismatch(f"it compares with {self.wanted(*y)}, and the data has {target}")

    def _takes(self, target: Target) -> bool:
        """Whether torch computes with values of this kind. By default it does."""
        return True
