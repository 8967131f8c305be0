"""What a program gives to a prediction, as the inputs that the reader of samples knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from netbuild.diagnostics.exceptions import InputError
from netbuild.training.prediction.inputs import Array, Input, NamedArrays, Records


def inputs_of(given: Any) -> list[Input]:
    """Return the inputs in arrays, tensors, paths, records of a table, or a list of these.

    Raises:
        InputError: a value is none of them.
    """
    if hasattr(given, "to_dict") and hasattr(given, "columns"):  # a DataFrame
        return [Records(given.to_dict("records"))]
    if isinstance(given, Mapping):
        return [_mapping(given)]
    if isinstance(given, Sequence) and not isinstance(given, str):
        if given and all(isinstance(one, Mapping) and not _has_arrays(one) for one in given):
            return [Records([dict(one) for one in given])]
        if all(_is_numbers(one) for one in given):
            return [_array(given)]
        return [one for part in given for one in inputs_of(part)]
    return [_one(given)]


def _is_numbers(given: Any) -> bool:
    """Whether a value is a number, or nested lists of numbers."""
    if isinstance(given, Sequence) and not isinstance(given, str):
        return all(map(_is_numbers, given))
    return isinstance(given, int | float | np.generic)


def _one(given: Any) -> Input:
    if isinstance(given, str | Path | np.ndarray):
        return given
    return _array(given)


def _mapping(given: Mapping[Any, Any]) -> Input:
    """Return arrays by the names of the network's inputs, or one record of a table."""
    if _has_arrays(given):
        return NamedArrays({str(name): _array(value) for name, value in given.items()})
    return Records([dict(given)])


def _has_arrays(given: Mapping[Any, Any]) -> bool:
    return any(isinstance(value, np.ndarray | torch.Tensor | list) for value in given.values())


def _array(given: Any) -> Array:
    if isinstance(given, torch.Tensor):
        return np.asarray(given.detach().cpu().numpy())
    try:
        found = np.asarray(given)
    except ValueError as error:
        raise InputError(f"a list does not become an array: {error}") from error
    if found.dtype.kind not in "biuf":
        kind = type(given).__name__
        message = f"a prediction takes arrays, tensors, paths and records, and no {kind}"
        raise InputError(message)
    return found
