"""What a data source says of its targets: classes, labels, values, signs or nothing."""

from typing import NamedTuple, TypeAlias

from netbuild.components.tensor import Shape, Tensor, times


class Classes(NamedTuple):
    """A target of class numbers, 0 to `classes` − 1: one of them, or one at each place."""

    classes: int
    shape: Shape = ()

    @property
    def tensor(self) -> Tensor:
        """What a sample holds of it."""
        return Tensor(self.shape, "int64")

    def __str__(self) -> str:
        """Return it as a message says it."""
        where = f" at each of {times(self.shape)} places" if self.shape else ""
        return f"one of {self.classes} classes{where}"


class Labels(NamedTuple):
    """A target of up to `length` class numbers, 0 to `classes` − 1, and −1 behind the last one.

    `blank` is the class that does not stand for itself, where there is one.
    """

    classes: int
    length: int
    blank: int | None = None

    @property
    def tensor(self) -> Tensor:
        """What a sample holds of it."""
        return Tensor((self.length,), "int64")

    def __str__(self) -> str:
        """Return it as a message says it."""
        return f"up to {self.length} labels of {self.classes} classes"


class Values(NamedTuple):
    """A target that is a tensor of this shape."""

    shape: Shape

    @property
    def tensor(self) -> Tensor:
        """What a sample holds of it."""
        return Tensor(self.shape)

    def __str__(self) -> str:
        """Return it as a message says it."""
        return f"values of shape {times(self.shape)}" if self.shape else "one value"


class Signs(NamedTuple):
    """A target that is a tensor of this shape, of 1 for what belongs together and −1 elsewhere."""

    shape: Shape

    @property
    def tensor(self) -> Tensor:
        """What a sample holds of it."""
        return Tensor(self.shape)

    def __str__(self) -> str:
        """Return it as a message says it."""
        return f"1 or −1 in shape {times(self.shape)}" if self.shape else "1 or −1"


class Nothing(NamedTuple):
    """No target: the loss compares the network's outputs with one another."""

    @property
    def tensor(self) -> Tensor:
        """What a sample holds of it."""
        return Tensor((0,))

    def __str__(self) -> str:
        """Return it as a message says it."""
        return "no target"


Target: TypeAlias = Classes | Labels | Values | Signs | Nothing
