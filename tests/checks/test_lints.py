"""Lints: what each warns of, what it lets pass, and that torch bears out what they say."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from netbuild.builder import module as builder
from netbuild.checks import lint
from netbuild.checks.lint import receptive_field as windows
from netbuild.checks.lint.schedules import _CONSTANT
from netbuild.checks.trace import infer
from netbuild.components.layers import LAYERS
from netbuild.components.losses import LOSSES
from netbuild.components.schedulers import SCHEDULERS
from netbuild.config.load import read
from netbuild.diagnostics import rules
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.dump import dump
from netbuild.syntax.parser import from_bytes
from netbuild.training.step.scheduler import made
from tests.components.layers import FAMILIES
from tests.components.layers.contract import text_of_case
from tests.components.schedulers.test_schedulers import FIELDS

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.graph.graph import Graph

IMAGE = "input: [3, 32, 32]\n"
VECTOR = "input: [16]\n"
CONV = "Conv2d: {out_channels: 8, kernel_size: 3, padding: 1}"
SWAP = "{Transpose: {dim0: 1, dim1: 2}}"
CE, BCE = "loss: CrossEntropyLoss\n", "loss: BCELoss\n"


def layers(*items: str) -> str:
    """Return the section of a stack of these items."""
    return f"layers: [{', '.join(items)}]\n"


def deep(activation: str, count: int, extra: str = "") -> str:
    """Return a vector through so many layers with this activation, and a last one."""
    stack = f"[{{repeat: {count}, layers: [Linear: 16, {extra}{activation}]}}, Linear: 10]"
    return f"{VECTOR}layers: {stack}\n"


def scheduled(scheduler: str, epochs: int = 10) -> str:
    """Return a network that trains for so many epochs with a scheduler."""
    sections = f"optimizer: SGD\nscheduler: {scheduler}\ntrain: {{epochs: {epochs}}}\n"
    return VECTOR + layers("Linear: 10") + sections


def single(size: int, samples: int, *norm: str, x: str = VECTOR) -> str:
    """Return a network that trains with batches of a size."""
    data = f"data: {{Random: {{samples: {samples}, classes: 10}}}}\ntrain: {{batch_size: {size}}}\n"
    return x + layers(*norm, "Flatten", "Linear: 10") + CE + data


def classes(outputs: int, data: str, loss: str = "CrossEntropyLoss") -> str:
    """Return a network with so many outputs, and data."""
    return (
        f"input: [1, 8, 8]\n{layers('Flatten', f'Linear: {outputs}')}loss: {loss}\ndata: {data}\n"
    )


def up(fields: str, x: str = IMAGE) -> str:
    """Return a transposed convolution."""
    return x + layers(f"ConvTranspose2d: {{out_channels: 3, {fields}}}")


def window(kind: str, fields: str, size: int = 32) -> str:
    """Return a layer with a window on an image of a size."""
    return f"input: [3, {size}, {size}]\n" + layers(f"{kind}: {{{fields}}}")


def objects(size: str, *items: str) -> str:
    """Return a network that says how large its objects are."""
    return f"input: {{shape: [3, 64, 64], object_size: {size}}}\n" + layers(*items)


RESIDUAL = """blocks:
  Residual:
    layers:
      body: [Linear: 16, Sigmoid]
      add: {Add, inputs: [input, body]}
"""
SHARED = (
    IMAGE
    + """layers:
  conv: {Conv2d: {out_channels: 3, kernel_size: 1}}
  norm: BatchNorm2d
  again: {Reuse: conv}
"""
)
SQUEEZE = """input: {shape: [8, 64, 64], object_size: 30}
layers:
  conv: {Conv2d: {out_channels: 8, kernel_size: 3}}
  gate: [AdaptiveAvgPool2d: 1, {Conv2d: {out_channels: 8, kernel_size: 1}}, Sigmoid]
  scale: {Multiply, inputs: [conv, gate]}
  head: [AdaptiveAvgPool2d: 1, Flatten, Linear: 10]
"""
CHOSEN = (
    IMAGE
    + f"""vars: {{norm: true}}
layers: [{CONV}, {{BatchNorm2d, when: $norm}}, ReLU]
"""
)
CHOICE = (
    IMAGE
    + f"""blocks:
  Block: {{params: {{norm: BatchNorm2d}}, layers: [{CONV}, $norm]}}
