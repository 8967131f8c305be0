"""All layers that a file can name, by type. The module of a family declares its layers."""

from netbuild.components.component import Families
from netbuild.components.layers.layer import Layer

#: Layers by family; the most used families come first.
LAYERS: Families[Layer] = Families(
    Layer,
    __name__,
    (
        "linear",
        "conv",
        "activation",
        "pool",
        "power_pool",
        "unpool",
        "reshape",
        "roll",
        "dropout",
        "batchnorm",
        "switchable_norm",
        "norm",
        "softmax",
        "conv_transpose",
        "adaptive_pool",
        "padding",
        "embedding",
        "recurrent_cell",
        "recurrent",
        "attention",
        "dot_product",
        "transformer_layer",
        "transformer",
        "distance",
        "fold",
        "vision",
        "combine",
        "matmul",
        "selection",
        "reduction",
        "parameter",
    ),
)
