"""The base of pools and unpools."""

from netbuild.components.fields import OptionalSizes, Sizes
from netbuild.components.layers._spatial import N, Spatial
from netbuild.components.tensor import Shape, ShapeError


class Pooling(Spatial):
    """A window of `kernel_size` that moves by `stride`; by default stride is kernel_size."""

    kernel_size: Sizes
    """Size of the window along each axis; larger windows merge more values."""
    stride: OptionalSizes = None
    """Distance from one window to the next; null is kernel_size, so windows do not overlap."""

    def steps(self) -> Shape:
        """Return the distance from one window to the next along each axis."""
        return self.per_axis(self.kernel_size if self.stride is None else self.stride)

    def terms(self) -> dict[str, str]:
        """Return the meaning of names that are no fields, and of a stride without a value."""
        left_out = {"stride": "kernel_size, its default"} if self.stride is None else {}
        return N | left_out


def expect_kernel_inside(x: Shape, kernel: Shape) -> None:
    """Refuse a kernel larger than the input: torch checks it for 3-D means, whatever the padding.

    Raises:
        ShapeError: the kernel is larger than the input.
    """
    for n, k in zip(x[1:], kernel, strict=True):
        if n < k:
            message = f"kernel_size {k} is larger than the unpadded input {n}"
            raise ShapeError("NB204", message, at="kernel_size")