layers: [Block]
"""
)
TWO_OUTPUTS = """input: [16]
layers:
  features: {Linear: 32}
  scores: {Linear: 10}
outputs: {features: features, scores: scores}
loss: {CrossEntropyLoss, inputs: scores}
"""
AFTER_ARITHMETIC = """input: [16]
layers:
  a: [Linear: 1, Sigmoid]
  b: {inputs: input, layers: [Linear: 1, Sigmoid]}
  product: {Multiply, inputs: [a, b]}
loss: BCELoss
"""

#: By code: files that it warns of.
BAD: dict[str, list[str]] = {
    "NB301": [
        VECTOR + layers("Linear: 32", "Linear: 10"),
        IMAGE + layers(CONV, "Dropout: 0.5", CONV),
        IMAGE + layers(*["ConvTranspose2d: {out_channels: 3, kernel_size: 2, stride: 2}"] * 2),
        IMAGE + layers("Conv2d: {out_channels: 8, kernel_size: 1}", CONV),
    ],
    "NB304": [
        VECTOR + layers("Linear: 10", "Softmax: 1") + CE,
        VECTOR + layers("Linear: 10", "LogSoftmax: -1") + CE,
        VECTOR + layers("Linear: 10", "Softmax: 1", "Dropout: 0.5", "Identity") + CE,
        IMAGE + layers(CONV, "Softmax2d") + CE,
        IMAGE + layers(CONV, "Flatten: 2", SWAP, "Softmax: -1", SWAP) + CE,
        VECTOR + layers("Linear: 1", "Sigmoid") + "loss: BCEWithLogitsLoss\n",
        VECTOR + layers("Linear: 4", "Sigmoid", "Unflatten: {dim: 1, unflattened_size: [2, 2]}")
        + "loss: MultiLabelSoftMarginLoss\n",
    ],
    "NB305": [
        VECTOR + layers("Linear: 1") + BCE,
        VECTOR + layers("Linear: 1", "ReLU") + BCE,
        VECTOR + layers("Linear: 1", "Tanh") + BCE,
        VECTOR + layers("Linear: 1", "Sigmoid", "Dropout: 0.5") + BCE,
        VECTOR + layers("Linear: 10", "LogSoftmax: 1") + BCE,
        VECTOR + layers("Linear: 10") + "loss: NLLLoss\n",
        VECTOR + layers("Linear: 10", "Softmax: 1") + "loss: NLLLoss\n",
        VECTOR + layers("Linear: 10") + "loss: KLDivLoss\n",
        VECTOR + layers("Linear: 10", "Softmax: 1") + "loss: {KLDivLoss: {reduction: batchmean}}\n",
        "input: [20, 8]\n" + layers("Linear: 10") + "loss: CTCLoss\n",
    ],
    "NB306": [
        classes(12, "Digits"),
        classes(11, "{Random: {classes: 10}}"),
        classes(16, "Digits", "{LinearCrossEntropyLoss: {num_classes: 12}}"),
        classes(64, "Digits"),
    ],
    "NB307": [
        IMAGE + layers(CONV, "BatchNorm2d"),
        IMAGE + layers(CONV, "BatchNorm2d: {affine: false}"),
        IMAGE + layers(CONV, "InstanceNorm2d"),
        IMAGE + layers(CONV, "GroupNorm: 8"),
        IMAGE + layers(CONV, "LayerNorm"),
        IMAGE + layers(CONV, "LayerNorm: {normalized_shape: [32, 32]}"),
        IMAGE + layers(CONV, "SyncBatchNorm"),
        VECTOR + layers("Linear: 32", "BatchNorm1d"),
        up("kernel_size: 2, stride: 2").replace("}]", "}, BatchNorm2d]"),
    ],
    "NB308": [
        VECTOR + layers("Linear: 10", "Dropout: 0.5") + CE,
        VECTOR + layers("Linear: 10", "Dropout: 0.5", "LogSoftmax: 1") + "loss: NLLLoss\n",
        IMAGE + layers(CONV.replace("}", ", bias: false}"), "Dropout2d: 0.1", "BatchNorm2d"),
        VECTOR + layers("Linear: {out_features: 8, bias: false}", "Dropout: 0.1", "BatchNorm1d"),
    ],
    "NB309": [
        VECTOR + layers("Linear: 8", "ReLU", "AlphaDropout: 0.1", "Linear: 8"),
        VECTOR + layers("AlphaDropout: 0.1", "Linear: 8"),
        VECTOR + layers("Linear: 8", "SELU", "Dropout: 0.1", "Linear: 8"),
        IMAGE + layers(CONV, "SELU", "MaxPool2d: 2", "Dropout2d: 0.1", CONV),
    ],
    "NB310": [
        single(1, 80, "BatchNorm2d", x=IMAGE),
        single(16, 81, "BatchNorm1d"),
    ],
    "NB311": [
        window("Conv2d", "out_channels: 8, kernel_size: 16, stride: 16", 230),
        window("MaxPool2d", "kernel_size: 3", 11),
        window("Conv2d", "out_channels: 8, kernel_size: 7, stride: 7, padding: 1", 31),
    ],
    "NB312": [
        window("Conv2d", "out_channels: 8, kernel_size: 3, stride: 4"),
        window("MaxPool2d", "kernel_size: 2, stride: 3"),
        window("Conv2d", "out_channels: 8, kernel_size: [3, 1], stride: [4, 2]"),
    ],
    "NB313": [
        objects("32", CONV, "ReLU", "Flatten", "Linear: 10"),
        objects("[3, 5]", CONV, "ReLU", "AdaptiveAvgPool2d: 1", "Flatten", "Linear: 10"),
        objects("20", CONV, "ReLU", "AvgPool2d: 64", "Flatten", "Linear: 10"),
    ],
    "NB314": [
        up("kernel_size: 3, stride: 2"),
        up("kernel_size: 5, stride: 2, padding: 2, output_padding: 1"),
        up("kernel_size: [4, 3], stride: 2"),
        up("kernel_size: 2, stride: 2, dilation: 2"),
    ],
    "NB315": [deep("Sigmoid", 5), deep("Tanh", 10), deep("Sigmoid", 12)],
    "NB317": [
        scheduled("{StepLR: {step_size: 10}}"),
        scheduled("{StepLR: {step_size: 2, gamma: 1}}"),
        scheduled("{MultiStepLR: {milestones: [10, 20]}}"),
        scheduled("{ConstantLR: {total_iters: 20}}"),
        scheduled("{ExponentialLR: 1}"),
        scheduled("{ReduceLROnPlateau: {patience: 10}}"),
        scheduled("{CosineAnnealingLR: {T_max: 5}}"),
        scheduled("{PolynomialLR: {total_iters: 5}}"),
        scheduled("{LinearLR: {start_factor: 1, end_factor: 0, total_iters: 9}}"),
        scheduled(
            "{SequentialLR: {schedulers: [LinearLR, {ExponentialLR: 0.9}], milestones: [10]}}"
        ),
    ],
}  # fmt: skip
#: By code: files that it says nothing of, though they look like it.
GOOD: dict[str, list[str]] = {
    "NB301": [
        VECTOR + layers("Linear: 4", "Linear: 32"),  # of rank 4
        IMAGE + layers(CONV.replace("}", ", groups: 1}"), "ReLU", CONV),
        IMAGE
        + layers(
            "Conv2d: {out_channels: 8, kernel_size: [1, 7], padding: [0, 3]}",
            "Conv2d: {out_channels: 8, kernel_size: [7, 1], padding: [3, 0]}",
        ),
        IMAGE + layers("Conv2d: {out_channels: 3, kernel_size: 3, groups: 3}", CONV),
        TWO_OUTPUTS,
    ],
    "NB304": [
        VECTOR + layers("Linear: 10") + CE,
        VECTOR + layers("Linear: 10", "Softmax: 1"),
        VECTOR + layers("Linear: 10", "Softmax: 1") + "loss: MSELoss\n",
        VECTOR + layers("Linear: 8", "Softmax: 1", "Linear: 10") + CE,
        IMAGE + layers(CONV, "Softmax: -1") + CE,  # over the width, not the classes
        VECTOR + layers("Linear: 1", "Sigmoid") + BCE,
        VECTOR + layers("Linear: 10", "LogSoftmax: 1") + "loss: NLLLoss\n",
        TWO_OUTPUTS.replace("features: {Linear: 32}", "features: {layers: [Linear: 32, Softmax]}"),
    ],
    "NB305": [
        VECTOR + layers("Linear: 4", "Sigmoid", "Identity") + BCE,
        VECTOR + layers("Linear: 4", "Softmax: 1") + BCE,
        VECTOR + layers("Linear: 4", "Hardtanh: {min_val: 0, max_val: 1}") + BCE,
        IMAGE + layers(CONV, "Sigmoid", "AdaptiveAvgPool2d: 1", "Flatten") + BCE,
        AFTER_ARITHMETIC,
        VECTOR + layers("Linear: 4", "LogSoftmax: 1") + "loss: NLLLoss\n",
        VECTOR + layers("Linear: 4", "LogSigmoid") + "loss: KLDivLoss\n",
        VECTOR + layers("Linear: 4") + "loss: PoissonNLLLoss\n",
        VECTOR + layers("Identity") + BCE,
    ],
    "NB306": [
        classes(10, "Digits"),
        classes(12, "Random"),
        classes(1024, "{Random: {classes: 1000}}"),  # padded
        f"input: [1, 8, 8]\n{layers('Flatten', 'Linear: 12')}data: Digits\n",
    ],
    "NB307": [
        IMAGE + layers(CONV.replace("}", ", bias: false}"), "BatchNorm2d"),
        IMAGE + layers(CONV, "ReLU", "BatchNorm2d"),
        IMAGE + layers(CONV, "GroupNorm: 4"),
        IMAGE + layers(CONV, "LayerNorm: {normalized_shape: [8, 32, 32]}"),
        VECTOR + layers("Linear: 8", "LayerNorm"),
        "input: [6, 16]\n" + layers("Linear: 8", "BatchNorm1d"),  # of 6 channels
        SHARED,
        CHOSEN,
        CHOICE,
    ],
    "NB308": [
        VECTOR + layers("Linear: 10", "Dropout: 0.5"),
        VECTOR + layers("Dropout: 0.5", "Linear: 10") + CE,
        VECTOR + layers("Linear: 8", "Dropout: 0.5") + "loss: {LinearCrossEntropyLoss: 10}\n",
        VECTOR + layers("Linear: 10", "Dropout: 0") + CE,
        IMAGE + layers("BatchNorm2d", "ReLU", "Dropout: 0.3", CONV, "BatchNorm2d"),  # a WRN
    ],
    "NB309": [
        VECTOR + layers("AlphaDropout: 0.1", "Linear: 8", "SELU", "AlphaDropout: 0.1", "Linear: 8"),
        VECTOR + layers("Linear: 8", "SELU", "Linear: 8", "ReLU", "Dropout: 0.1", "Linear: 8"),
        VECTOR + layers("Linear: 8", "BatchNorm1d", "SELU", "Dropout: 0.1", "Linear: 8"),
        VECTOR + layers("Linear: 8", "SELU", "Dropout: 0", "Linear: 8"),
    ],
    "NB310": [
        single(1, 80, "InstanceNorm2d", x=IMAGE),
        single(16, 81, "BatchNorm2d", x=IMAGE),
        single(16, 80, "BatchNorm1d"),
        single(16, 81),
    ],
    "NB311": [
        window("Conv2d", "out_channels: 8, kernel_size: 7, stride: 2, padding: 3", 224),  # ResNet
        window("Conv2d", "out_channels: 8, kernel_size: 11, stride: 4, padding: 2", 224),
        window("Conv2d", "out_channels: 8, kernel_size: 11, stride: 4, padding: 1", 224),
        window("Conv2d", "out_channels: 8, kernel_size: 14, stride: 14", 384),  # SigLIP
        window("Conv2d", "out_channels: 8, kernel_size: 16, stride: 10", 128),  # AST
        "input: [3, 122]\n" + layers("MaxPool1d: 4"),  # M5
        window("MaxPool2d", "kernel_size: 2", 11),
        window("MaxPool2d", "kernel_size: 3, stride: 2", 54),
        window("MaxPool2d", "kernel_size: 3, ceil_mode: true", 11),
    ],
    "NB312": [
        window("Conv2d", "out_channels: 8, kernel_size: 1, stride: 2"),  # ResNet's shortcut
        window("MaxPool2d", "kernel_size: 1, stride: 2"),
        window("Conv2d", "out_channels: 8, kernel_size: 3, stride: 4, dilation: 2"),
        window("Conv2d", "out_channels: 8, kernel_size: 2, stride: 3", 4),  # a single window
        window("Conv2d", "out_channels: 8, kernel_size: 16, stride: 16"),
    ],
    "NB313": [
        objects("3", CONV, "ReLU", "Flatten", "Linear: 10"),
        IMAGE + layers(CONV, "ReLU", "Flatten", "Linear: 10"),
        objects("30", "Conv2d: {out_channels: 8, kernel_size: 8, stride: 8}", "Flatten: 2",
                SWAP, "TransformerEncoderLayer: {nhead: 2, dim_feedforward: 8}", "Flatten"),
        SQUEEZE,
    ],
    "NB314": [
        up("kernel_size: 4, stride: 2, padding: 1"),
        up("kernel_size: 3"),
        up("kernel_size: 3, stride: 2", x="input: [3, 1, 1]\n"),
        up("kernel_size: 4, stride: 2, dilation: 3"),
    ],
    "NB315": [
        deep("Sigmoid", 4),
        deep("Tanh", 9),
        deep("Tanh", 12) + "init: [{type: Linear, xavier_normal_}]\n",
        deep("Sigmoid", 8, "BatchNorm1d, "),
        deep("ReLU", 12),
        VECTOR + RESIDUAL + "layers: [{Residual, repeat: 12}, Linear: 10]\n",
    ],
    "NB317": [
        scheduled("{StepLR: {step_size: 9}}"),
        scheduled("{StepLR: {step_size: 10}}", epochs=1),
        scheduled("{MultiStepLR: {milestones: [5, 10]}}"),
        scheduled("LinearLR"),  # a warm-up
        scheduled("{ReduceLROnPlateau: {patience: 8}}"),
        scheduled("{CosineAnnealingLR: {T_max: 10}}"),
        scheduled("{CosineAnnealingLR: {T_max: 9}}"),
        scheduled("{CosineAnnealingLR: {T_max: 3}}"),  # down, up, and down again
        scheduled("{PolynomialLR: {total_iters: 10}}"),
        scheduled("{StepLR: {step_size: 10}, step: batch}"),  # of how many nothing is known
        scheduled(
            "{SequentialLR: {schedulers: [LinearLR, {ExponentialLR: 0.9}], milestones: [5]}}"
        ),
    ],
}  # fmt: skip


def traced(text: str) -> Graph:
    """Return the graph of a text."""
    return infer(read(from_bytes("net.yaml", text.encode())))


def found(text: str) -> tuple[Diagnostic, ...]:
    """Return what is said of a text."""
    return traced(text).diagnostics


def cases(table: dict[str, list[str]]) -> list[Any]:
    """Return the rows of a table."""
    return [pytest.param(c, text, id=f"{c}-{n}") for c in table for n, text in enumerate(table[c])]


@pytest.mark.parametrize(("code", "text"), cases(BAD))
def test_warns(code: str, text: str) -> None:
    """A pattern gets its warning, and each warning says what to do or where."""
    said = found(text)
    assert code in {diagnostic.code for diagnostic in said}, text
    assert all(d.severity == "warning" for d in said), [d.message for d in said]
    assert all(d.help or d.notes for d in said)


@pytest.mark.parametrize(("code", "text"), cases(GOOD))
def test_is_silent(code: str, text: str) -> None:
    """What is right, and known practice, gets no such warning, and is no error either."""
    said = found(text)
    assert code not in {diagnostic.code for diagnostic in said}, text
    assert all(d.severity == "warning" for d in said), [d.message for d in said]


def test_every_lint_has_both() -> None:
    """Each code of a file with lints has files of either kind."""
    assert set(BAD) == set(GOOD)


def test_names() -> None:
    """What lints know by its name is a layer, a loss or a scheduler."""
    known = {*LAYERS, *LOSSES, *SCHEDULERS}
    for module in pkgutil.iter_modules(lint.__path__, f"{lint.__name__}."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if name.strip("_").isupper() and isinstance(value, (set, frozenset, dict)):
                words = {word for word in value if isinstance(word, str)}
                assert words <= known, (module.name, name, words - known)


@pytest.mark.parametrize(("code", "text"), cases(BAD))
def test_fixes(code: str, text: str) -> None:
    """With the edits of its fixes a file has no fault, and the warning no more."""
    before = [d for d in found(text) if d.code == code and d.fixes]
    for diagnostic in before:
        for fix in diagnostic.fixes:
            lines = text.split("\n")
            for span, new in fix.edits:
                line = lines[span.line - 1]
                assert span.line == span.end_line
                lines[span.line - 1] = line[: span.column - 1] + new + line[span.end_column - 1 :]
            after = found("\n".join(lines))
            assert not [d for d in after if d.severity == "error"], "\n".join(lines)
            assert sum(d.code == code for d in after) < sum(d.code == code for d in found(text))


def test_fix_of_a_block_mapping() -> None:
    """A field is written in front of the others, on a line of its own where they have theirs."""
    text = (
        "input: [3, 8, 8]\nlayers:\n  - Conv2d:\n      out_channels: 4\n      kernel_size: 3\n"
        "  - BatchNorm2d\n"
    )
    (diagnostic,) = found(text)
    ((span, new),) = diagnostic.fixes[0].edits
    assert (span.line, span.column, span.end_column) == (4, 7, 7)
    assert new == "bias: false\n      "


# What torch makes of it.


def run(text: str, batch: int = 4) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """Return a network in training, an input that wants a gradient, and what it gives of it."""
    torch.manual_seed(0)
    graph = traced(text)
    module = builder.module(graph).train()
    (shape,) = (tensor.shape for tensor in graph.config.inputs.values() if tensor)
    x = torch.randn(batch, *shape, requires_grad=True)
    return module, x, module(x)


def test_softmax_twice_has_a_floor() -> None:
    """NB304: behind a softmax the loss of ten classes is 1.46 or more, however sure the scores."""
    scores = 1000.0 * torch.eye(10)
    loss = nn.CrossEntropyLoss()
    assert loss(scores, torch.arange(10)) == 0
    assert loss(scores.softmax(1), torch.arange(10)).item() == pytest.approx(1.4612, abs=1e-3)


def test_log_softmax_twice_is_once() -> None:
    """NB304: behind a LogSoftmax the loss and its gradient are those of the scores themselves."""
    torch.manual_seed(0)
    scores, target = torch.randn(20, 10, dtype=torch.double), torch.arange(20) % 10

    def learned(function: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        x = scores.clone().requires_grad_()
        loss = nn.CrossEntropyLoss()(function(x), target)
        return loss, torch.autograd.grad(loss, x)[0]

    torch.testing.assert_close(learned(nn.LogSoftmax(1)), learned(nn.Identity()))
    assert learned(nn.Softmax(1))[1].norm() < learned(nn.Identity())[1].norm() / 2


@pytest.mark.parametrize("text", [t for t in BAD["NB305"] if BCE in t])
def test_bce_refuses_scores(text: str) -> None:
    """NB305: torch refuses what is not from 0 to 1."""
    _, _, y = run(text, batch=200)  # of which some are outside, and some not dropped
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        nn.BCELoss()(y, torch.zeros_like(y))


@pytest.mark.parametrize("text", [t for t in GOOD["NB305"] if BCE in t and "Identity]" not in t])
def test_bce_takes_probabilities(text: str) -> None:
    """NB305: what it lets pass is from 0 to 1."""
    module, x, _ = run(text)
    y = module(100 * x)
    nn.BCELoss()(y, torch.zeros_like(y))


def bias_gradient(text: str) -> float:
    """Return the largest gradient of the first bias, of a sum with random weights."""
    module, x, _ = run(text)
    y = module.double()(x.double())
    (y * torch.randn_like(y)).sum().backward()
    first = next(p for name, p in module.named_parameters() if name.endswith("bias"))
    return float(first.grad.abs().max())


@pytest.mark.parametrize("text", [t for t in BAD["NB307"] if "Sync" not in t])
def test_lost_biases_have_no_gradient(text: str) -> None:
    """NB307: the gradient of a bias that a norm takes away is 0, up to rounding."""
    assert bias_gradient(text) < 1e-9


def test_norms_with_a_bias() -> None:
    """NB307: the page knows that a batch norm has a bias by default, and an instance norm none."""
    assert nn.BatchNorm2d(3).bias is not None
    assert nn.InstanceNorm2d(3).bias is None
    assert nn.InstanceNorm2d(3, affine=True).bias is not None
    assert "`InstanceNorm`\nhas none unless it says `affine: true`" in rules.page("NB307").text


@pytest.mark.parametrize("text", GOOD["NB307"][1:7])
def test_other_biases_have_one(text: str) -> None:
    """NB307: that of one before an activation, or a norm of several channels, is not."""
    assert bias_gradient(text) > 1e-2


def test_dropout_before_a_norm_shifts_the_variance() -> None:
    """NB308: the running variance is that of training, 1 / (1 − p) of that of evaluation."""
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(1, momentum=None)
    x = torch.randn(100_000, 1)
    norm(nn.functional.dropout(x, 0.5))
    assert float(norm.running_var) == pytest.approx(2, abs=0.1)


def test_alpha_dropout_goes_with_selu() -> None:
    """NB309: behind SELU it keeps mean and variance, behind ReLU it shifts the mean below 0."""
    torch.manual_seed(0)
    x = torch.randn(200_000)
    alpha = nn.AlphaDropout(0.3)
    kept = alpha(nn.functional.selu(x))
    assert (float(kept.mean()), float(kept.var())) == pytest.approx((0, 1), abs=0.03)
    assert float(nn.functional.dropout(nn.functional.selu(x), 0.3).var()) > 1.3
    assert float(alpha(x.relu()).min()) < -1


def test_one_value_per_channel() -> None:
    """NB310: torch refuses to normalise a single sample of one value per channel."""
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        run(single(16, 81, "BatchNorm1d"), batch=1)


@settings(max_examples=60)
@given(
    n=st.integers(1, 40),
    k=st.integers(1, 6),
    s=st.integers(1, 9),
    p=st.integers(0, 3),
    d=st.integers(1, 3),
)
def test_unseen_values_have_no_gradient(n: int, k: int, s: int, p: int, d: int) -> None:
    """NB311, NB312: as many values as they count, at the end and between, change nothing."""
    text = (
        f"input: [1, {n}]\nlayers: [Conv1d: {{out_channels: 1, kernel_size: {k}, stride: {s}, "
        f"padding: {p}, dilation: {d}}}]\n"
    )
    graph = traced(text)
    if not graph.outputs:
        return
    (axis,) = windows._axes(graph.rows[0].inferred)
    reach = nn.Conv1d(1, 1, d * (k - 1) + 1, s, p, bias=False)  # as wide, without gaps in it
    nn.init.ones_(reach.weight)
    x = torch.ones(1, 1, n, requires_grad=True)
    reach(x).sum().backward()
    assert x.grad is not None
    unseen = (x.grad == 0)[0, 0].tolist()
    last = n - axis.unseen
    assert unseen[last:] == [True] * axis.unseen
    if axis.unseen < n:
        # Those between two windows that lie in the padding are not of the input.
        assert sum(unseen[:last]) <= axis.skipped
        assert (sum(unseen[:last]) == axis.skipped) or p > 0


@pytest.mark.parametrize("text", BAD["NB311"] + BAD["NB312"])
def test_borders_have_no_gradient(text: str) -> None:
    """NB311, NB312: some rows that they warn of have gradient 0 in every channel and column."""
    _, x, y = run(text, batch=8)
    y.sum().backward()
    assert x.grad is not None
    rows = x.grad.abs().sum(dim=(0, 1, 3))
    assert (rows == 0).any()


@settings(max_examples=60)
@given(k=st.integers(1, 7), s=st.integers(1, 4), d=st.integers(1, 3))
def test_checkerboards(k: int, s: int, d: int) -> None:
    """NB314: inside, the sums of equal inputs with equal weights differ just where it warns."""
    fields = f"kernel_size: {k}, stride: {s}, dilation: {d}"
    text = up(fields, x="input: [3, 60]\n").replace("2d", "1d")
    warned = bool([said for said in found(text) if said.code == "NB314"])
    layer = nn.ConvTranspose1d(1, 1, k, s, dilation=d, bias=False)
    nn.init.ones_(layer.weight)
    y = layer(torch.ones(1, 1, 60))[0, 0]
    inside = y[d * k : -d * k]
    assert warned == bool((inside != inside[0]).any())


def test_sigmoids_take_the_gradient() -> None:
    """NB315: through five sigmoids less than a thousandth of it is left, through five ReLUs not."""
    torch.manual_seed(0)

    def left(activation: str) -> float:
        module, _, y = run(deep(activation, 5), batch=64)
        (y * torch.randn_like(y)).sum().backward()
        first, *_, last = [p.grad.norm() for p in module.parameters() if p.dim() == 2]
        return float(first / last)

    assert left("Sigmoid") < 1e-3
    assert left("ReLU") > 1e-2


def rates(scheduler: Any, steps: int, lr: float = 0.1) -> list[float]:
    """Return the rates of a training of so many steps."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    torchs = made(scheduler, optimizer, steps)
    said = []
    for _ in range(steps):
        said.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        torchs.step(*([1.0] if type(scheduler).__name__ == "ReduceLROnPlateau" else []))
    return said


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(set(_CONSTANT) & set(FIELDS)))
@settings(max_examples=40)
@given(data=st.data(), epochs=st.integers(2, 9))
def test_idle_schedulers(name: str, data: st.DataObject, epochs: int) -> None:
    """NB317: a rate that never changes never changes in torch; where it may, nothing is said."""
    fields = data.draw(FIELDS[name])
    text = (
        VECTOR
        + layers("Linear: 10")
        + dump(
            {
                "optimizer": {"SGD": {"lr": 0.1}},
                "scheduler": {name: fields, "step": "epoch"},
                "train": {"epochs": epochs},
            }
        )
    )
    graph = traced(text)
    if graph.config.scheduler is None or errors(graph.diagnostics):
        return
    said = {d.title for d in graph.diagnostics}
    seen = rates(graph.config.scheduler.scheduler, epochs)
    if f"{name} changes nothing" in said:
        assert seen == pytest.approx([seen[0]] * epochs, rel=1e-6, abs=1e-12)
    if f"{name} ends before the training" in said and name != "CosineAnnealingLR":
        assert seen[-1] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("text", BAD["NB317"][:9] + [GOOD["NB317"][n] for n in (0, 2, 3, 5, 8)])
