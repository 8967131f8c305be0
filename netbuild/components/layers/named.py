"""The base of layers with optional inputs that a file gives by name, such as masks."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from pydantic import PrivateAttr

from netbuild.components.layers.layer import Layer
from netbuild.components.layers.layout import Placed
from netbuild.components.tensor import Shape, Tensor

_T = TypeVar("_T")


def known_inputs(layer: type[Layer], names: Sequence[str]) -> Sequence[str]:
    """Return the names of all inputs that a layer can read, in their order.

    A file has the `names`. They are all that the layer knows, if it lets the file choose them.
    """
    if layer.names_inputs:
        return names
    return (*layer.inputs, *layer.optional_inputs, *layer.named_inputs)


class Named(Layer):
    """A layer that knows which of its `named_inputs` it reads.

    These inputs come after all others, in the order of `named_inputs`.
    """

    #: Whether a bool mask is true where something may be seen, and not where it is hidden.
    masks_show: ClassVar[bool] = False

    _given: tuple[tuple[str, Tensor], ...] = PrivateAttr(())

    @property
    def given(self) -> dict[str, Tensor]:
        """The named inputs that it reads."""
        return dict(self._given)

    def reading(self, given: Mapping[str, Tensor]) -> Any:
        """Return the same layer for these named inputs."""
        made = self.model_copy()
        # no field: a file writes it in `inputs`
        made._given = tuple((n, given[n]) for n in self.named_inputs if n in given)  # noqa: SLF001
        return made

    def input_names(self, count: int) -> tuple[str, ...]:
        """Return the name of each of this many inputs."""
        return (*super().input_names(count - len(self._given)), *self.given)

    def apart(self, x: Sequence[_T]) -> tuple[tuple[_T, ...], dict[str, _T]]:
        """Return the inputs that have a position, and the named ones by name."""
        count = len(x) - len(self._given)
        return tuple(x[:count]), dict(zip(self.given, x[count:], strict=True))

    def placed(self, *x: Shape) -> tuple[Placed, ...]:
        """Return inputs that lie in order, with the dtypes of the named ones."""
        positional, named = self.apart(x)
        dtypes = {name: tensor.dtype for name, tensor in self._given}
        return (
            *map(Placed, positional),
            *(Placed(shape, dtype=dtypes[name]) for name, shape in named.items()),
        )


def as_read(layer: Layer, given: Mapping[str, Tensor]) -> Layer:
    """Return a layer for the named inputs that a file gives."""
    return layer.reading(given) if given else layer


def like(layer: Layer, other: Layer) -> Layer:
    """Return a layer that reads the same named inputs as another one."""
    return as_read(layer, other.given) if isinstance(other, Named) else layer
