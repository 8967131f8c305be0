"""The contract of an optimizer: which weights it can update."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import field_validator

from netbuild.components.component import Component
from netbuild.components.fields import Bool, NaturalFloat, switch, unwanted
from netbuild.components.tensor import Shape, ShapeError

#: A choice that torch makes itself when the field is null.
Switch = Annotated[bool | None, switch("true, false or null for torch's choice")]


class Weight(NamedTuple):
    """A parameter as an optimizer sees it; `sparse` means that its gradient is sparse."""

    name: str
    shape: Shape
    sparse: bool = False
    #: The type of its layer; empty for a parameter of a loss.
    type: str = ""


class Optimizer(Component):
    """An optimizer of `torch.optim` for all parameters of the network."""

    #: Whether it takes sparse gradients, such as an Embedding with `sparse: true` gives.
    takes_sparse: ClassVar[bool] = False
    #: Whether it can step a part of a weight, of which other processes have the other parts.
    takes_parts: ClassVar[bool] = True
    last = "weight_decay foreach maximize differentiable capturable"

    lr: NaturalFloat = 1e-3
    """Learning rate: the factor of each step. Larger steps learn faster, but may diverge."""

    def check(self, weights: Iterable[Weight]) -> None:
        """Refuse weights that torch's optimizer cannot update.

        Raises:
            ShapeError: names the first such weight, or the field at fault.
        """
        if getattr(self, "differentiable", False):
            message = "torch cannot change weights in place while it records gradients for them"
            raise ShapeError("NB406", message, at="differentiable")
        for weight in weights:
            self.check_weight(weight)

    def suits(self, weight: Weight) -> bool:
        """Whether the optimizer is made for weights of this kind.

        In a list of optimizers, another weight goes on to the next one.
        """
        return self.takes_sparse or not weight.sparse

    def check_weight(self, weight: Weight) -> None:
        """Refuse a weight that torch's optimizer cannot update.

        Raises:
            ShapeError: names the weight, and says which weights the optimizer takes.
        """
        if not weight.sparse:
            return
        if not self.takes_sparse:
            takers = "SGD, Adagrad, SparseAdam or LBFGS"
            message = f"{weight.name} has a sparse gradient, which needs {takers}"
            raise ShapeError("NB406", message)
        for field in ("fused", "weight_decay"):
            if getattr(self, field, None):
                message = f"{field} does not work with the sparse gradient of {weight.name}"
                raise ShapeError("NB406", message, at=field)

    @field_validator("fused", check_fields=False)
    @classmethod
    def _one_implementation(cls, fused: Any, info: Any) -> Any:
        if fused and (info.data.get("foreach") or info.data.get("differentiable")):
            raise unwanted("false where foreach or differentiable is true")
        return fused


class Maximizing(Optimizer):
    """An optimizer that can also maximize the loss."""

    maximize: Bool = False
    """Whether steps follow the gradient upwards, to a larger loss; false makes the loss smaller."""


class Grouped(Maximizing):
    """An optimizer that can update many weights in one operation."""

    foreach: Switch = None
    """Whether one operation updates many weights: fast, more memory. null: torch decides."""


class Differentiable(Grouped):
    """An optimizer whose steps torch can differentiate."""

    differentiable: Bool = False
    """Whether gradients go through the step itself; torch cannot train a network with it."""


class Capturable(Differentiable):
    """An optimizer whose steps CUDA graphs can record."""

    capturable: Bool = False
    """Whether a CUDA graph may record the step; slower outside of a graph."""


class Fusing(Differentiable):
    """An optimizer with its whole step in one kernel."""

    fused: Switch = None
    """Whether one kernel does the whole step, the fastest way; null: wherever torch can."""


class Decaying(Optimizer):
    """An optimizer that can pull weights towards 0 by adding to their gradients."""

    weight_decay: NaturalFloat = 0.0
    """Adds weight_decay · w to the gradient of w, which pulls w towards 0; 0 adds nothing."""
