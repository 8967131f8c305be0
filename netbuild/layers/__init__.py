"""Every layer that a file can name, by its type. A layer is declared in its family's module."""

from netbuild.component import declared
from netbuild.layers import (
    activation,
    conv,
    dropout,
    embedding,
    linear,
    norm,
    padding,
    pool,
    recurrent,
    tensor,
    transformer,
    vision,
)
from netbuild.layers.layer import Layer

LAYERS = declared(
    Layer,
    conv,
    pool,
    padding,
    norm,
    activation,
    dropout,
    linear,
    recurrent,
    transformer,
    embedding,
    vision,
    tensor,
)
