"""Parameters: https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html."""

from netbuild.components.fields import Bool, Shaped
from netbuild.components.first_values import FirstValues, constant
from netbuild.components.layers.formula import Formulas, by_axis, formula
from netbuild.components.layers.layer import Layer
from netbuild.components.layers.ranges import ANY
from netbuild.components.tensor import Shape, Tensor


class Parameter(Layer):
    """A learned tensor without inputs: a class token, a position embedding, a scale.

    `shape` has no batch axis, like every shape in a file. torch's tensor has a batch axis of size 1
    in front, which repeats for each sample. With `batch_axis: false` torch's tensor has exactly
    `shape`, and joins repeat it. The tensor begins with zeros, unless the item's `init` says
    otherwise.

    - Parameter: {shape: [1, 768]}  # 1×768
    """

    inputs = ()
    results = ANY
    is_tensor = True

    shape: Shaped
    """Sizes of the tensor, without the batch; [] is a single number."""
    batch_axis: Bool = True
    """Whether torch's tensor has a batch axis of size 1, which repeats for each sample."""

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        return {"output": Tensor(self.shape)}

    def weights(self) -> dict[str, Shape]:
        """A parameter has no module: its name in `state_dict()` is the item's name."""
        return {"": (1, *self.shape) if self.batch_axis else self.shape}

    def first_values(self) -> dict[str, FirstValues]:
        return {"": constant(0.0)}

    def formulas(self) -> Formulas:
        sizes = by_axis(formula("shape", shape=size) for size in self.shape)
        return Formulas(sizes, {"": formula("∏ shape", shape=self.shape)})
