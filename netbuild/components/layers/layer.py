"""The contract of a layer: what is known about it without running it.

Throughout the layers, `x` is the shape of the input and `y` of the output, as tuples of integers
without the batch axis: `(C, H, W)`. Axis numbers in fields are torch's, so axis 0 is the batch and
axis `d` of a tensor is `x[d - 1]`.
"""

from collections.abc import Callable
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
