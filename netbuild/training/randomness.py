"""The states of all generators that a training may draw from, in one place."""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import torch


def seed(value: int, *, deterministic: bool) -> None:
    """Seed all generators. With `deterministic` torch refuses operations that are not reproducible.

    Such operations exist on GPUs: the order of their additions varies from run to run.
    """
    random.seed(value)
    np.random.seed(value % 2**32)  # noqa: NPY002  libraries draw from it
    torch.manual_seed(value)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
    if torch.are_deterministic_algorithms_enabled() != deterministic:  # it imports torch's compiler
        torch.use_deterministic_algorithms(deterministic)


def state() -> dict[str, Any]:
    """Return the states of all generators, in types that a checkpoint can hold."""
    version, numbers, gauss = random.getstate()
    numpy_state: Any = np.random.get_state()  # noqa: NPY002  as above
    _, keys, position, has_gauss, cached = numpy_state
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "rng": torch.get_rng_state(),
        "cuda_rng": cuda,
        "python_rng": [version, list(numbers), gauss],
        "numpy_rng": [torch.from_numpy(keys.astype("int64")), position, has_gauss, cached],
    }


def restore(states: dict[str, Any]) -> None:
    """Set all generators to the states of a checkpoint.

    Raises:
        KeyError, ValueError, TypeError, RuntimeError: these are no such states.
    """
    torch.set_rng_state(states["rng"])
    if states["cuda_rng"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda_rng"])
    version, numbers, gauss = states["python_rng"]
    random.setstate((version, tuple(numbers), gauss))
    keys, position, has_gauss, cached = states["numpy_rng"]
    np.random.set_state(  # noqa: NPY002  as above
        ("MT19937", keys.numpy().astype("uint32"), position, has_gauss, cached)
    )
