"""Metrics that need every prediction: torchmetrics computes them of all samples, in doubles."""

from __future__ import annotations

import math
import warnings
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from netbuild.diagnostics.exceptions import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from netbuild.training.measures.seen import Seen


class _Doubles(TorchFunctionMode):
    """Gives doubles where a function asks for single precision, as torchmetrics often does."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.float:
            return args[0].double()
        args = tuple(torch.float64 if value is torch.float32 else value for value in args)
        if kwargs and kwargs.get("dtype") is torch.float32:
            kwargs = kwargs | {"dtype": torch.float64}
        return func(*args, **(kwargs or {}))


@contextmanager
def in_doubles() -> Iterator[None]:
    """Compute in double precision, also where torchmetrics asks for less."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with warnings.catch_warnings(), _Doubles():
            warnings.simplefilter("ignore")  # of classes that no sample has
            yield
    finally:
        torch.set_default_dtype(before)


def value(metric: Any, seen: Seen) -> Any:
    """Return the value of all samples: a number, or lists of numbers.

    It is NaN where torchmetrics cannot compute it: some metrics have no value without a true place.

    Raises:
        TrainingError: the metric asks for an error if a sample has no relevant item.
    """
    name = type(metric).__name__
    arguments, compared = _compared(metric, seen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchmetrics warns of packages that it does not find
        kind = getattr(import_module(f"torchmetrics.{metric.package}"), name)
    try:
        with in_doubles(), torch.no_grad():
            measure = kind(**(_arguments(metric) | arguments))
            measure.update(*compared)
            return plain(measure.compute())
    except (ValueError, RuntimeError, IndexError) as error:
        if getattr(metric, "empty_target_action", None) == "error":
            raise TrainingError(f"{name} cannot be computed: {error}") from error
        return math.nan


def _arguments(metric: Any) -> dict[str, Any]:
    return {n: v for n, v in metric.arguments().items() if n != "num_outputs"}


def _compared(metric: Any, seen: Seen) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """Return the arguments that the loss decides, and what `update` takes."""
    if metric.compares == "regions":
        told, true = seen.regions
        return {"num_classes": told.shape[1]}, (told.long(), true.long())
    if metric.compares in {"values", "distributions", "draws"}:
        return _values(metric, seen)
    if metric.compares == "items":
        told, true = seen.labels
        if metric.package == "classification":
            return {"num_labels": told.shape[1]}, (told, true.long())
        queries = torch.arange(len(told))[:, None].expand_as(told)
        return {}, (told.flatten(), true.long().flatten(), queries.flatten())
    if seen.loss.binary:
        told, true = seen.labels
        if told.shape[1] == 1:
            return {"task": "binary"}, (told.flatten(), true.long().flatten())
        return {"task": "multilabel", "num_labels": told.shape[1]}, (told, true.long())
    scores, classes = seen.classes
    task = {"task": "multiclass", "num_classes": scores.shape[1]}
    return task, (scores.double().softmax(1), classes)


def _values(metric: Any, seen: Seen) -> tuple[dict[str, Any], tuple[Any, ...]]:
    name = type(metric).__name__
    if metric.compares == "draws":
        values, target = seen.values
        return {}, (values.reshape(-1, values.shape[-1]), target.flatten())
    if metric.compares == "distributions":
        values, target = seen.distributions
        return {}, (target, values) if name == "KLDivergence" else (values, target)
    values, target = seen.columns
    if name == "NormalizedRootMeanSquaredError" and metric.num_outputs == 1:
        return {"num_outputs": 1}, (values.flatten(), target.flatten())
    columns = values.shape[1]
    if columns == 1:
        values, target = values[:, 0], target[:, 0]
    return {"num_outputs": columns}, (values, target)


def plain(found: Any) -> Any:
    """Return a result of torchmetrics as numbers and lists."""
    if isinstance(found, torch.Tensor):
        return found.tolist() if found.ndim or not found.is_floating_point() else float(found)
    return [plain(part) for part in found]


def interleaved(
    of_processes: list[list[tuple[Tensor, Tensor]]],
) -> list[tuple[Tensor, Tensor]]:
    """Return the batches of all processes, with their samples in the order of the data.

    Each process has every n-th sample of a batch. The last ones may lack samples in it.
    """
    batches = []
    for number in range(max(map(len, of_processes), default=0)):
        shares = [own[number] for own in of_processes if len(own) > number]
        whole = []
        for parts in zip(*shares, strict=True):
            every = parts[0].new_empty((sum(map(len, parts)), *parts[0].shape[1:]))
            for rank, part in enumerate(parts):
                every[rank :: len(of_processes)] = part
            whole.append(every)
        batches.append((whole[0], whole[1]))
    return batches


def joined(chunks: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return predictions and targets of all batches."""
    first, second = zip(*chunks, strict=True)
    return torch.cat(first), torch.cat(second)
