"""What every layer does to an input, by hand: the table that the tests of the layers walk through.

A row reads as a layer stands in YAML, with the shapes of one sample before and behind it, the
shapes of its learned parameters, and its multiply-adds. Numbers that are not obvious have their
formula beside them.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from netbuild.config import read
from netbuild.graph import Graph
from netbuild.source import from_bytes
from netbuild.tracer import infer

Shape: TypeAlias = tuple[int, ...]

#: The arguments that torch requires and the input decides, with torch's rule for each.
DECIDED: dict[str, Callable[[Shape], int]] = {
    "in_channels": lambda x: x[0],
    "num_features": lambda x: x[0],
    "num_channels": lambda x: x[0],
    "in_features": lambda x: x[-1],
    "normalized_shape": lambda x: x[-1],
}

#: The layers that require them.
DECIDED_BY_LAYER = {
    **dict.fromkeys(("Conv1d", "Conv2d", "Conv3d"), "in_channels"),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), "num_features"),
    **dict.fromkeys(("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"), "num_features"),
    "GroupNorm": "num_channels",
    "LayerNorm": "normalized_shape",
    "Linear": "in_features",
}


class Row(NamedTuple):
    """A layer as it stands in YAML, and what it is expected to do to one sample."""

    config: dict[str, dict[str, Any]]
    input: Shape
    output: Shape
    weights: dict[str, Shape]
    macs: int

    @property
    def type(self) -> str:
        """The name of the layer."""
        return next(iter(self.config))

    @property
    def fields(self) -> dict[str, Any]:
        """The fields as they are written."""
        return self.config[self.type]

    @property
    def id(self) -> str:
        """The layer with its fields and its input, in one word."""
        fields = ",".join(f"{name}={value}" for name, value in self.fields.items())
        return f"{self.type}({fields})-{'x'.join(map(str, self.input))}".replace(" ", "")


def torch_arguments(kind: str, fields: dict[str, Any], x: Shape) -> dict[str, Any]:
    """Return what a user of torch would write for these fields and this input."""
    decided = DECIDED_BY_LAYER.get(kind)
    arguments = {} if decided is None else {decided: DECIDED[decided](x)}
    for name, value in fields.items():
        if name != decided or value is not None:
            arguments[name] = tuple(value) if isinstance(value, list) else value
    return arguments


def graph_of(layers: list[dict[str, Any]], x: Shape, dtype: str = "float32") -> Graph:
    """Return what netbuild infers of a file with these layers, faults included."""
    text = json.dumps({"input": {"shape": x, "dtype": dtype}, "layers": layers})
    return infer(read(from_bytes("network.yaml", text.encode())))


def affine(*sizes: int) -> dict[str, Shape]:
    """Return the weight and the bias of a norm."""
    return {"weight": sizes, "bias": sizes}


ROWS = [
    # Convolutions: each axis ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1.
    Row(
        {"Conv1d": {"out_channels": 8, "kernel_size": 3}},
        (4, 10),
        (8, 8),
        {"weight": (8, 4, 3), "bias": (8,)},
        768,  # 8·8 values of 4·3
    ),
    Row(
        {
            "Conv1d": {
                "out_channels": 6,
                "kernel_size": 4,
                "stride": 3,
                "padding": 2,
                "dilation": 2,
                "groups": 2,
                "bias": False,
            }
        },
        (4, 20),
        (6, 6),  # ⌊(20 + 4 − 6 − 1) / 3⌋ + 1
        {"weight": (6, 2, 4)},
        288,  # 6·6 values of 2·4
    ),
    Row(
        {"Conv1d": {"out_channels": 3, "kernel_size": [5], "padding": "same", "dilation": 3}},
        (2, 16),
        (3, 16),
        {"weight": (3, 2, 5), "bias": (3,)},
        480,
    ),
    Row(
        {"Conv1d": {"out_channels": 2, "kernel_size": 4, "padding": "same"}},
        (3, 9),
        (2, 9),
        {"weight": (2, 3, 4), "bias": (2,)},
        216,
    ),
    Row(
        {"Conv1d": {"out_channels": 2, "kernel_size": 3, "padding": 2, "padding_mode": "reflect"}},
        (2, 8),
        (2, 10),
        {"weight": (2, 2, 3), "bias": (2,)},
        120,
    ),
    Row(
        {"Conv2d": {"out_channels": 6, "kernel_size": 5}},
        (1, 28, 28),
        (6, 24, 24),
        {"weight": (6, 1, 5, 5), "bias": (6,)},
        86_400,
    ),
    Row(
        {"Conv2d": {"out_channels": 6, "kernel_size": 5, "padding": 2}},
        (1, 28, 28),
        (6, 28, 28),
        {"weight": (6, 1, 5, 5), "bias": (6,)},
        117_600,
    ),
    Row(
        {
            "Conv2d": {
                "in_channels": 3,
                "out_channels": 8,
                "kernel_size": [3, 5],
                "stride": [2, 1],
                "padding": [1, 0],
                "dilation": [1, 2],
            }
        },
        (3, 11, 13),
        (8, 6, 5),  # ⌊(11 + 2 − 2 − 1) / 2⌋ + 1 and 13 − 2·4 − 1 + 1
        {"weight": (8, 3, 3, 5), "bias": (8,)},
        10_800,
    ),
    Row(
        {
            "Conv2d": {
                "out_channels": 8,
                "kernel_size": 3,
                "padding": "same",
                "groups": 4,
                "bias": False,
            }
        },
        (4, 9, 7),
        (8, 9, 7),
        {"weight": (8, 1, 3, 3)},
        4_536,
    ),
    Row(
        {"Conv2d": {"out_channels": 4, "kernel_size": 1}},
        (16, 5, 5),
        (4, 5, 5),
        {"weight": (4, 16, 1, 1), "bias": (4,)},
        1_600,
    ),
    Row(
        {
            "Conv2d": {
                "out_channels": 2,
                "kernel_size": 3,
                "padding": "valid",
                "padding_mode": "circular",
            }
        },
        (3, 6, 6),
        (2, 4, 4),
        {"weight": (2, 3, 3, 3), "bias": (2,)},
        864,
    ),
    Row(
        {
            "Conv2d": {
                "out_channels": 2,
                "kernel_size": 3,
                "stride": 2,
                "padding": [2, 1],
                "padding_mode": "circular",
            }
        },
        (3, 6, 5),
        (2, 4, 3),  # ⌊(6 + 4 − 3) / 2⌋ + 1 and ⌊(5 + 2 − 3) / 2⌋ + 1
        {"weight": (2, 3, 3, 3), "bias": (2,)},
        648,
    ),
    Row(
        {
            "Conv2d": {
                "out_channels": 2,
                "kernel_size": 3,
                "padding": 1,
                "padding_mode": "replicate",
            }
        },
        (3, 6, 5),
        (2, 6, 5),
        {"weight": (2, 3, 3, 3), "bias": (2,)},
        1_620,
    ),
    Row(
        {
            "Conv2d": {
                "out_channels": 2,
                "kernel_size": [3, 4],
                "padding": "same",
                "padding_mode": "reflect",
            }
        },
        (3, 6, 5),
        (2, 6, 5),
        {"weight": (2, 3, 3, 4), "bias": (2,)},
        2_160,
    ),
    Row(
        {"Conv2d": {"out_channels": 2, "kernel_size": [2, 3], "padding": "same"}},
        (3, 6, 5),
        (2, 6, 5),
        {"weight": (2, 3, 2, 3), "bias": (2,)},
        1_080,
    ),
    Row(
        {"Conv3d": {"out_channels": 2, "kernel_size": 3, "stride": 2}},
        (1, 9, 9, 9),
        (2, 4, 4, 4),
        {"weight": (2, 1, 3, 3, 3), "bias": (2,)},
        3_456,
    ),
    Row(
        {
            "Conv3d": {
                "out_channels": 4,
                "kernel_size": [1, 2, 3],
                "padding": [0, 1, 1],
                "groups": 2,
                "bias": False,
            }
        },
        (2, 4, 5, 6),
        (4, 4, 6, 6),
        {"weight": (4, 1, 1, 2, 3)},
        3_456,
    ),
    Row(
        {"Conv3d": {"out_channels": 2, "kernel_size": 3, "padding": "same", "dilation": 2}},
        (2, 5, 5, 5),
        (2, 5, 5, 5),
        {"weight": (2, 2, 3, 3, 3), "bias": (2,)},
        13_500,
    ),
    Row(
        {"Conv3d": {"out_channels": 1, "kernel_size": 2, "padding": 1, "padding_mode": "reflect"}},
        (2, 3, 3, 3),
        (1, 4, 4, 4),
        {"weight": (1, 2, 2, 2, 2), "bias": (1,)},
        1_024,
    ),
    # Pools: the same rule; with ceil_mode a last window that begins inside the input counts.
    Row({"MaxPool1d": {"kernel_size": 2}}, (4, 9), (4, 4), {}, 0),
    Row(
        {
            "MaxPool1d": {
                "kernel_size": 3,
                "stride": 2,
                "padding": 1,
                "dilation": 2,
                "ceil_mode": True,
            }
        },
        (4, 10),
        (4, 5),  # ⌈(10 + 2 − 4 − 1) / 2⌉ + 1
        {},
        0,
    ),
    Row({"MaxPool1d": {"kernel_size": [3], "return_indices": True}}, (2, 7), (2, 2), {}, 0),
    Row(
        {"MaxPool2d": {"kernel_size": 3, "stride": 2, "padding": 1}},
        (8, 28, 27),
        (8, 14, 14),
        {},
        0,
    ),
    Row(
        {"MaxPool2d": {"kernel_size": [2, 3], "stride": [3, 2], "ceil_mode": True}},
        (3, 9, 10),
        (3, 3, 5),  # the fourth window of the first axis would begin at 9, outside
        {},
        0,
    ),
    Row(
        {"MaxPool2d": {"kernel_size": 2, "dilation": [2, 1], "return_indices": True}},
        (2, 8, 8),
        (2, 3, 4),
        {},
        0,
    ),
    Row({"MaxPool3d": {"kernel_size": 2}}, (1, 8, 8, 8), (1, 4, 4, 4), {}, 0),
    Row(
        {"MaxPool3d": {"kernel_size": [3, 2, 1], "stride": 1, "padding": [1, 1, 0]}},
        (2, 5, 4, 3),
        (2, 5, 5, 3),
        {},
        0,
    ),
    Row({"AvgPool1d": {"kernel_size": 3}}, (4, 9), (4, 3), {}, 0),
    Row(
        {
            "AvgPool1d": {
                "kernel_size": 4,
                "stride": 3,
                "padding": 2,
                "ceil_mode": True,
                "count_include_pad": False,
            }
        },
        (2, 10),
        (2, 4),  # ⌈(10 + 4 − 4) / 3⌉ + 1 = 5, and the fifth would begin at 12, in the padding
        {},
        0,
    ),
    Row({"AvgPool2d": {"kernel_size": 2}}, (6, 28, 28), (6, 14, 14), {}, 0),
    Row(
        {
            "AvgPool2d": {
                "kernel_size": [3, 2],
                "stride": [1, 2],
                "padding": [1, 0],
                "divisor_override": 5,
            }
        },
        (2, 6, 7),
        (2, 6, 3),
        {},
        0,
    ),
    Row({"AvgPool3d": {"kernel_size": 2, "ceil_mode": True}}, (1, 5, 5, 5), (1, 3, 3, 3), {}, 0),
    Row(
        {
            "AvgPool3d": {
                "kernel_size": [1, 2, 3],
                "stride": [2, 1, 1],
                "padding": [0, 1, 1],
                "count_include_pad": False,
                "divisor_override": -3,
            }
        },
        (2, 5, 4, 4),
        (2, 3, 5, 4),
        {},
        0,
    ),
    Row({"AdaptiveAvgPool1d": {"output_size": 1}}, (64, 100), (64, 1), {}, 0),
    Row({"AdaptiveAvgPool1d": {"output_size": 5}}, (3, 10), (3, 5), {}, 0),
    Row({"AdaptiveAvgPool1d": {"output_size": [4]}}, (3, 10), (3, 4), {}, 0),
    Row({"AdaptiveAvgPool2d": {"output_size": 1}}, (16, 7, 7), (16, 1, 1), {}, 0),
    Row({"AdaptiveAvgPool2d": {"output_size": [None, 1]}}, (16, 7, 7), (16, 7, 1), {}, 0),
    Row({"AdaptiveAvgPool2d": {"output_size": [3, 2]}}, (4, 9, 8), (4, 3, 2), {}, 0),
    Row({"AdaptiveAvgPool2d": {"output_size": 8}}, (4, 5, 5), (4, 8, 8), {}, 0),
    Row({"AdaptiveAvgPool3d": {"output_size": 2}}, (4, 8, 8, 8), (4, 2, 2, 2), {}, 0),
    Row({"AdaptiveAvgPool3d": {"output_size": [1, None, 3]}}, (2, 5, 4, 7), (2, 1, 4, 3), {}, 0),
    Row({"AdaptiveMaxPool1d": {"output_size": 5}}, (6, 8), (6, 5), {}, 0),
    Row({"AdaptiveMaxPool1d": {"output_size": 4, "return_indices": True}}, (2, 8), (2, 4), {}, 0),
    Row({"AdaptiveMaxPool2d": {"output_size": 7}}, (6, 10, 9), (6, 7, 7), {}, 0),
    Row({"AdaptiveMaxPool2d": {"output_size": [None, 2]}}, (3, 5, 6), (3, 5, 2), {}, 0),
    Row({"AdaptiveMaxPool3d": {"output_size": 1}}, (4, 8, 9, 10), (4, 1, 1, 1), {}, 0),
    Row(
        {"AdaptiveMaxPool3d": {"output_size": [2, None, 3], "return_indices": True}},
        (2, 4, 5, 6),
        (2, 2, 5, 3),
        {},
        0,
    ),
    # Norms keep the shape.
    Row({"BatchNorm1d": {}}, (120,), (120,), affine(120), 0),
    Row({"BatchNorm1d": {"momentum": None, "bias": False}}, (6, 10), (6, 10), {"weight": (6,)}, 0),
    Row({"BatchNorm1d": {"num_features": 6, "affine": False}}, (6, 10), (6, 10), {}, 0),
    Row({"BatchNorm2d": {"eps": 0.001}}, (6, 8, 8), (6, 8, 8), affine(6), 0),
    Row({"BatchNorm2d": {"track_running_stats": False}}, (6, 8, 7), (6, 8, 7), affine(6), 0),
    Row({"BatchNorm3d": {"momentum": 0.01}}, (4, 3, 4, 5), (4, 3, 4, 5), affine(4), 0),
    Row(
        {"BatchNorm3d": {"affine": False, "track_running_stats": False}},
        (4, 3, 3, 3),
        (4, 3, 3, 3),
        {},
        0,
    ),
    Row({"InstanceNorm1d": {}}, (6, 10), (6, 10), {}, 0),
    Row({"InstanceNorm1d": {"affine": True, "bias": False}}, (6, 4), (6, 4), {"weight": (6,)}, 0),
    Row({"InstanceNorm2d": {"num_features": 6}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row(
        {"InstanceNorm2d": {"affine": True, "track_running_stats": True}},
        (6, 8, 7),
        (6, 8, 7),
        affine(6),
        0,
    ),
    Row({"InstanceNorm3d": {"affine": True}}, (4, 3, 4, 5), (4, 3, 4, 5), affine(4), 0),
    Row({"InstanceNorm3d": {"track_running_stats": True}}, (4, 3, 3, 3), (4, 3, 3, 3), {}, 0),
    Row({"LayerNorm": {}}, (10, 32), (10, 32), affine(32), 0),
    Row({"LayerNorm": {"bias": False}}, (32,), (32,), {"weight": (32,)}, 0),
    Row({"LayerNorm": {"normalized_shape": [8, 7]}}, (6, 8, 7), (6, 8, 7), affine(8, 7), 0),
    Row(
        {"LayerNorm": {"normalized_shape": 7, "elementwise_affine": False}},
        (6, 8, 7),
        (6, 8, 7),
        {},
        0,
    ),
    Row({"GroupNorm": {"num_groups": 3}}, (6, 8, 8), (6, 8, 8), affine(6), 0),
    Row({"GroupNorm": {"num_groups": 2, "bias": False}}, (6,), (6,), {"weight": (6,)}, 0),
    Row(
        {"GroupNorm": {"num_groups": 1, "num_channels": 4, "affine": False}}, (4, 9), (4, 9), {}, 0
    ),
    Row({"LocalResponseNorm": {"size": 5}}, (8, 9, 9), (8, 9, 9), {}, 0),
    Row({"LocalResponseNorm": {"size": 2, "k": 2.0}}, (8, 9), (8, 9), {}, 0),
    Row({"LocalResponseNorm": {"size": 3, "beta": 1}}, (4, 2, 3, 4), (4, 2, 3, 4), {}, 0),
    # Activations keep the shape.
    Row({"ReLU": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"ReLU": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"ReLU6": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"ReLU6": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"LeakyReLU": {"negative_slope": 0.2}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"LeakyReLU": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"PReLU": {}}, (6, 8, 8), (6, 8, 8), {"weight": (1,)}, 0),
    Row({"PReLU": {"num_parameters": 6, "init": 0.1}}, (6, 8), (6, 8), {"weight": (6,)}, 0),
    Row({"RReLU": {"lower": 0.1, "upper": 0.1}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"RReLU": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"ELU": {"alpha": 0.5}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"ELU": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"CELU": {"alpha": 0.5}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"CELU": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"SELU": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"SELU": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"GELU": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"GELU": {"approximate": "tanh"}}, (64,), (64,), {}, 0),
    Row({"SiLU": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"SiLU": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"Sigmoid": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Sigmoid": {}}, (64,), (64,), {}, 0),
    Row({"Tanh": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Tanh": {}}, (64,), (64,), {}, 0),
    Row({"Softplus": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Softplus": {"beta": 2, "threshold": 10}}, (64,), (64,), {}, 0),
    Row({"Softmax": {}}, (10,), (10,), {}, 0),
    Row({"Softmax": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Softmax": {"dim": -1}}, (5, 10), (5, 10), {}, 0),
    Row({"LogSoftmax": {}}, (10,), (10,), {}, 0),
    Row({"LogSoftmax": {"dim": 2}}, (5, 10), (5, 10), {}, 0),
    # Dropout keeps the shape.
    Row({"Dropout": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Dropout": {"p": 0.2, "inplace": True}}, (64,), (64,), {}, 0),
    Row({"Dropout": {"p": 0}}, (64,), (64,), {}, 0),
    Row({"Dropout2d": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Dropout2d": {"p": 0.2, "inplace": True}}, (3, 4, 5), (3, 4, 5), {}, 0),
    Row({"AlphaDropout": {"p": 0.1}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"AlphaDropout": {"inplace": True}}, (64,), (64,), {}, 0),
    Row({"AlphaDropout": {"p": 1}}, (64,), (64,), {}, 0),
    # Linear layers.
    Row({"Identity": {}}, (6, 8, 8), (6, 8, 8), {}, 0),
    Row({"Identity": {}}, (64,), (64,), {}, 0),
    Row(
        {"Linear": {"out_features": 120}},
        (400,),
        (120,),
        {"weight": (120, 400), "bias": (120,)},
        48_000,
    ),
    Row(
        {"Linear": {"in_features": 16, "out_features": 5, "bias": False}},
        (3, 7, 16),
        (3, 7, 5),
        {"weight": (5, 16)},
        1_680,  # 3·7 vectors, 16·5 for each
    ),
    # Another shape for the same values.
    Row({"Flatten": {}}, (16, 5, 5), (400,), {}, 0),
    Row({"Flatten": {"start_dim": 2, "end_dim": 3}}, (2, 3, 4, 5), (2, 12, 5), {}, 0),
    Row({"Flatten": {"start_dim": -1}}, (2, 3), (2, 3), {}, 0),
    Row({"Unflatten": {"dim": 1, "unflattened_size": [16, 5, -1]}}, (400,), (16, 5, 5), {}, 0),
    Row({"Unflatten": {"dim": -2, "unflattened_size": [2, 3]}}, (6, 4), (2, 3, 4), {}, 0),
]
