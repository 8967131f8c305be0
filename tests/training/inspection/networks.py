"""Networks for looks: fine ones, and ones that die, vanish, explode or are not finite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes
from netbuild.training.inspection.looking import look

if TYPE_CHECKING:
    import netbuild


def config(text: str) -> netbuild.Config:
    """Return a config."""
    return read(from_bytes("network.yaml", text.encode()))


def looked(text: str, **options: Any) -> netbuild.Look:
    """Look at a network that is written as YAML."""
    return look(config(text), **options)


def stack(layers: str, more: str = "") -> str:
    """Return a network for the digits: 20 times the same layers, and a linear one."""
    return f"""
name: stack
input: [1, 8, 8]
layers:
  - Flatten
  - repeat: 20
    layers: {layers}
  - {{Linear: 10}}
{more}
loss: CrossEntropyLoss
optimizer: {{SGD: {{lr: 0.1}}}}
data: Digits
"""
