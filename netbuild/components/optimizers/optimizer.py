"""The contract of an optimizer: which weights it takes."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import field_validator

from netbuild.components.component import Component
from netbuild.components.fields import Bool, NaturalFloat, switch, unwanted
from netbuild.components.tensor import Shape, ShapeError

#: What torch decides for itself unless it is said.
Switch = Annotated[bool | None, switch("true, false or null for torch's choice")]


class Weight(NamedTuple):
    """What an optimizer has to know of a parameter; a `sparse` one has a sparse gradient."""

    name: str
    shape: Shape
    sparse: bool = False


class Optimizer(Component):
    """An optimizer of `torch.optim`, over all parameters of the network."""

    #: Whether gradients may be sparse, as those of an Embedding with `sparse: true` are.
    takes_sparse: ClassVar[bool] = False
    last = "weight_decay foreach maximize differentiable capturable"

    lr: NaturalFloat = 1e-3
    """Learning rate: the factor of each step. Larger steps learn faster, and may diverge."""

    def check(self, weights: Iterable[Weight]) -> None:
        """Refuse weights that torch does not step with.

        Raises:
            ShapeError: names the first weight, or the field, that is to blame.
        """
        if getattr(self, "differentiable", False):
            message = "torch refuses to write into weights while it differentiates by them"
            raise ShapeError("NB406", message, at="differentiable")
        for weight in weights:
            self.check_weight(weight)

    def check_weight(self, weight: Weight) -> None:
        """Refuse a weight that torch does not step with.

        Raises:
            ShapeError: says what it is, and what is wanted.
        """
        if not weight.sparse:
            return
        if not self.takes_sparse:
            takers = "SGD, Adagrad, SparseAdam or LBFGS"
            message = f"{weight.name} has a sparse gradient, which {takers} would take"
            raise ShapeError("NB406", message)
        for field in ("fused", "weight_decay"):
            if getattr(self, field, None):
                message = f"{weight.name} has a sparse gradient, with which it does not go"
                raise ShapeError("NB406", message, at=field)

    @field_validator("fused", check_fields=False)
    @classmethod
    def _one_implementation(cls, fused: Any, info: Any) -> Any:
        if fused and (info.data.get("foreach") or info.data.get("differentiable")):
            raise unwanted("false where foreach or differentiable is true")
        return fused


class Maximizing(Optimizer):
    """An optimizer that may climb."""

    maximize: Bool = False
    """Whether steps go up the gradient, so that the loss grows; false makes the loss small."""


class Grouped(Maximizing):
    """An optimizer that may step with many weights in one operation."""

    foreach: Switch = None
    """Whether one operation steps with many weights: fast, more memory. null: torch decides."""


class Differentiable(Grouped):
    """An optimizer whose steps torch can record."""

    differentiable: Bool = False
    """Whether gradients go through the step itself; torch cannot train these weights so."""


class Capturable(Differentiable):
    """An optimizer that CUDA graphs can hold."""

    capturable: Bool = False
    """Whether a CUDA graph may record the step; slower outside of one."""


class Fusing(Differentiable):
    """An optimizer that has its whole step as one operation."""

    fused: Switch = None
    """Whether one kernel does the whole step, which is fastest; null: wherever torch can."""


class Decaying(Optimizer):
    """An optimizer that may pull weights towards 0 by their gradients."""

    weight_decay: NaturalFloat = 0.0
    """Adds this times the weight to its gradient, which pulls it towards 0; 0 does not."""
