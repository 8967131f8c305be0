"""The base of joins: operations on several tensors."""

from netbuild.components.layers._broadcast import (
    promoted,
)
from netbuild.components.layers.operation import Operation
from netbuild.components.tensor import Tensor


class Join(Operation):
    """Gives a tensor of the promoted dtype of all inputs."""

    inputs = ("input", "other")
    results = None

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        shape = self.output_shape(*(tensor.shape for tensor in x))
        return {"output": Tensor(shape, promoted(*x))}
