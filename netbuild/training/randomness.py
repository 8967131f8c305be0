"""The random generators of a training: seeding them, and saving and restoring their states."""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import torch

#: The words of a Mersenne Twister.
_WORDS = 624


def seed(value: int, *, deterministic: bool) -> None:
    """Seed all generators. With `deterministic`, torch uses only reproducible operations.

    Some operations on GPUs are not reproducible: the order of their additions varies. torch raises
    an exception if it has no reproducible one.
    """
    random.seed(value)
    np.random.seed(value % 2**32)  # noqa: NPY002  libraries use this generator
    torch.manual_seed(value)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
    if (
        torch.are_deterministic_algorithms_enabled() != deterministic
    ):  # the call imports torch's compiler
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
        KeyError, ValueError, TypeError, RuntimeError: the states are damaged.
    """
    torch.set_rng_state(states["rng"])
    if states["cuda_rng"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda_rng"])
    version, numbers, gauss = states["python_rng"]
    random.setstate((version, tuple(numbers), gauss))
    keys, position, has_gauss, cached = states["numpy_rng"]
    if keys.shape != (_WORDS,) or not 0 <= position <= _WORDS:  # numpy would read behind the keys
        raise ValueError("the state of numpy's generator is damaged")
    np.random.set_state(  # noqa: NPY002  as above
        ("MT19937", keys.numpy().astype("uint32"), position, has_gauss, cached)
    )
