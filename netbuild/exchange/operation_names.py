"""The names of operations: in a config by their type, and in Python by a variable.

The writer of source and the importer share them, so that a name survives the way there and back.
"""

from __future__ import annotations

import builtins
import keyword
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Names that torch's modules have for something else.
_SHORT = {"To": "cast", "Linear": "product", "TakeAlongDim": "taken", "RandnLike": "noise"}
#: Names that a variable may not hide.
_TAKEN = {"self", "torch", "nn", "F", "Tensor", "checkpoint", "recomputed", "math"}
#: Variables whose name says nothing of what they hold.
_GENERIC = re.compile(
    r"(?:[a-z]|_+|xs|hs|out|outs|output|outputs|input|inputs|res|result|results|ret|tmp|temp|val"
    r"|value|values|tensor|feat|feats|features|hidden_states|(?:x|h|out)_?[a-z]?)_?\d*"
)


def of_type(kind: str) -> str:
    """Return the name of an operation that nobody names."""
    return _SHORT.get(kind, kind.lower().strip("_")) or "step"


def variable(name: str) -> str:
    """Return a name as a variable of Python: `input` is `x`, and `0` is `y`."""
    if name == "input":
        return "x"
    if not name.isidentifier():
        return "y"
    return f"{name}_" if _hides(name) else name


def _hides(name: str) -> bool:
    return name in _TAKEN or keyword.iskeyword(name) or hasattr(builtins, name)


def told(variables: Sequence[str], *, typed: bool = False) -> str | None:
    """Return the name that variables give to the operation whose results they hold.

    It is the variable itself, or what `halves0` and `halves1`, or `best_values` and
    `best_indices`, begin with. None if it says nothing, as `x`: unless an annotation of its type
    tells it from the other values that such a variable holds.
    """
    named = [(number, one) for number, one in enumerate(variables) if one != "_"]
    if len(variables) == 1 and named:
        name = variables[0]
        name = name[:-1] if name.endswith("_") and _hides(name[:-1]) else name
    else:
        stems = {_stem(number, one) for number, one in named}
        name = stems.pop() if len(stems) == 1 else ""
    says = name and name.isascii() and (typed or not _GENERIC.fullmatch(name))
    return name if says and name.strip("_") else None


def _stem(number: int, name: str) -> str:
    if name.endswith(str(number)):
        return name.removesuffix(str(number))
    return name.rpartition("_")[0]
