"""Formulas: Python itself evaluates their text, with torch's functions."""

from __future__ import annotations

import ast
import math
from typing import Any

import torch
from torch.nn import functional

from tests.whole.refusal import Refusal

_NUMBERS = {"pi": math.pi, "e": math.e, "inf": math.inf}


def computed(formula: str, **values: torch.Tensor) -> torch.Tensor:
    """Return what a formula gives for its inputs.

    Raises:
        Refusal: a name that nothing has, or an input that the formula does not read.
    """
    if len({x.dim() for x in values.values() if len(x) > 1}) > 1:
        raise Refusal("inputs of different ranks")
    read = {node.id for node in ast.walk(ast.parse(formula)) if isinstance(node, ast.Name)}
    if not values.keys() <= read:
        raise Refusal("an input that the formula does not read")
    names: dict[str, Any] = {**_NUMBERS, **values}
    for name in read - names.keys():
        found = getattr(torch, name, None) or getattr(functional, name, None)
        if found is None:
            raise Refusal(f"no function is called {name}")
        names[name] = found
    y = eval(formula, {}, names)  # noqa: S307  formulas that the tests draw
    if not isinstance(y, torch.Tensor):
        raise Refusal("a number")
    return y
