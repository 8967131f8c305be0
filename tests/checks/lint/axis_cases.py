"""Networks with a layer over the wrong axis, which get a warning, and similar ones without."""

from __future__ import annotations

from tests.checks.lint.cases import CE, CONV, IMAGE, SWAP, VECTOR, layers

PATCHES = "Conv2d: {out_channels: 8, kernel_size: 4, stride: 4}"
CONV1 = "Conv1d: {out_channels: 8, kernel_size: 3}"
CONV3 = "Conv3d: {out_channels: 8, kernel_size: 3, padding: 1}"
PICTURE_AND_WORDS = f"""inputs: {{picture: [32, 32, 3], words: [10]}}
layers:
  conv: {{{CONV}, inputs: picture}}
  flat: Flatten
  both: {{Concat, inputs: [flat, words]}}
"""
#: A target for each value of a result of 8×32×10.
MAPS = "loss: MSELoss\ndata: {Random: {target: [8, 32, 10]}}\n"
#: A head that is used twice: a fix would change both.
BLOCK = (
    IMAGE
    + f"""blocks: {{Head: {{layers: [Linear: 10]}}}}
layers:
  body: {{{CONV}}}
  one: {{Head, inputs: body}}
  two: {{Head, inputs: body}}
outputs: [one, two]
"""
)
TWO = "inputs: {a: [5, 8], b: [1, 8]}\n"

TURN = "{Transpose: {dim0: 2, dim1: 3}}"


def tokens(*items: str, loss: str = CE, size: int = 64) -> str:
    """Return a network that tells the next token at each of 64 places."""
    head = "input: {shape: [64], dtype: int64}\n"
    first = "Embedding: {num_embeddings: 64, embedding_dim: 16}"
    data = f"data: {{Text: {{file: nothing.txt, vocabulary: {size}}}}}\n"
    return head + layers(first, *items) + loss + data


def pixels(*items: str, loss: str = "loss: MSELoss\n") -> str:
    """Return a network that tells a value at each pixel."""
    return f"input: [1, 8, 8]\n{layers(*items)}{loss}data: {{Random: {{target: [1, 8, 8]}}}}\n"


#: By code: files that get the warning.
BAD: dict[str, list[str]] = {
    "NB319": [
        tokens("GRU: 32", "Linear: 64"),
        tokens("GRU: 32", SWAP, SWAP, "Linear: 64"),
        tokens("GRU: 32", "Linear: 64", size=40),
        pixels(TURN, "Conv2d: {out_channels: 1, kernel_size: 1}"),
    ],
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
    "NB321": [
        IMAGE + layers(CONV, "ReLU", "AdaptiveAvgPool2d: 1", "Linear: 10"),
        IMAGE + layers(CONV, "ReLU", "MaxPool2d: 2", "Linear: 64", "ReLU", "Linear: 10"),
        IMAGE + layers(CONV, "AdaptiveMaxPool2d: 5", "Dropout", "Linear: 10", "Softmax: -1"),
        IMAGE + layers(CONV, "Mean: {dim: [2, 3], keepdim: true}", "Linear: 10"),
        "input: [3, 8, 16, 16]\n" + layers(CONV3, "AdaptiveAvgPool3d: 1", "Linear: 10"),
        "input: [4, 100]\n" + layers(CONV1, "ReLU", "AdaptiveAvgPool1d: 1", "Linear: 10"),
        "input: [1, 28, 28]\n" + layers("Linear: 128", "ReLU", "Linear: 10"),
        IMAGE + layers("features: " + "[" + CONV + ", ReLU]", "head: [Linear: 10]").replace(
            "[features", "{features").replace("10]]", "10]}"),
        IMAGE + layers(CONV, "ReLU", "Linear: {in_features: 32, out_features: 10}"),
        BLOCK,
    ],
    "NB326": [
        "input: [32, 32, 3]\n" + layers(CONV, "AdaptiveAvgPool2d: 1", "Flatten", "Linear: 10"),
        "input: [28, 28, 1]\n" + layers("BatchNorm2d", "ReLU", CONV),
        "input: [480, 640, 4]\n" + layers("ZeroPad2d: 1", CONV),
        "input: [16, 16, 16, 1]\n" + layers(CONV3),
        "input: [32, 32, 3]\n" + layers("MaxPool2d: [2, 1]", CONV),
        PICTURE_AND_WORDS,
        "input: {shape: [32, 32, 3], object_size: 3}\n" + layers(CONV, CONV),
    ],
}  # fmt: skip

