"""Small networks of images, and fields of augmentations."""

from __future__ import annotations

import inspect
from typing import Any

import kornia.augmentation
import kornia.augmentation.auto
from hypothesis import strategies as st
from torch import nn

from netbuild.syntax.dump import dump


def classes() -> dict[str, type]:
    """Return all classes that kornia's modules of augmentations show."""
    modules = (kornia.augmentation, kornia.augmentation.auto)
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, nn.Module)
    }


WHOLE = [0, 1, 2, 3, 4, 5, 7, 8, 9, -1, -2, -3]
whole = st.sampled_from([*WHOLE, 12, 16])


def network(augment: Any, shape: list[int], **sections: Any) -> str:
    """Return a file whose data is augmented."""
    given: dict[str, Any] = {
        "input": shape,
        "layers": ["Flatten", {"Linear": 10}],
        "loss": "CrossEntropyLoss",
        "data": {"Random": {"samples": 60}, "augment": augment},
    }
    return dump(given | sections)
