"""ONNX files: torch's exporter writes them, and onnxruntime runs them."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import TYPE_CHECKING, Any

import torch

from netbuild.diagnostics.exceptions import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from netbuild.exchange.comparing import Loaded
    from netbuild.exchange.program import Program

#: The name of the batch axis in the file.
_BATCH = "batch"


def write(
    program: Program, x: tuple[torch.Tensor, ...], path: Path, *, fixed: bool, opset: int | None
) -> None:
    """Write a network.

    Args:
        program: the network.
        x: samples for which torch records it.
        path: the file.
        fixed: whether the file takes only batches of this size.
        opset: the version of the operators; None for torch's default.

    Raises:
        ExportError: the format has no counterpart of an operation.
    """
    axes = None if fixed else program.axes(_BATCH)
    try:
        with quiet():
            inputs, noise = program.arguments(x)
            made = torch.onnx.export(
                program.module,
                inputs,
                kwargs=noise,
                dynamo=True,
                verbose=False,
                input_names=[*program.given],
                output_names=[*program.outputs],
                dynamic_shapes=axes,
                opset_version=opset,
            )
            assert made is not None
            _expect_opset(made.model.opset_imports[""], opset)
            _tidy(made.model, program.about)
            made.save(str(path))
    except (torch.onnx.OnnxExporterError, RuntimeError, ValueError, TypeError) as error:
        raise ExportError(f"ONNX cannot hold the network: {reason(error)}") from error


def _expect_opset(came: int, wanted: int | None) -> None:
    """Refuse another version of the operators than the one that is asked for.

    Raises:
        ExportError: torch leaves its own version where it cannot convert the network.
    """
    if wanted is not None and came != wanted:
        message = f"torch cannot write the network with opset {wanted}: it writes {came}"
        raise ExportError(message)


def _tidy(model: Any, about: dict[str, str]) -> None:
    """Remove the lines of Python that made each node, and write what the file tells.

    torch notes the paths of its own source files on this machine.
    """
    for graph in (model.graph, *model.functions.values()):
        for node in graph.all_nodes() if hasattr(graph, "all_nodes") else graph:
            node.metadata_props.clear()
            node.doc_string = None
    model.metadata_props.clear()
    model.metadata_props.update(about)


def load(path: Path, program: Program) -> Loaded:
    """Load the file of a network with onnxruntime, on the processor.

    Raises:
        ExportError: onnxruntime does not take the file, or its inputs or outputs have other names.
    """
    session = _session(path)
    for what, wanted, one in (
        ("inputs", program.given, session.get_inputs()),
        ("outputs", program.outputs, session.get_outputs()),
    ):
        came = tuple(value.name for value in one)
        if came != wanted:
            raise ExportError(f"the {what} of the file are {', '.join(came)}, not those asked for")
    return _running(session)


def load_with_texts(path: Path) -> tuple[Loaded, dict[str, str]]:
    """Load a file, and return what it tells of its network, too.

    Raises:
        ExportError: onnxruntime does not take the file.
    """
    session = _session(path)
    return _running(session), session.get_modelmeta().custom_metadata_map


def _running(session: Any) -> Loaded:
    """Return a function that runs a file.

    If the file takes batches of one size only, a batch is cut up, and the last part is filled up.
    """
    inputs = session.get_inputs()
    names = [one.name for one in inputs]
    size = inputs[0].shape[0]

    def run(x: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        given = {name: one.numpy() for name, one in zip(names, x, strict=True)}
        return tuple(map(torch.from_numpy, session.run(None, given)))

    def outputs(x: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        count = len(x[0])
        if not isinstance(size, int) or count == size:
            return run(x)
        found = []
        for start in range(0, count, size):
            part = [one[start : start + size] for one in x]
            lacking = size - len(part[0])
            found.append(
                run([torch.cat([one, one[:1].repeat_interleave(lacking, 0)]) for one in part])
            )
        return tuple(torch.cat(each)[:count] for each in zip(*found, strict=True))

    return outputs


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors are raised, too
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no public base
        raise ExportError(f"onnxruntime cannot run the file: {reason(error)}") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep torch's exporter from printing its progress, and what it warns of its own parts."""
    loggers = {"torch": logging.getLogger("torch")} | logging.root.manager.loggerDict
    loud = [
        one
        for name, one in loggers.items()
        if name.startswith("torch") and isinstance(one, logging.Logger)
    ]
    levels = [one.level for one in loud]
    for one in loud:
        one.setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, before in zip(loud, levels, strict=True):
            one.setLevel(before)


def reason(error: BaseException) -> str:
    """Return the first sentence of the innermost error."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
