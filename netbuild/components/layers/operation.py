"""Operations: layers that are functions of torch, without weights."""

from typing import ClassVar

from netbuild.components.layers.layer import Layer
from netbuild.components.tensor import Shape


class Operation(Layer):
    """A function of `torch` or a method of its tensors; the fields are its keywords.

    `arguments` gives these keywords as torch needs them, with the batch axis. Without a `function`
    it is several functions: `run` gives `forward` the name of each one first.
    """

    function: ClassVar[str]
    #: Where torch defines the function: torch, torch.Tensor, torch.linalg, torch.nn.functional.
    namespace: ClassVar[str] = "torch"
    #: Whether it broadcasts: axes of size 1 repeat, and an input that all samples share may lack
    #: axes, but has at least `least_axes` of its own.
    broadcasts: ClassVar[bool] = False
    least_axes: ClassVar[int] = 0
    #: Whether it gives a tuple of results, in the order of `outputs`.
    gives_tuple: ClassVar[bool] = False

    needs_float = False

    def batch_axis(self, number: int, x: Shape) -> bool | None:
        """Return whether it reads a shared input beside others with its batch axis of 1.

        None takes both.
        """
        return None
