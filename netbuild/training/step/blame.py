"""The layer, the loss or the optimizer in which torch raised an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import fx

from netbuild.components.tensor import times

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import FrameType

    from torch import Tensor, nn

    from netbuild.diagnostics.diagnostic import Span
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.training.step.criterion import Criterion


#: What functions of a step do, by the name of the function.
_STAGES = {"backward": "the backward pass", "clip": "the clipping of the gradients"}


class Parts(NamedTuple):
    """What a step calls: the network and its average, the losses, and the optimizers."""

    graph: Graph
    networks: tuple[nn.Module, ...]
    criterion: Criterion
    optimizers: Sequence[torch.optim.Optimizer]

    def called(self, error: BaseException) -> str:
        """Return a phrase with the innermost part that raised an exception, and its line.

        The backward pass runs in torch's own threads, which have no frames: the phrase then names
        the pass. It is empty if no frame of the exception belongs to a part.
        """
        frames = list(_frames(error))
        rows = {row.path: row for row in self.graph.rows if not row.reuses}
        paths = {id(m): path for network in self.networks for path, m in network.named_modules()}
        others = self._others()
        for frame in reversed(frames):
            owner = frame.f_locals.get("self")
            if id(owner) in others:
                return others[id(owner)]
            row = _row(rows, _operation(frame, paths) or paths.get(id(owner), ""))
            if row is not None:
                return f"{_named(row.path, row.type, row.span)}{_inputs(row, frames, paths)}"
        names = (frame.f_code.co_name for frame in frames)
        return next((_STAGES[name] for name in names if name in _STAGES), "")

    def _others(self) -> dict[int, str]:
        """Return the losses and the optimizers, each by its number in memory."""
        found: dict[int, str] = {}
        for part in self.criterion.parts:
            called = _named("", type(part.term.loss).__name__, part.term.item.type.span)
            found |= {id(part): called, id(part.module): called}
        for one, optimizer in zip(self.graph.config.optimizers, self.optimizers, strict=True):
            found[id(optimizer)] = _named("", type(one.optimizer).__name__, one.item.type.span)
        return found


def _frames(error: BaseException) -> Iterator[FrameType]:
    """Yield the frames of an exception, the innermost last."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _operation(frame: FrameType, paths: dict[int, str]) -> str:
    """Return the path of the operation that failed in a stack; an empty text for other frames.

    An operation has no module. torch.fx removes the frames of the stack's code, and keeps a summary
    of the line that failed: `add = torch.add(x, y)`.
    """
    stack, failed = frame.f_locals.get("obj"), frame.f_locals.get("topmost_framesummary")
    if not isinstance(stack, fx.GraphModule) or failed is None:
        return ""
    result = failed.line.partition("=")[0].strip()
    members = (node.meta.get("member") for node in stack.graph.nodes if node.name == result)
    member = next(members, None)
    return ".".join(filter(None, (paths.get(id(stack)), member))) if member else ""


def _row(rows: dict[str, Row], path: str) -> Row | None:
    """Return the layer with a path, or the layer around a module with this path."""
    while path:
        if path in rows:
            return rows[path]
        path = path.rpartition(".")[0]
    return None


def _named(path: str, kind: str, span: Span) -> str:
    place = f"line {span.line} of {span.document.name}"
    return f"{path} ({kind}, {place})" if path else f"{kind} ({place})"


def _inputs(row: Row, frames: Iterable[FrameType], paths: dict[int, str]) -> str:
    """Return a phrase with the inputs of a layer's call; an empty text if no frame has them."""
    for frame in frames:
        of_row = paths.get(id(frame.f_locals.get("self"))) == row.path
        if of_row and frame.f_code.co_name == "_call_impl":
            given = [x for x in frame.f_locals["args"] if isinstance(x, torch.Tensor)]
            return f", which reads {' and '.join(map(_described, given))}" if given else ""
    return ""


def _described(x: Tensor) -> str:
    """Return the shape and the dtype of a tensor; of whole numbers also the range."""
    dtype = str(x.dtype).removeprefix("torch.")
    said = f"{times(tuple(x.shape))} of {dtype}"
    # After a failure on a GPU, no value can be read there.
    if x.is_floating_point() or x.is_complex() or not x.numel() or x.device.type != "cpu":
        return said
    return f"{said} from {x.min().item()} to {x.max().item()}"
