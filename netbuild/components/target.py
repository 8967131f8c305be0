"""Descriptions of targets: classes, labels, values, signs or nothing."""

from typing import NamedTuple, TypeAlias

from netbuild.components.tensor import Shape, Tensor, times


class Classes(NamedTuple):
    """A target of class numbers, 0 to `classes` − 1: one, or one for each place of `shape`.

    `ignored` is a number that the loss ignores. It is no class, unless it is below `classes`.
    """

    classes: int
    shape: Shape = ()
    ignored: int | None = None

    @property
    def tensor(self) -> Tensor:
        """The tensor of one sample's target."""
        return Tensor(self.shape, "int64")

    def __str__(self) -> str:
        """Return the words that messages use for the target."""
        where = f" at each of {times(self.shape)} places" if self.shape else ""
        return f"one of {self.classes} class{'es' * (self.classes != 1)}{where}"


class Labels(NamedTuple):
    """A target of up to `length` class numbers, 0 to `classes` − 1; −1 fills the rest.

    `blank` is the class that stands for no label; None if every class is a label.
    """

    classes: int
    length: int
    blank: int | None = None

    @property
    def tensor(self) -> Tensor:
        """The tensor of one sample's target."""
        return Tensor((self.length,), "int64")

    def __str__(self) -> str:
        """Return the words that messages use for the target."""
        return f"up to {self.length} labels of {self.classes} classes"


class Values(NamedTuple):
    """A target of numbers: a tensor of this shape."""

    shape: Shape

    @property
    def tensor(self) -> Tensor:
        """The tensor of one sample's target."""
        return Tensor(self.shape)

    def __str__(self) -> str:
        """Return the words that messages use for the target."""
        return f"values of shape {times(self.shape)}" if self.shape else "one value"


class Signs(NamedTuple):
    """A target of signs: a tensor of this shape, 1 for a match and −1 for a mismatch."""

    shape: Shape

    @property
    def tensor(self) -> Tensor:
        """The tensor of one sample's target."""
        return Tensor(self.shape)

    def __str__(self) -> str:
        """Return the words that messages use for the target."""
        return f"1 or −1 in shape {times(self.shape)}" if self.shape else "1 or −1"


class Nothing(NamedTuple):
    """No target: the loss compares the network's outputs with one another."""

    @property
    def tensor(self) -> Tensor:
        """The tensor of one sample's target."""
        return Tensor((0,))

    def __str__(self) -> str:
        """Return the words that messages use for the target."""
        return "no target"


Target: TypeAlias = Classes | Labels | Values | Signs | Nothing
