"""ONNX files with weights of 8 bits: onnxruntime makes them, validation samples measure them."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.diagnostics.exceptions import ExportError
from netbuild.exchange import onnx_file
from netbuild.reports.runs import plain
from netbuild.training import session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import torch

    from netbuild.exchange.program import Program

#: The largest root mean square of the differences, as a part of that of an output.
TOLERANCE = 0.2


class Quantized(NamedTuple):
    """What the weights of 8 bits cost: loss and metrics of the validation samples, and the size.

    `before` is measured with the network, `after` with the file. `deviation` is the largest root
    mean square of an output's differences, as a part of the output's own, for random samples.
    """

    before: dict[str, Any]
    after: dict[str, Any]
    bytes_before: int
    deviation: float


class Source(NamedTuple):
    """What is measured: a run with its checkpoint, or a config with a file of weights."""

    place: Path
    checkpoint: str
    weights: Path | None

    def expect_samples(self) -> None:
        """Refuse a network without weights or without data, before anything is written.

        Raises:
            ConfigError: the config names no data.
            ExportError: the weights are the first ones.
        """
        if self.place.is_file() and self.weights is None:
            message = (
                "quantize measures what it costs on the validation samples, and the first weights "
                "have learned nothing: export a run, or name --weights FILE"
            )
            raise ExportError(message)

    def measured(self, forward: Callable[..., Any] | None = None) -> dict[str, Any]:
        """Return the loss and the metrics of the validation samples, as JSON holds them."""
        if self.weights is not None:
            found = session.evaluate_weights(self.place, self.weights, forward=forward)
        else:
            found = session.evaluate(self.place, self.checkpoint, forward=forward)
        return dict(plain(found))


def quantize(path: Path, to: Path) -> None:
    """Write a file of ONNX again, with weights of 8 bits. Activations become so as it runs.

    Weights are unsigned: sums of signed ones overflow on processors without VNNI.

    Raises:
        ExportError: the file has nothing that onnxruntime quantises.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _silent():
        quantize_dynamic(onnx.load(str(path)), str(to), weight_type=QuantType.QUInt8)
    made = onnx.load(str(to))
    if not any("Quantize" in node.op_type for node in made.graph.node):
        message = "the network has no convolution and no linear layer that onnxruntime quantises"
        raise ExportError(message)


def mark(path: Path, about: Mapping[str, str]) -> None:
    """Write what a file tells in place of what it tells now."""
    import onnx

    model = onnx.load(str(path))
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, dict(about))
    onnx.save(model, str(path))


def told(made: Quantized) -> dict[str, str]:
    """Return what a quantised file tells of itself."""
    measured = {"split": "validation", "before": made.before, "after": made.after}
    return {"quantized": "int8", "quantized_measures": json.dumps(measured, ensure_ascii=False)}


class Deviation:
    """The rule for a quantised output: the root mean square of its differences is small.

    `largest` is the largest one so far, as a part of the output's own root mean square.
    """

    def __init__(self) -> None:
        self.largest = 0.0

    def __call__(self, name: str, ours: torch.Tensor, theirs: torch.Tensor) -> float:
        """Return the largest difference of an output.

        Raises:
            ExportError: the differences are too large.
        """
        one, other = ours.double(), theirs.double()
        if not one.numel():
            return 0.0
        scale = float(one.square().mean().sqrt()) or 1.0
        part = float((one - other).square().mean().sqrt()) / scale
        if not part <= TOLERANCE:  # it may not be a number
            message = (
                f"{name} of the quantised file differs from the network by {part:.0%} of its root "
                f"mean square, and at most {TOLERANCE:.0%} is allowed: the file is not kept"
            )
            raise ExportError(message)
        self.largest = max(self.largest, part)
        return float((one - other).abs().max())


def running(path: Path, program: Program) -> Callable[..., Any]:
    """Return a function that computes the outputs of a network with a file."""
    file = onnx_file.load(path, program)

    def outputs(*x: torch.Tensor) -> Any:
        noise = [one.drawn(len(x[0])) for one in program.noise.values()]
        y = file([one.detach().cpu().contiguous() for one in (*x, *noise)])
        y = tuple(one.to(x[0].device) for one in y)
        return y[0] if len(y) == 1 else y

    return outputs


@contextmanager
def _silent() -> Iterator[None]:
    """Keep onnxruntime from its advice about graphs that are not optimised yet."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
