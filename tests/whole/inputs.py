"""The inputs of a file and of a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from tests.whole.expression import evaluated
from tests.whole.names import of_input
from tests.whole.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.whole.scope import Inputs

_DTYPES = {
    "float32": torch.float32,
    "int64": torch.int64,
    "int32": torch.int32,
    "uint8": torch.uint8,
    "bool": torch.bool,
}


def zeros(inputs: Mapping[str, tuple[list[int], torch.dtype]], batch: int) -> list[torch.Tensor]:
    """Return samples that every embedding takes."""
    return [
        (torch.rand if dtype.is_floating_point else torch.zeros)(batch, *shape).to(dtype)
        for shape, dtype in inputs.values()
    ]


def shapes(tree: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shape and dtype of each input of a file."""
    if ("input" in tree) == ("inputs" in tree):
        raise Refusal("either input or inputs")
    given = tree["inputs"] if "inputs" in tree else {"input": tree["input"]}
    found = {}
    for name, value in evaluated(given, names).items():
        mapping = value if isinstance(value, dict) else {"shape": value}
        found[name] = (mapping["shape"], _DTYPES[mapping.get("dtype", "float32")])
    return found


def expect_names(inputs: Iterable[str]) -> None:
    """Expect that inputs of a stack have good names.

    Raises:
        Refusal: they do not.
    """
    for name in inputs:
        of_input(name)


def like(original: Inputs, given: Inputs) -> Inputs:
    """Return what a `Reuse` gives to a stack, in the form and the order of the original's inputs.

    Raises:
        Refusal: a stack with several inputs is not given all of them by name.
    """
    if isinstance(original, list):
        if isinstance(given, dict) and set(given) == {"input"}:
            given = list(given.values())
    elif isinstance(given, list) and len(given) == 1:
        given = {next(iter(original)): given[0]}
    if isinstance(given, dict) != isinstance(original, dict) or len(given) != len(original):
        raise Refusal("a stack is given all of its inputs")
    if not isinstance(original, dict) or not isinstance(given, dict):
        return given
    if set(given) != set(original):
        raise Refusal("a stack is given all of its inputs by name")
    return {key: given[key] for key in original}
