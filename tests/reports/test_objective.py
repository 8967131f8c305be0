"""What `explain` and `diff` say of losses, metrics, optimizers and the monitor."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.reports import explanation
from netbuild.reports.difference import diff
from netbuild.reports.difference import table as render
from netbuild.reports.explanation import formats
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph

PLAYERS = """\
input: [1, 8, 8]
layers:
  noise: {Randn: [16]}
  generator:
    layers: [{Linear: 64}, {Unflatten: {dim: 1, unflattened_size: [1, 8, 8]}}]
    inputs: noise
  critic: {layers: [Flatten, {Linear: 1}], inputs: input}
  judged: {Reuse: critic, inputs: generator}
outputs: {real_score: critic, fake_score: judged}
loss:
  - {BCEWithLogitsLoss, inputs: real_score, target: 1, name: real}
  - {BCEWithLogitsLoss, inputs: fake_score, target: 0, name: fake, weight: 0.5}
  - {BCEWithLogitsLoss, inputs: fake_score, target: 1, name: fool}
optimizer:
  - {Adam: {lr: 2e-4}, match: "critic.*", losses: [real, fake]}
  - {Adam: {lr: 2e-4}, match: "generator.*", losses: fool}
data: Digits
train: {monitor: null}
"""

TWO = """\
input: [2]
layers: {trunk: {Linear: 4}, act: ReLU, churn: {Linear: 2}, spend: {Linear: 1, inputs: act}}
outputs: [churn, spend]
loss:
  - {CrossEntropyLoss, inputs: churn, target: left}
  - {MSELoss, inputs: spend, target: spent, weight: 0.1}
metrics: [{Accuracy, inputs: churn}, {R2Score, inputs: spend}]
optimizer: {AdamW: 1e-3}
data: {Csv: {file: a.csv, inputs: [age, income], target: {left: left, spent: spent}}}
train: {monitor: val_left_accuracy}
"""

TOLD = """\
  losses    CrossEntropyLoss + 0.1 · MSELoss
    CrossEntropyLoss  churn with target left: one of 2 classes
                      minimised by AdamW
    MSELoss           spend with target spent: values of shape 1
                      minimised by AdamW
  metrics   2 in the validation
    val_left_accuracy   Accuracy of churn with target left
    val_spent_r2_score  R2Score of spend with target spent
  monitor   val_left_accuracy, the largest is best"""


def graph_of(text: str) -> Graph:
    """Return the network of a text, which has no fault."""
    graph = infer(read(from_bytes("net.yaml", text.encode())))
    assert not graph.diagnostics
    return graph


def test_the_objective_is_explained() -> None:
    """The totals say what each loss compares, who minimises it, what is measured and monitored."""
    told = formats.text(explanation.explain(graph_of(TWO)), 80).plain
    assert told.endswith(TOLD)


def test_players_are_told_apart() -> None:
    """Each loss has the optimizers that minimise it, with the patterns of their weights."""
    document = json.loads(formats.as_json(explanation.explain(graph_of(PLAYERS))))
    assert document["losses"][1] == {
        "name": "fake",
        "type": "BCEWithLogitsLoss",
        "inputs": ["fake_score"],
        "target": {"kind": "number", "number": 0.0},
        "holds": "",
        "weight": 0.5,
        "minimised_by": ["Adam of critic.*"],
        "value": "val_fake",
    }
    assert document["losses"][2]["minimised_by"] == ["Adam of generator.*"]
    assert document["monitor"] == {"value": None, "better": "the newest"}
    assert "none: the newest epoch is kept as best" in formats.markdown(
        explanation.explain(graph_of(PLAYERS))
    )


@pytest.mark.parametrize("text", [TWO.replace("target: left}", "target: lef}"), "input: [2]\n"])
def test_there_is_no_objective(text: str) -> None:
    """Without losses, and with a fault, nothing is said of them."""
    graph = infer(read(from_bytes("net.yaml", text.encode())))
    assert "losses" not in formats.text(explanation.explain(graph), 80).plain


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("weight: 0.1", "weight: 0.5", [("loss.MSELoss.weight", "0.1", "0.5")]),
        (", weight: 0.1", "", [("loss.MSELoss.weight", "0.1", "1.0")]),
        (
            "{MSELoss, inputs: spend, target: spent, weight: 0.1}",
            "{MSELoss: {reduction: sum}, inputs: spend, target: spent, name: costs}",
            [
                ("loss.MSELoss", "{MSELoss, inputs: [spend], target: spent, weight: 0.1}", ""),
                (
                    "loss.costs",
                    "",
                    "{MSELoss: {reduction: sum}, inputs: [spend], target: spent, name: costs}",
                ),
            ],
        ),
        (
            "{Accuracy, inputs: churn}",
            "{Accuracy: {average: macro}, inputs: churn}, {F1Score: {average: macro}, name: f1}",
            [
                ("metrics.left_accuracy.Accuracy.average", "micro", "macro"),
                ("metrics.f1", "", "{F1Score: {average: macro}, name: f1}"),
            ],
        ),
        ("{AdamW: 1e-3}", "SGD", [("optimizer", "AdamW", "SGD")]),
        (
            "{AdamW: 1e-3}",
            "[{AdamW: 1e-3, type: Linear, match: 'trunk.*'}, {Adam: 0.1}]",
            [
                ("optimizer.1.match", "", "[trunk.*]"),
                ("optimizer.1.type", "", "[Linear]"),
                ("optimizer.2", "", "{Adam: {lr: 0.1}}"),
            ],
        ),
        ("train: {", "train: {ema: 0.9, ", [("train.ema", "null", "0.9")]),
        (
            "train: {",
            "scheduler: {CosineAnnealingLR, warmup: 5%}\ntrain: {",
            [("scheduler", "", "{CosineAnnealingLR, step: epoch, warmup: 5%}")],
        ),
    ],
)
def test_the_differing_values(before: str, after: str, changes: list[tuple[str, ...]]) -> None:
    """Losses and metrics are paired by name, optimizers by order; defaults are left out."""
    found = diff(graph_of(TWO), graph_of(TWO.replace(before, after)))
    assert list(map(tuple, found.settings)) == changes
    assert [one["path"] for one in json.loads(render.as_json(found))["settings"]] == [
        path for path, _, _ in changes
    ]


def test_long_values_fit_the_terminal() -> None:
    """Paths break at their dots and values at blanks, at 80 columns."""
    console = Console(width=80, file=io.StringIO())
    console.print(render.table(diff(graph_of(TWO), graph_of(PLAYERS)), console))
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    assert "loss.CrossEntropyLoss" in told
    assert max(map(len, told.splitlines())) <= 80
