"""Networks whose loss gets a warning about its values, and similar networks that get none."""

from __future__ import annotations

from tests.checks.lint.cases import CE, CONV, IMAGE, SWAP, TWO_OUTPUTS, VECTOR, layers

#: A network of means and variances.
VARIANCE = """input: [16]
layers:
  mean: {Linear: 2}
  var: {inputs: mean, layers: LAYERS}
outputs: {mean: mean, var: var}
loss: GaussianNLLLoss
"""

RATE = "loss: {PoissonNLLLoss: {log_input: false}}\n"
BCE_SCORES, MARGIN = "loss: BCEWithLogitsLoss\n", "loss: MultiMarginLoss\n"
SQUARE = "input: [2, 3, 3]\n"
CHANNELS = "Conv2d: {out_channels: 3, kernel_size: 1}"
STEPS = "input: [20, 8]\n"

#: By code: files that it warns of.
BAD: dict[str, list[str]] = {
    "NB322": [
        IMAGE + layers(CONV, "LogSoftmax: 2") + "loss: NLLLoss\n",
        IMAGE + layers(CONV, "LogSoftmax: {dim: -1}", "Dropout: 0.1") + "loss: NLLLoss2d\n",
        IMAGE + layers(CONV, "Softmax: -1") + CE,
        IMAGE + layers(CONV, "Flatten: 2", "LogSoftmax: -1") + "loss: NLLLoss\n",
        IMAGE + layers(CONV, "LogSoftmax: 2", "Flatten: 2") + "loss: NLLLoss\n",
        STEPS + layers("Linear: 10", "LogSoftmax: 1") + "loss: CTCLoss\n",
        STEPS + layers("Linear: 10", "LogSoftmax: 1", SWAP) + "loss: NLLLoss\n",
        STEPS + layers("Linear: 10", "LogSoftmax: 2") + "loss: NLLLoss\ndata: {Random: {}}\n",
    ],
    "NB323": [
        VECTOR + layers("Linear: 10", "Sigmoid") + CE,
        VECTOR + layers("Linear: 10", "Tanh", "Dropout: 0") + CE,
        VECTOR + layers("Linear: 10", "ReLU", "Identity") + CE,
        VECTOR + layers("Linear: 10", "LogSigmoid") + CE,
        VECTOR + layers("Linear: 10", "Softplus") + CE,
        IMAGE + layers(CONV, "Hardtanh", "Flatten: 2") + CE,
        "input: [7, 16]\n" + layers("LSTM: 5", SWAP) + CE,
        VECTOR + layers("Linear: 10", "ReLU") + BCE_SCORES,
        VECTOR + layers("Linear: 10", "Tanh") + BCE_SCORES,
        VECTOR + layers("Linear: 10", "LogSoftmax: 1") + BCE_SCORES,
        VECTOR + layers("Linear: 10", "ReLU") + "loss: MultiLabelSoftMarginLoss\n",
        VECTOR + layers("Linear: 10", "Sigmoid") + "loss: SoftMarginLoss\n",
        VECTOR + layers("Linear: 10", "Sigmoid") + MARGIN,
        VECTOR + layers("Linear: 10", "ReLU") + "loss: MultiLabelMarginLoss\n",
    ],
    "NB324": [
        VARIANCE.replace("LAYERS", "[Linear: 2]"),
        VARIANCE.replace("LAYERS", "[Linear: 2, Tanh]"),
        VARIANCE.replace("LAYERS", "[Linear: 2, GELU, Dropout: 0.1]"),
        VECTOR + layers("Linear: 3") + RATE,
        VECTOR + layers("Linear: 3", "LogSigmoid") + RATE,
    ],
    "NB325": [
        SQUARE + layers(CHANNELS) + "loss: {BCEWithLogitsLoss: {pos_weight: [1, 2, 3]}}\n",
        SQUARE + layers(CHANNELS) + "loss: {BCEWithLogitsLoss: [1, 2, 3]}\n",
        SQUARE + layers(CHANNELS, "Sigmoid") + "loss: {BCELoss: {weight: [1, 2.5, 3]}}\n",
    ],
}  # fmt: skip

