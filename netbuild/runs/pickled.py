"""Reads the shapes in a pickled `state_dict()`. No function that the pickle names is called.

Only a config with such a file imports this module.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.diagnostics.exceptions import WeightsError

if TYPE_CHECKING:
    from netbuild.components.tensor import Shape


class Pickled(NamedTuple):
    """The shape of a tensor in a pickle."""

    shape: Shape


class Shapes(pickle.Unpickler):
    """Reads a pickled `state_dict()`. It reads the shape of each tensor, and no values."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in for each of the few functions and classes of a `state_dict()`.

        Raises:
            WeightsError: the pickle names anything else.
        """
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name.startswith("_rebuild_tensor"):
            return lambda *given: Pickled(tuple(given[2]))  # storage, offset, size, …
        if module == "torch._utils" and name.startswith("_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if module in {"torch", "torch.storage"}:  # the types of storages and of their values
            return name
        raise WeightsError(f"it holds a {module}.{name}: save only the module's state_dict()")

    def persistent_load(self, saved: Any) -> Any:
        """Return the description of a storage, whose values are not read."""
        return saved
