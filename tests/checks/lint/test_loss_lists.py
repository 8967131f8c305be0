"""Lints of several losses: each loss is checked alone, at any place of the list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Diagnostic, Span

#: A loss of which no lint has anything to say: it makes its scores itself.
QUIET = "{LinearCrossEntropyLoss: 10}"
VECTOR = "input: [16]\n"
LINTS = {"NB304", "NB305", "NB306", "NB308"}
NETWORKS = {
    "a softmax": ("Linear: 10, Softmax: 1", "CrossEntropyLoss"),
    "a LogSoftmax": ("Linear: 10, LogSoftmax: 1", "CrossEntropyLoss"),
    "a LogSoftmax, smoothed": (
        "Linear: 10, LogSoftmax: 1",
        "{CrossEntropyLoss: {label_smoothing: 0.1}}",
    ),
    "a sigmoid": ("Linear: 1, Sigmoid", "BCEWithLogitsLoss"),
    "several labels": ("Linear: 4, Sigmoid", "MultiLabelSoftMarginLoss"),
    "scores for probabilities": ("Linear: 1", "BCELoss"),
    "rectified scores": ("Linear: 1, ReLU", "BCELoss"),
    "scores for logarithms": ("Linear: 10", "NLLLoss"),
    "probabilities for logarithms": ("Linear: 10, Softmax: 1", "NLLLoss"),
    "scores for a divergence": ("Linear: 10", "{KLDivLoss: {reduction: batchmean}}"),
    "a dropout at the end": ("Linear: 10, Dropout: 0.5", "CrossEntropyLoss"),
    "a dropout before LogSoftmax": ("Linear: 10, Dropout: 0.5, LogSoftmax: 1", "NLLLoss"),
}
#: Networks with data of ten classes.
OF_CLASSES = {
    "two outputs too many": ("Linear: 12", "CrossEntropyLoss"),
    "two classes too many": ("Linear: 12", "{LinearCrossEntropyLoss: {num_classes: 12}}"),
}
DATA = "data: {Random: {classes: 10}}\n"


def file(layers: str, loss: str, rest: str = "") -> str:
    """Return a file with a chain of layers and one or several losses."""
    return f"{VECTOR}layers: [{layers}]\nloss: {loss}\n{rest}"


def said(text: str) -> list[Diagnostic]:
    """Return the warnings of losses."""
    graph = infer(read(from_bytes("net.yaml", text.encode())))
    return [d for d in graph.diagnostics if d.code in LINTS]


def marked(text: str, span: Span) -> str:
    """Return the text that a span marks."""
    assert span.line == span.end_line
    return text.split("\n")[span.line - 1][span.column - 1 : span.end_column - 1]


def described(text: str) -> list[Any]:
    """Return the parts of each diagnostic, with the marked text instead of columns."""
    return [
        (
            *(d.code, d.title, d.message, d.layer, d.help, d.notes, marked(text, d.span)),
            [[fix.title, *((marked(text, e.span), e.text) for e in fix.edits)] for fix in d.fixes],
        )
        for d in said(text)
    ]


_ALL = [(*row, "") for row in NETWORKS.values()] + [(*row, DATA) for row in OF_CLASSES.values()]


@pytest.mark.parametrize(("layers", "loss", "rest"), _ALL, ids=[*NETWORKS, *OF_CLASSES])
@pytest.mark.parametrize("order", ["[{0}]", "[{0}, {1}]", "[{1}, {0}]"])
def test_the_same_in_any_order(layers: str, loss: str, rest: str, order: str) -> None:
    """A loss gets the same warnings, fixes and marks alone, in a list, and in either order."""
    alone = described(file(layers, loss, rest))
    assert alone
    assert described(file(layers, order.format(loss, QUIET), rest)) == alone


@pytest.mark.parametrize("layers", ["Linear: 10", "Linear: 10, Softmax: 1"])
def test_two_losses_at_fault(layers: str) -> None:
    """Two losses that get wrong values have a warning each, at their own places."""
    text = file(layers, "[NLLLoss, {KLDivLoss: {reduction: sum}}]")
    assert [marked(text, d.span) for d in said(text)] == ["NLLLoss", "KLDivLoss"]
    assert [len(d.fixes) for d in said(text)] == [int(layers == "Linear: 10"), 0]


HEADS = """input: [16]
layers:
  trunk: [Linear: 16, ReLU]
  early: [Linear: 12, {1}]
  late: {{inputs: trunk, layers: [Linear: 12, {2}]}}
