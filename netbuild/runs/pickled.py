"""A pickled `state_dict()`, read without calling anything that it names, and without its values.

A network without such a file does not import this module.
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
    """Reads a pickled `state_dict()`, and of each tensor only its shape."""

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
        raise WeightsError(f"it holds a {module}.{name}: save the module's state_dict() alone")

    def persistent_load(self, saved: Any) -> Any:
        """Return the description of a storage, whose values are not read."""
        return saved
