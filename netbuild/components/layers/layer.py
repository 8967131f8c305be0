"""The contract of a layer: what is known about it without running it.

Throughout the layers, `x` is the shape of the input and `y` of the output, as tuples of integers
without the batch axis: `(C, H, W)`. Axis numbers in fields are torch's, so axis 0 is the batch and
axis `d` of a tensor is `x[d - 1]`.
"""

from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from netbuild.components.component import Component
from netbuild.components.layers.formula import Formulas
from netbuild.components.tensor import Shape, ShapeError, Tensor, times


class Window(NamedTuple):
    """What one output position sees of the input, for each spatial axis."""

    kernel: Shape
    stride: Shape
    padding: Shape
    dilation: Shape


#: Where an output lies: in memory of its own, in that of the first input, or in its place. What is
#: `locked` is a view that torch lets nothing overwrite: one of several, or values that repeat.
Memory: TypeAlias = Literal["new", "view", "locked", "overwritten"]


class Range(NamedTuple):
    """Between which numbers values lie; they come near both."""

    least: float
    most: float

    def within(self, other: "Range") -> bool:
        """Whether the other one holds all of it."""
        return other.least <= self.least and self.most <= other.most

    def meets(self, other: "Range") -> bool:
        """Whether both have more in common than a bound."""
        return max(self.least, other.least) < min(self.most, other.most)

    def with_(self, *values: float) -> "Range":
        """Return the range that holds these values too."""
        return Range(min(self.least, *values), max(self.most, *values))


ANY = Range(-inf, inf)
POSITIVE = Range(0, inf)
PROBABILITIES = Range(0, 1)
#: Of probabilities.
LOGARITHMS = Range(-inf, 0)
SIGNED = Range(-1, 1)


def hull(x: tuple[Range | None, ...]) -> Range | None:
    """Return the range that holds all of these; None where one is unknown."""
    known = [one for one in x if one is not None]
    if not known or len(known) < len(x):
        return None
    return Range(min(one.least for one in known), max(one.most for one in known))


class Origin(NamedTuple):
    """What an input comes from: a layer, and the shapes that it was given."""

    layer: "Layer"
    shapes: tuple[Shape, ...]


class Made(NamedTuple):
    """A module that a constructor is given: the layer that it is, and its own arguments."""

    layer: "Layer"
    arguments: dict[str, Any]


class Modes(NamedTuple):
    """What a layer computes in training, and what in evaluation, where the two differ."""

    training: str
    evaluation: str