outputs: {{late: late, early: early}}
loss: [{{CrossEntropyLoss, inputs: late}}, {{{0}, inputs: early, weight: 0.3}}]
data: {{Random: {{classes: 10}}}}
"""


def test_each_reads_its_own_output() -> None:
    """A warning concerns the layers before the output that its loss reads."""
    text = HEADS.format("CrossEntropyLoss", "Softmax: 1", "Identity")
    found = [(d.code, d.layer) for d in said(text)]
    assert found == [("NB306", "early.0"), ("NB304", "early.1"), ("NB306", "late.0")]
    text = HEADS.format("NLLLoss", "Identity", "Dropout: 0.5")
    found = [(d.code, d.layer) for d in said(text)]
    assert found == [
        *(("NB306", "early.0"), ("NB306", "late.0"), ("NB308", "late.1"), ("NB305", "early.1")),
    ]


def test_a_loss_of_another_name() -> None:
    """A loss with its old name has the same fix."""
    ((diagnostic,), text) = said(file("Linear: 10", "NLLLoss2d")), file("Linear: 10", "NLLLoss2d")
    assert [fix.title for fix in diagnostic.fixes] == ["replace NLLLoss2d with CrossEntropyLoss"]
    assert marked(text, diagnostic.span) == "NLLLoss2d"


def test_no_fix_that_leaves_a_field() -> None:
    """There is no fix if the other loss lacks a field, even a field with its default value."""
    for written in ("label_smoothing: 0.0", "label_smoothing: 0.1"):
        text = file("Linear: 10, LogSoftmax: 1", f"{{CrossEntropyLoss: {{{written}}}}}")
        assert [d.fixes for d in said(text)] == [()]


#: Chains that end in something that is known to be no probability, whatever comes before.
NO_PROBABILITIES = [
    *("Tanh", "Softsign", "Softplus", "ELU", "GELU", "LeakyReLU", "Tanhshrink", "LogSigmoid"),
    *("LogSoftmax: 1", "LayerNorm", "RMSNorm", "BatchNorm1d", "{GroupNorm: 4}", "LazyLinear: 4"),
    *("RNNCell: 4", "GRUCell: 4", "LSTMCell: 4", "{AlphaDropout: 0.5}", "Hardshrink", "Softshrink"),
    *("GLU: 1", "{Hardtanh: -1}", "ReLU6", "ReLU", "Dropout: 0.5"),
]
SEQUENCES = [
    *("MultiheadAttention: 2", "TransformerEncoderLayer: 2", "GRU: 4", "LSTM: 4", "RNN: 4"),
    "{TransformerEncoder: {encoder_layer: {TransformerEncoderLayer: 2}, num_layers: 2}}",
    *("InstanceNorm1d", "SwitchableNorm1d", "SyncBatchNorm", "ReflectionPad1d: 1"),
    *("{Conv1d: {out_channels: 4, kernel_size: 3}}", "{Mean: {dim: 1}}", "{Amax: {dim: 1}}"),
]  # fmt: skip


@pytest.mark.parametrize("layer", NO_PROBABILITIES)
def test_says_what_is_no_probability(layer: str) -> None:
    """BCELoss gets a warning after each of these layers on a Linear."""
    assert "NB305" in {d.code for d in said(file(f"Linear: 16, {layer}", "BCELoss"))}


@pytest.mark.parametrize("layer", SEQUENCES)
def test_says_what_is_no_probability_of_sequences(layer: str) -> None:
    """BCELoss gets a warning after each of these layers on sequences."""
    text = file(f"Linear: 16, {layer}", "BCELoss").replace("[16]", "[8, 16]", 1)
    assert "NB305" in {d.code for d in said(text)}


#: Chains that end in probabilities, or in what may well be some.
MAYBE = [
    *("Linear: 4, Sigmoid", "Linear: 4, Hardsigmoid", "Linear: 4, Softmax: 1"),
    "Linear: 4, Tanh, ReLU",
    *("Linear: 4, Sigmoid, LeakyReLU", "Linear: 4, Sigmoid, GELU", "Linear: 4, Sigmoid, ELU"),
    *("Linear: 4, Hardtanh: 0", "Linear: 4, Sigmoid, Hardshrink", "Linear: 4, Sigmoid, ReLU6"),
    *("Linear: 4, Sigmoid, {Dropout: 0}", "Identity", "ReLU", "{Sum: {dim: 1}}", "{ReLU6}"),
    *("Linear: 4, Sigmoid, {ConstantPad1d: {padding: 1, value: 1.0}}", "{ZeroPad1d: 1}"),
]  # fmt: skip


@pytest.mark.parametrize("layers", MAYBE)
def test_says_nothing_of_what_may_be_probabilities(layers: str) -> None:
    """BCELoss gets no warning if all values are from 0 to 1, or if their range is unknown."""
    assert not said(file(layers, "BCELoss"))


JOINS = """input: [16]
layers:
  a: [Linear: 4, Sigmoid]
  b: {{inputs: input, layers: [Linear: 4, {0}]}}
  join: {{{1}, inputs: [a, b]}}
loss: BCELoss
"""


@pytest.mark.parametrize("join", ["Concat", "Maximum", "Stack"])
def test_joins_that_keep_values(join: str) -> None:
    """Scores among the inputs of a join that keeps values are found."""
    assert not said(JOINS.format("Sigmoid", join))
    (found,) = said(JOINS.format("Identity", join))
    assert ("from", "b.0 (Linear, line 4)") in [(note.label, note.text) for note in found.notes]


@pytest.mark.parametrize("join", ["Add", "Subtract", "Multiply", "Divide", "MatMul"])
def test_arithmetic_is_unknown(join: str) -> None:
    """There is no warning about values that come from arithmetic."""
    text = JOINS.format("Identity", join)
    if join == "MatMul":
        text = re.sub(r"input: \[16\]", "input: [4, 16]", text)
    assert not said(text)


def test_what_is_no_logarithm_of_anything() -> None:
    """ReLU and Tanh get a warning before NLLLoss; logarithms and unknown values do not."""
    for layers in ("ReLU", "Linear: 4, LogSoftmax: 1, ReLU", "Identity, Tanh", "Softplus"):
        (found,) = said(file(layers, "NLLLoss"))
        assert found.code == "NB305"
    for layers in ("Linear: 4, LogSoftmax: 1, Dropout: 0.5", "Identity", "Linear: 4, LogSigmoid"):
        assert "NB305" not in {d.code for d in said(file(layers, "KLDivLoss"))}
