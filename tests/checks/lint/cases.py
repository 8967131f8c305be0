"""Networks that get a warning, and similar networks that get none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.graph.graph import Graph

IMAGE = "input: [3, 32, 32]\n"
VECTOR = "input: [16]\n"
CONV = "Conv2d: {out_channels: 8, kernel_size: 3, padding: 1}"
SWAP = "{Transpose: {dim0: 1, dim1: 2}}"
CE, BCE = "loss: CrossEntropyLoss\n", "loss: BCELoss\n"


def layers(*items: str) -> str:
    """Return the section `layers` with these items."""
    return f"layers: [{', '.join(items)}]\n"


def deep(activation: str, count: int, extra: str = "") -> str:
    """Return a deep network: `count` layers with an activation, and a last layer."""
    stack = f"[{{repeat: {count}, layers: [Linear: 16, {extra}{activation}]}}, Linear: 10]"
    return f"{VECTOR}layers: {stack}\n"


def scheduled(scheduler: str, epochs: int = 10) -> str:
    """Return a network that trains with a scheduler."""
    sections = f"optimizer: SGD\nscheduler: {scheduler}\ntrain: {{epochs: {epochs}}}\n"
    return VECTOR + layers("Linear: 10") + sections


def single(size: int, samples: int, *norm: str, x: str = VECTOR) -> str:
    """Return a network that trains with batches of a size."""
    data = f"data: {{Random: {{samples: {samples}, classes: 10}}}}\ntrain: {{batch_size: {size}}}\n"
    return x + layers(*norm, "Flatten", "Linear: 10") + CE + data


def classes(outputs: int, data: str, loss: str = "CrossEntropyLoss") -> str:
    """Return a network with a number of outputs, and data."""
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
    """Return a network with an `object_size`."""
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
        VECTOR + layers("Linear: 16", "Linear: 16", "{name: s, layers: [Tanh]}", "Reuse: s"),
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
        scheduled("{ReduceLROnPlateau: {patience: 2, threshold: 1}}"),
        scheduled("{ReduceLROnPlateau: {patience: 2, threshold: -0.1, threshold_mode: abs}}"),
        scheduled("{ReduceLROnPlateau: {patience: 2, min_lr: 1e-3}}"),
        scheduled("{ReduceLROnPlateau: {patience: 2, eps: 1e-3}}"),
        scheduled("{StepLR: {step_size: 5, gamma: 0}}"),
        scheduled("{MultiStepLR: {milestones: [5, 7], gamma: 0}}"),
        scheduled("{ExponentialLR: 0}"),
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
        VECTOR + layers("Linear: 16", "{name: s, layers: [Linear: 16, Tanh]}", "Reuse: s"),
        VECTOR + layers("{Linear: 16, name: a}", "Linear: 16", "Tanh", "Reuse: a"),
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
        scheduled("{ReduceLROnPlateau: {mode: max, patience: 2}}").replace(
            "SGD", "{SGD: {maximize: true}}"
        ),
        scheduled("{ReduceLROnPlateau: {patience: 2}}").replace("SGD", "{SGD: {maximize: true}}"),
        scheduled("{ReduceLROnPlateau: {patience: 2, threshold: 1, threshold_mode: abs}}"),
        scheduled("{ReduceLROnPlateau: {patience: 2, min_lr: 9e-4}}"),
        scheduled("{ReduceLROnPlateau: {patience: 2, eps: 8e-4}}"),
        scheduled("{ReduceLROnPlateau: {patience: 2, min_lr: 1e-3}}").replace(
            "SGD", "{SGD, groups: [{match: '0', lr: 0.1}]}"
        ),
    ],
}  # fmt: skip


def traced(text: str) -> Graph:
    """Return the graph of a text."""
    return infer(read(from_bytes("net.yaml", text.encode())))


def found(text: str) -> tuple[Diagnostic, ...]:
    """Return the diagnostics of a text."""
    return traced(text).diagnostics
