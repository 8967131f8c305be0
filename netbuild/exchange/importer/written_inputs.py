"""The shapes of inputs as the command line writes them: `tokens=128:int64`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.exceptions import ImportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.components.tensor import Shape

#: The dtypes of inputs.
_DTYPES = ("float32", "int64", "int32", "uint8", "bool")


def shapes(written: Sequence[str]) -> dict[str, tuple[Shape, str]]:
    """Return the shape and the dtype of each input by its name; a name may be empty.

    Raises:
        ImportedError: it is no shape, an unknown dtype, or a name that stands twice.
    """
    found: dict[str, tuple[Shape, str]] = {}
    for text in written:
        name, _, rest = text.rpartition("=")
        sizes, _, dtype = rest.partition(":")
        dtype = dtype or "float32"
        if dtype not in _DTYPES:
            message = f"{dtype} is no dtype of an input: {', '.join(_DTYPES)}"
            raise ImportedError(message)
        try:
            shape = tuple(int(size) for size in sizes.split(",") if size.strip())
        except ValueError:
            shape = (0,)
        if any(size < 1 for size in shape):
            message = f"{text} is no shape without the batch, such as 3,224,224"
            raise ImportedError(message)
        if name in found or (not name and len(written) > 1):
            message = f"several inputs need names of their own, such as image={rest}"
            raise ImportedError(message)
        found[name] = (shape, dtype)
    return found
