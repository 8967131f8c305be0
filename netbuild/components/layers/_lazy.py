"""Lazy names: the sizes of their layers are never written."""

from netbuild.components.layers.layer import Layer


class Lazy(Layer):
    """A lazy name of torch for another layer: the input decides its sizes.

    netbuild builds the other layer. A file cannot write the size: a class variable hides its field.
    """

    @classmethod
    def torch_name(cls) -> str:
        return cls.__name__.removeprefix("Lazy")