#: By code: files that it says nothing of, though they look like it.
GOOD: dict[str, list[str]] = {
    "NB319": [
        tokens("GRU: 32", "Linear: 64", SWAP),
        tokens("GRU: 32", "Linear: 64", "Permute: [0, 2, 1]"),
        tokens(SWAP, "Conv1d: {out_channels: 64, kernel_size: 1}"),
        tokens("GRU: 32", "Select: {dim: 1, index: -1}", "Linear: 64"),  # one token a sample
        pixels("Conv2d: {out_channels: 1, kernel_size: 3, padding: 1}"),
        pixels("Flatten", "Linear: 64", "Unflatten: {dim: 1, unflattened_size: [1, 8, 8]}"),
        pixels(TURN, "Conv2d: {out_channels: 1, kernel_size: 1}", TURN),
    ],
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
    "NB321": [
        IMAGE + layers(CONV, "ReLU", "AdaptiveAvgPool2d: 1", "Flatten", "Linear: 10"),
        IMAGE + layers(CONV, "Permute: [0, 2, 3, 1]", "LayerNorm", "Linear: 32", "GELU",
                       "Linear: 8", "Permute: [0, 3, 1, 2]"),  # ConvNeXt
        IMAGE + layers(CONV, "Permute: [0, 2, 3, 1]", "Linear: 10"),
        IMAGE + layers(PATCHES, "Flatten: 2", "Linear: 64", "GELU", "Linear: 64"),  # MLP-Mixer
        IMAGE + layers(PATCHES, "Flatten: 2", SWAP, "TransformerEncoderLayer: 2", "Linear: 10"),
        # A network for spectrograms, with Linear layers along the frequencies (Choi et al. 2019).
        IMAGE + layers(CONV, "Linear: 8", "BatchNorm2d", "ReLU", "Linear: 32", "BatchNorm2d"),
        IMAGE + layers(CONV, "Linear: 8", "ReLU", CONV),
        IMAGE + layers(CONV, "Linear: 8", "ReLU", "Flatten", "Linear: 10"),
        "input: [7, 96]\n" + layers("AvgPool1d: {kernel_size: 25, stride: 1}", "Linear: 24"),
        "input: [50, 40]\n" + layers(SWAP, CONV1, SWAP, "Linear: 10"),
        "input: [28, 28]\n" + layers("LSTM: 64", "Linear: 10"),
        "input: [28, 28]\n" + layers("Linear: 64", "ReLU", "Linear: 10"),
        "input: [3, 10, 64]\n" + layers("Linear: 64", "ReLU", "Linear: 10"),
        "input: [8, 5, 64]\n" + layers("Linear: 64", "ReLU", "Linear: 10"),
        "input: {shape: [20], dtype: int64}\n"
        + layers("Embedding: {num_embeddings: 9, embedding_dim: 8}", "Linear: 4"),
        "input: [8, 10, 64]\n" + layers("Mean: {dim: 1, keepdim: true}", "Linear: 4"),
        IMAGE + layers(CONV, "Linear: 10") + MAPS,
    ],
    "NB326": [
        IMAGE + layers(CONV),
        "input: [32, 32, 3]\n" + layers("Permute: [0, 3, 1, 2]", CONV),
        "input: [32, 32, 3]\n" + layers("Flatten", "Linear: 10"),
        "input: [32, 32, 3]\n" + layers("LayerNorm", "Linear: 10"),
        "input: [64, 8, 8]\n" + layers(CONV),
        "input: [22, 1125, 1]\n" + layers(CONV),  # channels of an EEG, over time
        "input: [64, 3]\n" + layers("Conv1d: {out_channels: 8, kernel_size: 3}"),
        "input: [4, 4, 3]\n" + layers(CONV),
    ],
}  # fmt: skip
