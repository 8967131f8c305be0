"""A pickled `state_dict()`, of which nothing is called and no value is read.

It has a module of its own, for a network without such a file does not need it.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.diagnostics.exceptions import WeightsError

if TYPE_CHECKING:
    from netbuild.components.tensor import Shape


class Pickled(NamedTuple):
    """A tensor of a pickle, its shape alone."""

    shape: Shape


class Shapes(pickle.Unpickler):
    """Reads a pickled `state_dict()`, of each tensor its shape alone."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for the little that a `state_dict()` is made of."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name.startswith("_rebuild_tensor"):
            return lambda *given: Pickled(tuple(given[2]))  # storage, offset, size, …
        if module == "torch._utils" and name.startswith("_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if module in {"torch", "torch.storage"}:  # the types of storages and of their values
            return name
        raise WeightsError(f"it holds a {module}.{name}: save the module's state_dict() alone")

    def persistent_load(self, saved: Any) -> Any:
        """Leave the values where they are."""
        return saved
