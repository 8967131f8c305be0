"""The base of max pools, which can return the places of the largest values."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from netbuild.components.fields import Bool
from netbuild.components.layers._spatial import Spatial
from netbuild.components.layers.formula import Equation, formula
from netbuild.components.tensor import BYTES, Shape, Tensor, product


class WithIndices(Spatial):
    """A max pool. It keeps the indices of its values for backward, and can return them."""

    pools = True
    other_results = MappingProxyType({"indices": None})
    last = "return_indices"

    return_indices: Bool = False
    """Whether a second result, indices, tells the place of each value; MaxUnpool reads it."""

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        output = Tensor(self.output_shape(x[0].shape), x[0].dtype)
        if not self.return_indices:
            return {"output": output}
        return {"output": output, "indices": Tensor(output.shape, "int64")}

    @property
    def is_plain(self) -> bool:
        return not self.return_indices

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        y = forward(*x)
        return {"output": y[0], "indices": y[1]} if self.return_indices else {"output": y}

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input", "indices") if self.return_indices else ("input",)

    def workspace(self, x: Shape) -> int:
        """The indices, if they are not a result."""
        return 0 if self.return_indices else product(self.output_shape(x)) * BYTES["int64"]

    def kept_indices(self, x: Shape) -> Equation | None:
        """Return the formula of the bytes of the indices."""
        y = self.output_shape(x)
        return formula("8 B·∏ output", output=y) if self.workspace(x) else None
