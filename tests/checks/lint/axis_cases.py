"""Networks with a layer over the wrong axis, which get a warning, and similar ones without."""

from __future__ import annotations

from tests.checks.lint.cases import CONV, IMAGE, VECTOR, layers

TWO = "inputs: {a: [5, 8], b: [1, 8]}\n"

#: By code: files that get the warning.
BAD: dict[str, list[str]] = {
    "NB320": [
        VECTOR + layers("Linear: 1", "Softmax"),
        VECTOR + layers("Linear: 1", "LogSoftmax"),
        VECTOR + layers("Linear: 1", "Softmin: 1"),
        "input: [6, 16]\n" + layers("Linear: 1", "Softmax: -1"),
        IMAGE + layers(CONV, "AdaptiveAvgPool2d: 1", "LayerNorm"),
        IMAGE + layers(CONV, "AdaptiveAvgPool2d: 1", "LayerNorm: {eps: 1e-6}"),
        VECTOR + layers("Linear: 1", "LayerNorm"),
        IMAGE + layers(CONV, "AdaptiveAvgPool2d: 1", "RMSNorm"),
        VECTOR + layers("Unsqueeze: 1", "MultiheadAttention: 2"),
        VECTOR + layers("Unsqueeze: 1", "TransformerEncoderLayer: 2"),
        "inputs: {a: [1, 8], b: [1, 8]}\nlayers: [{CosineSimilarity, inputs: [a, b]}]\n",
    ],
}  # fmt: skip

#: By code: files that it says nothing of, though they look like it.
GOOD: dict[str, list[str]] = {
    "NB320": [
        VECTOR + layers("Linear: 1", "Sigmoid"),
        VECTOR + layers("Linear: 2", "Softmax"),
        "input: [6, 16]\n" + layers("Linear: 1", "Softmax: 1"),  # over the 6 places
        IMAGE + layers(CONV, "AdaptiveAvgPool2d: 1", "LayerNorm: {normalized_shape: [8, 1, 1]}"),
        IMAGE + layers(CONV, "AdaptiveAvgPool2d: 1", "Flatten", "LayerNorm"),
        IMAGE + layers(CONV, "AdaptiveAvgPool2d: 1", "GroupNorm: 1"),
        VECTOR + layers("Linear: 1", "RMSNorm: {eps: 1.0}"),
        VECTOR + layers("Unsqueeze: 2", "Linear: 8", "MultiheadAttention: 2"),
        # One vector to attend to, as a decoder has it for a picture.
        TWO + "layers: [{MultiheadAttention: {num_heads: 2}, inputs: [a, b, b]}]\n",
    ],
}  # fmt: skip