#: By code: files that it says nothing of, though they look like it.
GOOD: dict[str, list[str]] = {
    "NB322": [
        IMAGE + layers(CONV, "LogSoftmax: 1") + "loss: NLLLoss\n",
        IMAGE + layers(CONV, "LogSoftmax") + "loss: NLLLoss\n",
        IMAGE + layers(CONV, "Softmax: 1") + CE,
        IMAGE + layers(CONV, "Softmax: 2", CONV) + CE,
        IMAGE + layers(CONV, "LogSoftmax: 2") + "loss: KLDivLoss\n",  # the target tells its axis
        IMAGE + layers(CONV, "Softmax: 2") + "loss: MSELoss\n",
        IMAGE + layers(CONV, "LogSoftmax: 1", "Flatten: 2") + "loss: NLLLoss\n",
        STEPS + layers("Linear: 10", "LogSoftmax: 2") + "loss: CTCLoss\n",
        STEPS + layers("Linear: 10", "LogSoftmax: -1", SWAP) + "loss: NLLLoss\n",
        VECTOR + layers("Linear: 10", "LogSoftmax: 1") + "loss: NLLLoss\n",
        TWO_OUTPUTS.replace("features: {Linear: 32}", "features: {layers: [Linear: 32, Softmax]}"),
    ],
    "NB323": [
        VECTOR + layers("Linear: 10") + CE,
        VECTOR + layers("Linear: 10", "ReLU"),
        VECTOR + layers("Linear: 10", "Sigmoid") + "loss: MSELoss\n",
        VECTOR + layers("Linear: 10", "LogSoftmax: 1") + CE,  # NB304
        VECTOR + layers("Linear: 10", "Sigmoid") + BCE_SCORES,  # NB304
        IMAGE + layers(CONV, "Softmax: -1") + CE,  # NB322
        VECTOR + layers("Linear: 10", "LeakyReLU") + CE,
        VECTOR + layers("Linear: 10", "GELU") + CE,
        VECTOR + layers("Linear: 10", "BatchNorm1d") + CE,
        VECTOR + layers("Linear: 10", "Hardtanh: {min_val: -10, max_val: 10}") + CE,
        VECTOR + layers("Linear: 10", "Hardtanh: {min_val: -10, max_val: 10}") + BCE_SCORES,
        VECTOR + layers("Linear: 10", "Tanh") + MARGIN,
        VECTOR + layers("Linear: 10", "Softmax: 1") + MARGIN,
        IMAGE + layers(CONV, "ReLU", "AdaptiveAvgPool2d: 1", "Flatten") + CE,  # SqueezeNet
        VECTOR + layers("Linear: 32", "ReLU") + "loss: {LinearCrossEntropyLoss: 10}\n",
        TWO_OUTPUTS.replace("features: {Linear: 32}", "features: {layers: [Linear: 32, Tanh]}"),
    ],
    "NB324": [
        VARIANCE.replace("LAYERS", "[Linear: 2, Softplus]"),
        VARIANCE.replace("LAYERS", "[Linear: 2, Sigmoid]"),
        VARIANCE.replace("LAYERS", "[Linear: 2, ReLU, Dropout: 0.1]"),  # of at least eps
        VECTOR + layers("Linear: 3") + "loss: PoissonNLLLoss\n",
        VECTOR + layers("Linear: 3", "Softplus") + RATE,
        VECTOR + layers("Identity") + RATE,
    ],
    "NB325": [
        SQUARE + layers(CHANNELS)
        + "loss: {BCEWithLogitsLoss: {pos_weight: [[[1]], [[2]], [[3]]]}}\n",
        SQUARE + layers(CHANNELS) + "loss: {BCEWithLogitsLoss: {pos_weight: [[[1, 2, 3]]]}}\n",
        SQUARE + layers(CHANNELS) + "loss: {BCEWithLogitsLoss: {pos_weight: [2]}}\n",
        "input: [3, 8]\n" + layers("Linear: 3") + "loss: {BCEWithLogitsLoss: [1, 2, 3]}\n",
        VECTOR + layers("Linear: 3") + "loss: {BCEWithLogitsLoss: {pos_weight: [1, 2, 3]}}\n",
    ],
}  # fmt: skip
