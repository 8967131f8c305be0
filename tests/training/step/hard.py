"""Outputs and targets that are hard to measure, cut into batches and shared by processes."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.graph.graph import Graph
from netbuild.syntax.parser import from_bytes
from netbuild.training.data.batches import Batches
from netbuild.training.step.criterion import Criterion
from netbuild.training.step.metrics import Measures
from tests.training_configs import text

CPU = torch.device("cpu")
#: The batch sizes, each with a number of processes. Most last batches are smaller, and some
#: processes have no sample in them.
CUTS = [(10_000, 1), (64, 1), (7, 1), (1, 1), (7, 2), (5, 3), (1, 2)]


class Hard(NamedTuple):
    """Outputs and targets, and the sections of a file that compares them."""

    y: Tensor
    target: Tensor
    sections: dict[str, Any]


#: The names of metrics in runs of earlier releases.
OF_CLASSES = ("accuracy", "top_5_accuracy", "macro_f1", "confusion_matrix")
OF_VALUES = ("mae", "rmse", "r2")


def graph_of(sections: dict[str, Any], metrics: list[Any]) -> Graph:
    """Return the network of a run's config that has no faults."""
    graph = infer(read(from_bytes("resolved.yaml", text(metrics=metrics, **sections).encode())))
    assert [f for f in graph.diagnostics if f.severity == "error"] == []
    return graph


def criterion_of(sections: dict[str, Any], metrics: list[Any]) -> Criterion:
    """Return the loss of a run's config that has no faults."""
    return Criterion(graph_of(sections, metrics), CPU)


def batches(hard: Hard, size: int, rank: int, processes: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the share of each batch. A process without a sample computes one that has no target."""
    for start in range(0, len(hard.y), size):
        y, target = (t[start : start + size] for t in (hard.y, hard.target))
        own = y[rank::processes]
        yield (own if len(own) else y[:1]), target[rank::processes]


def measured(hard: Hard, metrics: list[Any], size: int, processes: int = 1) -> Measures:
    """Return the measures of all batches of all processes."""
    graph = graph_of(hard.sections, metrics)
    criterion, terms = Criterion(graph, CPU), graph.config.metrics
    criterion.look(Batches((), (hard.target,)))
    merged = Measures(criterion, terms, CPU)
    for rank in range(processes):
        own = Measures(criterion, terms, CPU)
        for y, target in batches(hard, size, rank, processes):
            # Within autocast torch computes losses in single precision.
            losses = criterion.losses((), y.float(), (target,))
            own.add(losses, (), y, (target,))
        merged.merge(own.tensors())
    return merged


def drawn(*shape: int, seed: int = 0) -> Tensor:
    """Return normally distributed numbers, the same for the same seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def labels(below: int, *shape: int, start: int = 0, seed: int = 1) -> Tensor:
    """Return labels from `start` to `below` − 1."""
    return torch.randint(start, below, shape, generator=torch.Generator().manual_seed(seed))


def ignoring(target: Tensor, ignored: int, share: float) -> Tensor:
    """Return targets of which a share is ignored."""
    chosen = torch.rand(target.shape, generator=torch.Generator().manual_seed(2)) < share
    return target.masked_fill(chosen, ignored)


def classifying(classes: int, **fields: Any) -> dict[str, Any]:
    """Return sections with a loss of some classes."""
    return {"layers": [{"Linear": classes}], "loss": {"CrossEntropyLoss": fields}}
