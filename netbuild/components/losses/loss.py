"""The contract of a loss: what it takes of the network and of the data, without computing it.

As in the layers, shapes are without the batch: `y` is what the network gives for one sample.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from netbuild.components.component import Component
from netbuild.components.fields import Wants, many, one_of, optional, real
from netbuild.components.target import Target, Values
from netbuild.components.tensor import Shape, ShapeError, Tensor, times

#: A training needs one number, so `none` is not offered.
Reduction = Annotated[Literal["mean", "sum"], one_of("mean", "sum")]
Weights = Annotated[
    tuple[float, ...] | None,
    Wants(
        "a list of numbers of at least 0, one for each class",
        optional(many(real(ge=0), at_least=1)),
    ),
]


class Loss(Component):
    """A loss of `torch.nn`: by default of one output, with a target of the same shape.

    Left out of torch's fields are `size_average` and `reduce`, which torch has deprecated for
    `reduction`.
    """

    #: The outputs of the network that it reads, in the order of `forward`'s arguments.
    inputs: ClassVar[tuple[str, ...]] = ("input",)
    #: Whether it tells classes apart, so that there is an accuracy.
    classifies: ClassVar[bool] = False
    #: Whether it tells at each place of an output whether something is so: two classes each.
    binary: ClassVar[bool] = False
    #: Whether its target is 1 or −1.
    signed: ClassVar[bool] = False

    # What a loss is, for lints. A test asks every loss.

    #: What its first output has to be: values or scores of any size, probabilities, logarithms of
    #: probabilities, or features from which the loss makes scores or distances itself.
    takes: ClassVar[Literal["values", "scores", "probabilities", "logarithms", "features"]]
    #: The function that it applies to what it gets.
    applies: ClassVar[Literal["softmax", "sigmoid"] | None] = None
    #: The loss of `takes: scores` that applies what this one wants applied before.
    of_scores: ClassVar[str | None] = None
    #: The loss that wants applied before what this one `applies`.
    of_applied: ClassVar[str | None] = None
    #: torch's number of the axis of the classes, where it `classifies` or takes logarithms.
    class_axis: ClassVar[int] = 1
    #: The field that says how many classes its own weights tell apart.
    classes_field: ClassVar[str | None] = None

    @classmethod
    def torch_name(cls) -> str:
        """Return what torch calls the class that is built."""
        return cls.__name__

    def target(self, outputs: tuple[Tensor, ...]) -> Target:
        """Return what data must hold to be compared with these outputs, as far as they fit."""
        if len(outputs) != len(self.inputs):
            return Values(outputs[0].shape)
        return self.wanted(*(output.shape for output in outputs))

    def check(self, outputs: tuple[Tensor, ...], target: Target) -> None:
        """Compare what the network gives with what the data holds.

        Raises:
            ShapeError: they do not go together.
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
        """Return what it would best be compared with."""
        return Values(y[0])

    def compare(self, target: Target, *y: Shape) -> None:
        """Compare the shapes of the outputs with what the data holds.

        Raises:
            ShapeError: they do not go together.
        """
        raise TypeError(f"{type(self).__name__} does not say what it takes")

    def decide(self, *y: Shape) -> dict[str, Any]:
        """Return the fields that the outputs decide, with torch's values for them."""
        return {}

    def weights(self, *y: Shape) -> dict[str, Shape]:
        """Return the shapes of the parameters that it learns itself."""
        return {}

    def arguments(self, *y: Shape) -> dict[str, Any]:
        """Return the arguments of torch's constructor."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return values | self.decide(*y)

    def run(self, forward: Callable[..., Any], y: tuple[Any, ...], target: Any) -> Any:
        """Call torch's `forward` with batches of the outputs and of targets; gives one number."""
        return forward(*y, target)


def mismatch(message: str, *, at: str | None = None) -> ShapeError:
    """Return the error of a loss that does not go with the network and the data."""
    return ShapeError("NB401", message, at=at)


def expect_axes(y: Shape, axes: str, *, rank: int) -> None:
    """Refuse an output whose number of axes is not `rank`; `axes` names them.

    Raises:
        ShapeError: it has another number of axes.
    """
    if len(y) != rank:
        plural = "axis" if rank == 1 else "axes"
        given = f"the output has {len(y)}" + (f": {times(y)}" if y else "")
        raise mismatch(f"it needs {rank} {plural} ({axes}), and {given}")


def expect_weights(weight: tuple[float, ...] | None, classes: int) -> None:
    """Refuse weights that are not one for each class.

    Raises:
        ShapeError: there are more or fewer.
    """
    if weight is not None and len(weight) != classes:
        raise mismatch(f"weight has {len(weight)} numbers for {classes} classes", at="weight")


class Reduced(Loss):
    """A loss that makes one number of many."""

    last = "reduction"

    reduction: Reduction = "mean"
    """How the losses of all values become one: their mean, or their sum."""
