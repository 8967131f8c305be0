"""Programs of `torch.export`, and files of weights alone: torch reads both without netbuild."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from netbuild.diagnostics.exceptions import ExportError
from netbuild.exchange.onnx_file import quiet, reason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netbuild.exchange.comparing import Loaded
    from netbuild.exchange.program import Program


def write(program: Program, x: tuple[torch.Tensor, ...], path: Path, *, fixed: bool) -> None:
    """Write a network as a program, with what it tells as extra files.

    Raises:
        ExportError: torch cannot record the network.
    """
    axes = None if fixed else program.axes(torch.export.Dim.DYNAMIC)
    try:
        with quiet():
            inputs, noise = program.arguments(x)
            made = torch.export.export(
                program.module, inputs, noise, dynamic_shapes=axes, strict=False
            )
            for node in made.graph.nodes:  # the lines of Python that made it, with their paths
                node.meta.pop("stack_trace", None)
            torch.export.save(made, str(path), extra_files=dict(program.about))
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        raise ExportError(f"torch.export cannot hold the network: {reason(error)}") from error


def load(path: Path, program: Program) -> Loaded:
    """Load the file of a program.

    Raises:
        ExportError: its tensors have other names than those of the network.
    """
    with path.open("rb") as file:  # of a path, torch expects that it ends with .pt2
        loaded = torch.export.load(file)
    if loaded.state_dict.keys() != program.module.state_dict().keys():
        raise ExportError("the tensors of the file have other names than those of the network")
    module = loaded.module()

    def outputs(x: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        with torch.no_grad():
            inputs, noise = program.arguments(x)
            y = module(*inputs, **noise)
        return (y,) if isinstance(y, torch.Tensor) else tuple(y)

    return outputs


def write_weights(program: Program, path: Path) -> None:
    """Write the state of a network. Tied weights stand under each of their names."""
    from safetensors.torch import save

    state = program.module.state_dict()
    apart = {name: tensor.clone().contiguous() for name, tensor in state.items()}
    path.write_bytes(save(apart, program.about))  # `save_file` lets nobody else read the file


def compare_weights(program: Program, path: Path) -> None:
    """Compare a file of weights with the network.

    Raises:
        ExportError: a tensor is missing, or differs.
    """
    from safetensors.torch import load_file

    there, state = load_file(str(path)), program.module.state_dict()
    if [*there.keys() ^ state.keys()]:
        raise ExportError("the file has other tensors than the network")
    for name, tensor in state.items():
        if not torch.equal(there[name], tensor):
            raise ExportError(f"{name} of the file differs from the network")