def test_schedulers_in_torch(text: str) -> None:
    """NB317: of the tables' schedulers just those that change nothing have one rate."""
    graph = traced(text)
    assert graph.config.scheduler is not None
    seen = rates(graph.config.scheduler.scheduler, graph.config.train.epochs)
    idle = any(d.title.endswith("changes nothing") for d in graph.diagnostics)
    assert idle == (max(seen) - min(seen) < 1e-12)


# Whatever the network.

_ROWS = [
    row
    for family in FAMILIES.values()
    for row in family.rows
    if not row.others and row.dtype == "float32"
]
_BY_INPUT: dict[Any, list[Any]] = {}
for _row in _ROWS:
    _BY_INPUT.setdefault(_row.input, []).append(_row)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda f: f.rows[0].type)
def test_every_layer_alone(family: Any) -> None:
    """No lint fails on a layer, and a layer alone is no pattern but for its own windows."""
    for row in family.rows:
        graph = traced(text_of_case(row.case))
        codes = {d.code for d in lint.warnings(graph)} if graph.block else set()
        assert codes <= {"NB302", "NB309", "NB311", "NB312", "NB314"}, row.id


@settings(max_examples=150)
@given(data=st.data())
def test_chains(data: st.DataObject) -> None:
    """No lint fails on layers one behind the other, whatever the loss and the schedule."""
    row = data.draw(st.sampled_from(_ROWS))
    chain, shape = [row.config], row.output
    for _ in range(data.draw(st.integers(1, 4))):
        following = [*_BY_INPUT.get(shape, []), row] if row.input == shape else _BY_INPUT.get(shape)
        if not following:
            break
        row = data.draw(st.sampled_from(following))
        chain.append(row.config)
        shape = row.output
    sections = {
        "input": {"shape": list(data.draw(st.just(_first(chain)))), "object_size": 9},
        "layers": chain,
        "loss": data.draw(st.sampled_from(["MSELoss", "BCELoss", "NLLLoss", "CrossEntropyLoss"])),
        "data": {"Random": {"samples": data.draw(st.integers(2, 40))}},
        "train": {"batch_size": data.draw(st.integers(1, 8))},
    }
    graph = traced(dump(sections))
    if graph.block is not None:
        list(lint.warnings(graph))


def _first(chain: list[Any]) -> Any:
    """Return the input of a chain's first layer."""
    return next(row.input for row in _ROWS if row.config is chain[0])


def test_a_fault_of_a_section_hides_no_warning() -> None:
    """The network is whole: what is strange about it is said in the same run."""
    text = f"{VECTOR}layers: [Linear: 8, Linear: 4]\noptimizer: {{Adam: {{learning_rate: 1}}}}\n"
    graph = infer(read(from_bytes("net.yaml", text.encode())))
    assert [fault.code for fault in graph.diagnostics] == ["NB301", "NB104"]
