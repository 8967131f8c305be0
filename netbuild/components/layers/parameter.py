"""Parameters: https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html."""

from netbuild.components.fields import Bool, Shaped
from netbuild.components.layers.formula import Formulas, by_axis, formula
from netbuild.components.layers.layer import ANY, Layer, Memory
from netbuild.components.tensor import Shape, Tensor


class Parameter(Layer):
    """A learned tensor that reads nothing: a class token, a position embedding, a scale.

    `shape` is written without the batch, like every shape. torch's tensor has a batch axis of 1
    before it, which repeats for each sample; without `batch_axis` it is `shape` itself, and joins
    repeat it. It begins with zeros, unless `init` beside it says otherwise.

    - Parameter: {shape: [1, 768]}  # 1×768
    """

    inputs = ()
    results = ANY

    shape: Shaped
    """Sizes of the tensor, without the batch; [] is a single number."""
    batch_axis: Bool = True
    """Whether torch's tensor has an axis of 1 in front, which repeats for each sample."""

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        return {"output": Tensor(self.shape)}

    def weights(self) -> dict[str, Shape]:
        """It has no module: its name in `state_dict()` is that of the member alone."""
        return {"": (1, *self.shape) if self.batch_axis else self.shape}

    def formulas(self) -> Formulas:
        sizes = by_axis(formula("shape", shape=size) for size in self.shape)
        return Formulas(sizes, {"": formula("∏ shape", shape=self.shape)})

    def memory(self) -> Memory:
        """Torch lets nothing overwrite what it learns."""
        return "locked"