class Layer(Component):
    """A module of `torch.nn`: by default one that computes element by element.

    A rule is given the shape of each input, in the order of `inputs`: a layer of one input writes
    `macs(self, x)`, one of two `macs(self, x1, x2)`, and what may be left out has a default.
    `outputs` is the general form of a result; a layer with one says its `output_shape` instead.
    `weights` and `buffers` are named as in `state_dict()`; parameters are counted from them.
    """

    #: What the inputs are called, in the order of `forward`'s arguments.
    inputs: ClassVar[tuple[str, ...]] = ("input",)
    #: The inputs behind those that may be left out.
    optional_inputs: ClassVar[tuple[str, ...]] = ()
    #: Whether the last of `inputs` may be given any number of times.
    variadic: ClassVar[bool] = False
    #: Which of `saved` it keeps for the gradients of its weights alone.
    saved_for_weights: ClassVar[tuple[str, ...]] = ()
    #: Whether torch needs the values of its inputs to lie in order, as a permuted view's do not.
    needs_order: ClassVar[bool] = False
    #: Whether torch computes this for floating-point inputs only, on every device.
    needs_float: ClassVar[bool] = True
    #: What it computes in training and in evaluation; `switches` says whether the two differ.
    modes: ClassVar[Modes | None] = None

    # What a layer is, for lints. A test asks every layer, and compares it with torch.

    #: Between which numbers the results lie, whatever the layer reads; None where they depend on
    #: it. Each layer declares it, unless it `rearranges` or `pools`.
    results: ClassVar[Range | None] = None
    #: The same for results other than the first, by name, where it differs.
    other_results: ClassVar[Mapping[str, Range | None]] = MappingProxyType({})
    #: Whether the results are values of the inputs, each as it is, in another shape or order.
    rearranges: ClassVar[bool] = False
    #: Whether it merges neighbouring axes, or splits one, and changes nothing else.
    regroups: ClassVar[bool] = False
    #: Whether each result is the mean, or the largest, of several values of the input.
    pools: ClassVar[bool] = False
    #: Whether it sums values times weights that it learns: an affine function of each input.
    is_affine: ClassVar[bool] = False
    #: The axis of the features that it makes: 0 are channels, and −1 is the last axis.
    feature_axis: ClassVar[int] = 0
    #: Whether it is an activation: a function of each single value that is not affine.
    activates: ClassVar[bool] = False
    #: The steepest slope of an activation that flattens out on both sides. What clips values, and
    #: has slope 1 between its bounds, has None.
    saturates: ClassVar[float | None] = None
    #: Whether it brings values towards mean 0 and variance 1, layer by layer (Klambauer et al.
    #: 2017).
    self_normalising: ClassVar[bool] = False
    #: What takes the place of some values in training, at random: zeros, or the least that SELU
    #: gives.
    drops: ClassVar[Literal["zeros", "alpha"] | None] = None
    #: Whose statistics it normalises with: those of a batch, of the batches of all processes, of
    #: each sample, or a mixture of them.
    normalises: ClassVar[Literal["batch", "processes", "sample", "mixture"] | None] = None
    #: Whether it moves a window over the spatial axes, in steps of a stride.
    slides: ClassVar[bool] = False

    @classmethod
    def torch_name(cls) -> str:
        """Return what torch calls the class that is built."""
        return cls.__name__

    @property
    def is_plain(self) -> bool:
        """Whether torch's `forward` takes the inputs and gives the result as they are."""
        return type(self).run is Layer.run

    @property
    def switches(self) -> bool:
        """Whether it computes something else in evaluation than in training, with these fields."""
        return self.modes is not None

    def apply(self, *x: Tensor) -> dict[str, Tensor]:
        """Return the results by name for inputs that are checked against everything declared.

        Raises:
            ShapeError: the inputs do not fit, or contradict a field that they decide.
        """
        self.expect_dtypes(*x)
        outputs = self.outputs(*x)
        for name, value in self.decide(*(tensor.shape for tensor in x)).items():
            written = getattr(self, name)
            if written is not None and written != value:
                message = f"{name} is {_sizes(written)}, and the input has {_sizes(value)}"
                raise ShapeError("NB202", message, at=name)
        return outputs

    def expect_origins(self, y: Shape, *origins: "Origin | None") -> None:
        """Refuse inputs by the layers that they come from, None being the network's own inputs.

        Raises:
            ShapeError: says what does not go together with the output's shape.
        """

    def expect_dtypes(self, *x: Tensor) -> None:
        """Refuse inputs whose dtypes torch does not compute with.

        Raises:
            ShapeError: says which input has which dtype.
        """
        for number, tensor in enumerate(x):
            if self.needs_float and not tensor.floating:
                gets = "gets" if len(x) == 1 else f"its input {number + 1} is"
                message = f"it computes with floating-point numbers, and {gets} {tensor.dtype}"
                raise ShapeError("NB207", message)

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        """Return the results by name, the one that is passed on first.

        Raises:
            ShapeError: the inputs do not fit.
        """
        shape = self.output_shape(*(tensor.shape for tensor in x))
        return {"output": Tensor(shape, x[0].dtype)}

    def output_shape(self, x: Shape) -> Shape:
        """Return the shape of the only output.

        Raises:
            ShapeError: the inputs do not fit.
        """
        return x

    def decide(self, *x: Shape) -> dict[str, Any]:
        """Return the fields that the inputs decide, with torch's values for them."""
        return {}

    def weights(self, *x: Shape) -> dict[str, Shape]:
        """Return the shapes of the learned parameters."""
        return {}

    def buffers(self, *x: Shape) -> dict[str, Tensor]:
        """Return the tensors that `state_dict()` keeps beside the parameters."""
        return {}

    def macs(self, *x: Shape) -> int:
        """Return the multiplications of a multiply-add for one sample; no bias, no division."""
        return 0

    def window(self, *x: Shape) -> Window | None:
        """Return what an output position sees; None where positions have no place any more."""
        ones = (1,) * (len(x[0]) - 1)
        return Window(ones, ones, (0,) * len(ones), ones)

    def spread(self) -> Window | None:
        """Return what of the output one input position reaches, of a transposed convolution."""
        return None

    def range(self, *x: Range | None) -> Range | None:
        """Return between which numbers the first result lies, by the ranges of the inputs.

        None stands for an unknown range. The results are those of training.
        """
        return hull(x) if self.rearranges or self.pools else self.results

    def softmax_axis(self, *x: Shape) -> int | None:
        """Return the axis of the shape over which this is a softmax, or its logarithm."""
        return None

    def centres(self, *x: Shape) -> bool:
        """Whether training takes away a constant that is added to all values of a channel."""
        return False

    def saved(self, *x: Shape) -> tuple[str, ...]:
        """Return the inputs and outputs, by name, that training keeps for the backward pass."""
        return ()

    def memory(self) -> Memory:
        """Return where the output lies: in memory of its own, or in the first input's."""
        return "overwritten" if getattr(self, "inplace", False) else "new"

    def workspace(self, *x: Shape) -> int:
        """Return the bytes a sample that training keeps beside those: indices, masks."""
        return 0

    def formulas(self, *x: Shape) -> Formulas:
        """Return how those numbers come about, for inputs that fit, as `netbuild explain` says it.

        What is computed element by element has the shape of its input, and no more to say.
        """
        return Formulas()

    def arguments(self, *x: Shape) -> dict[str, Any]:
        """Return the arguments of torch's constructor, for inputs that fit.

        A field that holds a layer becomes a `Made`.
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return values | self.decide(*x)

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        """Call torch's `forward` with the inputs, and return its results by name.

        The values are tensors, or stand for tensors while a graph is written: this may index them
        and call their methods. Axis 0 of each is the batch.
        """
        return {"output": forward(*x)}


class Lazy(Layer):
    """A name of torch for a layer whose input decides its sizes: it becomes that layer.

    A member hides the field that cannot be written with a class variable of the same name.
    """

    @classmethod
    def torch_name(cls) -> str:
        return cls.__name__.removeprefix("Lazy")


class Operation(Layer):
    """A function of `torch`, or a method of its tensors, called with fields as its keywords.

    `arguments` are those keywords, as torch gets them: with the batch axis.
    """

    function: ClassVar[str]
    #: Where torch has it.
    namespace: ClassVar[Literal["torch", "torch.Tensor"]] = "torch"
    #: Whether it repeats what lacks an axis, the batch too.
    broadcasts: ClassVar[bool] = False

    needs_float = False


def _sizes(value: Any) -> str:
    return times(value) if isinstance(value, tuple) else str(value)


def parameters(weight: Shape, bias: Shape | None) -> dict[str, Shape]:
    """Return a weight, and a bias where there is one, as `Layer.weights` names them."""
    return {"weight": weight} | ({} if bias is None else {"bias": bias})
