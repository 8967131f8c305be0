"""Every layer that a file can name, by its type. A layer is declared in its family's module."""

from netbuild.component import declared
from netbuild.layers import activation, conv, dropout, linear, norm, pool, tensor
from netbuild.layers.layer import Layer

LAYERS = declared(Layer, conv, pool, norm, activation, dropout, linear, tensor)
