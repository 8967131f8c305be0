"""Copies of modules, as users make them."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn


def pickled(module: nn.Module) -> nn.Module:
    """Return a module that has been pickled."""
    made: nn.Module = pickle.loads(pickle.dumps(module))  # noqa: S301  its own pickle
    return made


def saved_whole(module: nn.Module) -> nn.Module:
    """Return a module that torch has saved as a whole."""
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    made: nn.Module = torch.load(file, weights_only=False)
    return made
