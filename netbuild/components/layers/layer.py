"""The contract of a layer: its shapes, weights and costs, known without running it.

In all layers, `x` is the shape of the input and `y` the shape of the output. Shapes are tuples of
integers without the batch axis: `(C, H, W)`. Fields use torch's axis numbers: axis 0 is the batch,
and axis `d` of a tensor is `x[d - 1]`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from netbuild.components.component import Component
from netbuild.components.first_values import FirstValues
from netbuild.components.layers.formula import Formulas
from netbuild.components.layers.layout import Placed, Strides, elementwise, of_channels
from netbuild.components.layers.lookup import Lookup
from netbuild.components.layers.made import Origin
from netbuild.components.layers.ranges import Range, hull
from netbuild.components.layers.sight import Sight
from netbuild.components.tensor import Shape, ShapeError, Tensor, shown


class Window(NamedTuple):
    """The part of the input that one output position sees, for each spatial axis."""

    kernel: Shape
    stride: Shape
    padding: Shape
    dilation: Shape


#: Where an output lies in memory: in new memory (`new`), in the memory of the first input (`view`),
#: or in the place of the first input's values (`overwritten`). A `locked` output is a view that
#: torch protects from overwriting: one of several views. `same` is the very tensor of the input.
Memory: TypeAlias = Literal["new", "view", "locked", "same", "overwritten"]


#: How torch lays out a new result in memory: in order, with its axes in the order in which those
#: of the inputs lie, or with the channels last if the input has them last.
Arrangement: TypeAlias = Literal["in order", "as input", "channels"]


class Needs(NamedTuple):
    """What the backward pass of a layer needs of the forward pass.

    `inputs` are numbers of inputs and `outputs` names of results, both kept as they are.
    `workspace` is the bytes per sample of all other tensors, such as indices and masks, and `once`
    the bytes of those that are there once a batch.
    """

    inputs: tuple[int, ...] = ()
    outputs: tuple[str, ...] = ()
    workspace: int = 0
    once: int = 0


class Modes(NamedTuple):
    """What a layer computes in training and in evaluation, if the two differ."""

    training: str
    evaluation: str


class Layer(Component):
    """A module of `torch.nn`. By default it computes element by element.

    A rule is a method that takes the shape of each input, in the order of `inputs`. A layer with
    one input writes `macs(self, x)`, a layer with two inputs `macs(self, x1, x2)`; an optional
    input has a default. `outputs` gives all results. A layer with one result
    defines `output_shape` instead. `weights` and `buffers` use the names of `state_dict()`; the
    number of parameters comes from `weights`.
    """

    #: Names of the inputs, in the order of `forward`'s arguments.
    inputs: ClassVar[tuple[str, ...]] = ("input",)
    #: Names of further inputs that a file may omit; they follow `inputs`.
    optional_inputs: ClassVar[tuple[str, ...]] = ()
    #: Names of optional inputs that a file gives by name only, with any gaps; they come last.
    named_inputs: ClassVar[tuple[str, ...]] = ()
    #: Whether the layer takes any number of inputs in place of the last of `inputs`.
    variadic: ClassVar[bool] = False
    #: Whether a file names its inputs as it likes, in `inputs: {name: …}`.
    names_inputs: ClassVar[bool] = False
    #: The formula that a file writes for it, in print.
    written: ClassVar[str | None] = None
    #: The layout of a new result in memory.
    arrangement: ClassVar[Arrangement] = "in order"
    #: Whether it takes floating-point inputs only: torch lacks other dtypes on some device or all.
    needs_float: ClassVar[bool] = True
    #: What it computes in training and in evaluation; `switches` tells whether the two differ.
    modes: ClassVar[Modes | None] = None

    # Traits that lints ask for. A test asks every layer, and compares its answers with torch.

    #: The range of the results for any input; None if the range depends on the input. Each layer
    #: declares it, unless the layer `rearranges` or `pools`.
    results: ClassVar[Range | None] = None
    #: The ranges of the results after the first, by name, if they differ from `results`.
    other_results: ClassVar[Mapping[str, Range | None]] = MappingProxyType({})
    #: Whether the results are unchanged values of the inputs, in another shape or order.
    rearranges: ClassVar[bool] = False
    #: Whether it only merges neighbouring axes or splits an axis.
    regroups: ClassVar[bool] = False
    #: Whether each result is the mean or the largest of several input values.
    pools: ClassVar[bool] = False
    #: Whether it is an affine function of each input, with learned weights.
    is_affine: ClassVar[bool] = False
    #: Whether it is an affine function of its only input, value by value and without weights.
    scales: ClassVar[bool] = False
    #: The axis of the features in the result: 0 for channels, −1 for the last axis.
    feature_axis: ClassVar[int] = 0
    #: Whether it is an activation: a nonlinear function of each single value.
    activates: ClassVar[bool] = False
    #: The steepest slope of an activation that flattens out on both sides. None for an activation
    #: that clips values and has slope 1 between its bounds.
    saturates: ClassVar[float | None] = None
    #: Whether it moves values towards mean 0 and variance 1, layer by layer (Klambauer et al.
    #: 2017).
    self_normalising: ClassVar[bool] = False
    #: What replaces random values in training: zeros, or the smallest value of SELU.
    drops: ClassVar[Literal["zeros", "alpha"] | None] = None
    #: The name of the layer that gives for a single score what this one gives for several.
    for_one_score: ClassVar[str | None] = None
    #: A layer that computes the same, as a file writes it with its fields.
    twin: ClassVar[str | None] = None
    #: The source of the statistics for a normalisation: the batch, the batches of all processes,
    #: each sample, or a mixture of these.
    normalises: ClassVar[Literal["batch", "processes", "sample", "mixture"] | None] = None
    #: Whether it slides a window over the spatial axes in steps of a stride.
    slides: ClassVar[bool] = False
    #: Whether it is a tensor of its stack and has no module: a `Parameter`, a `Constant`.
    is_tensor: ClassVar[bool] = False
    #: Whether it gives each sample values of its own although it reads none, such as noise.
    for_each_sample: ClassVar[bool] = False

    @classmethod
    def torch_name(cls) -> str:
        """Return torch's name of the class that is built."""
        return cls.__name__

    def built_name(self) -> str:
        """Return the name of the class that is built, with the values of these fields."""
        return self.torch_name()

    def reading(self, given: Mapping[str, Tensor]) -> "Layer":
        """Return the layer for inputs that it knows by their names in the file.

        These are its `named_inputs`, or all inputs if it `names_inputs`.
        """
        return self

    @property
    def is_plain(self) -> bool:
        """Whether torch's `forward` takes exactly the inputs and gives exactly the result."""
        return type(self).run is Layer.run

    @property
    def switches(self) -> bool:
        """Whether evaluation differs from training, with the values of these fields."""
        return self.modes is not None

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers, with the values of these fields."""
        return self.switches and self.normalises is None

    @property
    def evaluates(self) -> bool:
        """Whether its module stays in evaluation mode during training, as a frozen norm does."""
        return False

    def stilled(self) -> dict[str, Any]:
        """Return the fields that `freeze` sets, so that training computes as evaluation does."""
        return {}

    def frozen(self) -> "Layer":
        """Return the layer whose training is this layer's evaluation, for `freeze: true`."""
        fields = self.stilled()
        return self.model_copy(update=fields) if fields else self

    def apply(self, *x: Tensor) -> dict[str, Tensor]:
        """Check the inputs against all rules of the layer, and return the results by name.

        Raises:
            ShapeError: an input does not fit, or contradicts a field that the inputs decide.
        """
        self.expect_dtypes(*x)
        outputs = self.outputs(*x)
        for name, value in self.decide(*(tensor.shape for tensor in x)).items():
            written = getattr(self, name)
            if written is not None and written != value:
                message = f"{name} is {shown(written)}, and the input has {shown(value)}"
                raise ShapeError("NB202", message, at=name)
        return outputs

    def expect_origins(self, y: Shape, *origins: Origin | None) -> None:
        """Refuse inputs because of the layers that computed them; None is an input of the network.

        Raises:
            ShapeError: says which origin contradicts the output's shape `y`.
        """

    def expect_dtypes(self, *x: Tensor) -> None:
        """Refuse inputs of dtypes that torch does not take.

        Raises:
            ShapeError: says which input has which dtype.
        """
        for number, tensor in enumerate(x):
            if self.needs_float and not tensor.floating:
                gets = "gets" if len(x) == 1 else f"its input {number + 1} is"
                message = f"it computes with floating-point numbers, and {gets} {tensor.dtype}"
                raise ShapeError("NB207", message)

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        """Return the results by name; the first one goes on to the next layer.

        Raises:
            ShapeError: the inputs do not fit the layer.
        """
        shape = self.output_shape(*(tensor.shape for tensor in x))
        return {"output": Tensor(shape, x[0].dtype)}

    def output_shape(self, x: Shape) -> Shape:
        """Return the shape of the only output; it raises what `outputs` raises."""
        return x

    def decide(self, *x: Shape) -> dict[str, Any]:
        """Return the values of the fields that the inputs decide."""
        return {}

    def weights(self, *x: Shape) -> dict[str, Shape]:
        """Return the shapes of the learned parameters."""
        return {}

    def first_values(self, *x: Shape) -> dict[str, FirstValues]:
        """Return the first values of each parameter in torch, without any initializer."""
        return {}

    def buffers(self, *x: Shape) -> dict[str, Tensor]:
        """Return the other tensors of `state_dict()`, which are not learned."""
        return {}

    def macs(self, *x: Shape) -> int:
        """Return the number of multiply-adds for one sample, without biases and divisions."""
        return 0

    def lookup(self, *x: Shape) -> Lookup | None:
        """Return which numbers an input may have, for a layer that finds something by them."""
        return None

    def window(self, *x: Shape) -> Window | None:
        """Return the window of an output position; None if no such window exists."""
        ones = (1,) * (len(x[0]) - 1)
        return Window(ones, ones, (0,) * len(ones), ones)

    def spread(self) -> Window | None:
        """Return the window that one input position writes to, for transposed convolutions only."""
        return None

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        """Return what a position of a result sees along an axis of an input; None if unclear.

        It is about one sample: statistics of a whole batch do not count.

        Args:
            axis: the position of the axis in the shape of the input.
            x: the shapes of the inputs.
            source: the number of the input.
            port: the name of the result; None is the first one.
        """
        return Sight(axis)

    def causal_fields(self, source: int) -> dict[str, Any]:
        """Return the fields with which a position sees no later positions of an input.

        Empty if the layer has no such form.
        """
        return {}

    def range(self, *x: Range | None) -> Range | None:
        """Return the range of the first result in training, from the ranges of the inputs.

        None means an unknown range.
        """
        return hull(x) if self.rearranges or self.pools else self.results

    def softmax_axis(self, *x: Shape) -> int | None:
        """Return the position of a softmax's axis in the shape; None for other layers."""
        return None

    def centres(self, *x: Shape) -> bool:
        """Whether training cancels a constant that is added to all values of a channel."""
        return False

    def over_one(self, *x: Shape) -> str | None:
        """Return why the result says next to nothing if it computes over a single value, or None.

        The softmax of one number is 1, and a mean of one value is the value itself.
        """
        return None

    def saved(self, *x: Shape) -> tuple[str, ...]:
        """Return the names of the inputs and outputs that training keeps for the backward pass.

        It is what a layer keeps that learns, with inputs that lie in order and need gradients.
        """
        return ()

    def memory(self, *x: Placed) -> Memory:
        """Return where the output lies in memory; without inputs, for inputs that lie in order."""
        return "overwritten" if getattr(self, "inplace", False) else "new"

    def workspace(self, *x: Shape) -> int:
        """Return the bytes per sample that training keeps besides `saved`: indices, masks."""
        return 0

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """Return what the backward pass needs, if an input needs a gradient or the layer `learns`.

        By default the layouts and gradients of the inputs change nothing in `saved`.
        """
        shapes = [one.shape for one in x]
        names = self.saved(*shapes)
        inputs = [n for n, name in enumerate(self.input_names(len(x))) if name in names]
        outputs = [name for name in names if name not in (*self.inputs, *self.optional_inputs)]
        return Needs(tuple(inputs), tuple(outputs), self.workspace(*shapes))

    def needs_order(self, *x: Shape) -> bool:
        """Whether torch needs inputs that are contiguous in memory; a permuted view is not."""
        return False

    def feeding(self, port: str, x: Sequence[Any]) -> Sequence[Any]:
        """Return those of the inputs `x` that a result depends on; by default all."""
        return x

    def needs_for(self, read: Collection[str], *x: Placed, learns: bool) -> Needs:
        """Return the same if gradients come from some of several results only."""
        return self.needs(*x, learns=learns)

    def keeps_itself(self, x: Placed) -> bool:
        """Whether an input that is needed is kept as it lies; otherwise torch keeps a copy."""
        return True

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        """Return the strides of the results, which have the shapes `y`."""
        if self.memory(*x) == "overwritten":
            return (x[0].strides,)
        if self.arrangement == "as input":
            return tuple(elementwise(shape, x) for shape in y)
        if self.arrangement == "channels":
            return tuple(of_channels(x[0], shape) for shape in y)
        return (None,) * len(y)

    def input_names(self, count: int) -> tuple[str, ...]:
        """Return the name of each of this many inputs."""
        names = (*self.inputs, *self.optional_inputs)
        if self.variadic:
            names += names[-1:] * (count - len(names))
        return names[:count]

    def formulas(self, *x: Shape) -> Formulas:
        """Return the formulas that `netbuild explain` prints, for inputs that fit; or none."""
        return Formulas()

    def arguments(self, *x: Shape) -> dict[str, Any]:
        """Return the arguments of torch's constructor, for inputs that fit.

        A field that holds a layer becomes a `Made`.
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return values | self.decide(*x)

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        """Call torch's `forward` with the inputs, and return its results by name.

        The inputs are tensors, or placeholders while a graph is written. This method may index them
        and call their methods. Axis 0 of each input is the batch.
        """
        return {"output": forward(*x)}


def parameters(weight: Shape, bias: Shape | None) -> dict[str, Shape]:
    """Return the weight and, unless None, the bias by the names of `Layer.weights`."""
    return {"weight": weight} | ({} if bias is None else {"bias": bias})
