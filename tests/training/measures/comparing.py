"""Measures the metrics that fit a case, and compares each with torchmetrics and scikit-learn."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from netbuild.checks.metrics import misfit
from netbuild.checks.trace import infer
from netbuild.components.metrics import METRICS
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes
from netbuild.training.data.batches import Batches
from netbuild.training.step.criterion import Criterion
from netbuild.training.step.metrics import Measures
from tests.training.measures.cases import ARGUMENTS, TOP
from tests.training.measures.references import by_sklearn, by_torchmetrics, difference
from tests.training.step.hard import CPU, Hard, batches
from tests.training_configs import text


class Row(NamedTuple):
    """A metric with its arguments, its value, and how far the references are."""

    name: str
    arguments: dict[str, Any]
    value: Any
    torchmetrics: Any
    sklearn: Any

    @property
    def differences(self) -> tuple[float | None, float | None]:
        """The differences from torchmetrics and scikit-learn; None where they have no value."""
        return tuple(  # type: ignore[return-value]
            None if other is None else difference(self.value, other)
            for other in (self.torchmetrics, self.sklearn)
        )


class World(NamedTuple):
    """Two processes in one: what the others have measured comes from a list."""

    size: int
    measures: list[Measures]

    def gather(self, value: Any) -> list[Any]:
        """Return the sums, or what was kept, of all."""
        if any(isinstance(part, list) for part in value.values()) or not value:
            return [one.metrics.kept for one in self.measures]
        return [one.tensors() for one in self.measures]


def written(name: str, arguments: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the item of a metric, with a name of its own."""
    return {name: arguments, "name": f"m{number}"}


def fitting(hard: Hard) -> list[tuple[str, dict[str, Any]]]:
    """Return the metrics that a file with the loss of a case accepts, with their arguments."""
    every = [
        (name, arguments)
        for name in METRICS
        for arguments in (*ARGUMENTS.get(name, [{}]), *TOP.get(name, []))
    ]
    graph = infer(read(from_bytes("tiny.yaml", text(**hard.sections).encode())))
    (term,) = graph.config.losses
    outputs = tuple(term.compared(graph.outputs).values())
    target, shapes = term.loss.target(outputs), tuple(y.shape for y in outputs)
    return [
        (name, arguments)
        for name, arguments in every
        if not misfit(METRICS[name](**arguments), term.loss, shapes, target)[0]
    ]


def measured(
    hard: Hard, metrics: list[tuple[str, dict[str, Any]]], size: int, processes: int
) -> tuple[Criterion, dict[str, Any]]:
    """Return the values of metrics, measured in batches of a size by some processes."""
    items = [written(name, arguments, n) for n, (name, arguments) in enumerate(metrics)]
    graph = infer(read(from_bytes("tiny.yaml", text(metrics=items, **hard.sections).encode())))
    assert [f.message for f in graph.diagnostics if f.severity == "error"] == []
    criterion = Criterion(graph, CPU)
    criterion.look(Batches((), (hard.target,)))
    found = []
    for rank in range(processes):
        own = Measures(criterion, graph.config.metrics, CPU, keeping=True)
        for y, target in batches(hard, size, rank, processes):
            losses = criterion.losses((), y.float(), (target,))
            own.add(losses, (), y, (target,))
        found.append(own)
    found[0].merge_all(World(processes, found))  # type: ignore[arg-type]
    return criterion, found[0].means("val")


def rows(hard: Hard, *cuts: tuple[int, int]) -> Iterator[Row]:
    """Yield each metric that fits a case, with the values of the references.

    It is measured for each cut: batches of a size, by a number of processes.
    """
    metrics = fitting(hard)
    every = [measured(hard, metrics, *cut) for cut in cuts or ((10_000, 1),)]
    loss = every[0][0].first.term.loss
    for number, (name, arguments) in enumerate(metrics):
        package = METRICS[name].package
        with torch.no_grad():
            try:
                other = by_torchmetrics(name, package, arguments, loss, hard.y, hard.target)
            except (ValueError, RuntimeError, IndexError, TypeError) as error:
                other = str(error) or None
            sklearn = by_sklearn(name, arguments, loss, hard.y, hard.target)
        if isinstance(other, str):
            other = None
        for _, values in every:
            yield Row(name, arguments, values[f"val_m{number}"], other, sklearn)
