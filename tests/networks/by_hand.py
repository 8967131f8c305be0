"""The small networks of the tests that are written by hand, with inputs for them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_8 = (2, 8)
#: The class of a network, by its module in this folder, and the shapes of its inputs.
NETWORKS: dict[str, dict[str, list[tuple[int, ...]]]] = {
    "arithmetic": {"Siren": [(2, 5, 2)], "ResponseNorm": [(2, 6, 4, 4)]},
    "computed": {
        "Mixture": [_8],
        "Cosine": [(2, 16)],
        "Coupling": [(2, 6)],
        "Hypernetwork": [(2, 4), (2, 3)],
        "Quantised": [(2, 10, 4)],
        "Scan": [(2, 12, 4)],
    },
    "depths": {"Spectral": [(2, 1, 8, 8)]},
    "sequences": {"WaveNet": [(2, 4, 32)], "Perceiver": [(2, 50, 6)]},
    "sets": {
        "PointNet": [(2, 3, 20)],
        "GraphNet": [(2, 12, 5), (2, 12, 12)],
        "DeepSets": [(2, 10, 4)],
        "SetTransformer": [(2, 12, 16)],
    },
    "shared": {"Rotary": [(2, 6, 16)]},
    "vision": {"AttentionUNet": [(2, 1, 16, 16)], "CBAMNet": [(2, 16, 8, 8)]},
    "weights": {"TCN": [(2, 3, 24)], "Critic": [(2, 1, 16, 16)], "LoRA": [_8]},
}


def cases() -> Iterator[tuple[str, Callable[[], nn.Module], list[torch.Tensor]]]:
    """Yield the name of each network, its class, and a batch of inputs."""
    for module, networks in NETWORKS.items():
        found = importlib.import_module(f"tests.networks.test_{module}")
        for name, shapes in networks.items():
            yield name, getattr(found, name), [torch.randn(shape) for shape in shapes]
