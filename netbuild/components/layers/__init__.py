"""Every layer that a file can name, by its type. A layer is declared in its family's module."""

from netbuild.components.component import Families
from netbuild.components.layers.layer import Layer

#: By family, those that most networks name first.
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
        "dropout",
        "batchnorm",
        "norm",
        "softmax",
        "conv_transpose",
        "adaptive_pool",
        "padding",
        "embedding",
        "recurrent_cell",
        "recurrent",
        "attention",
        "transformer_layer",
        "transformer",
        "distance",
        "fold",
        "vision",
        "combine",
        "selection",
        "reduction",
        "parameter",
    ),
)
