"""The base of pools, and of what undoes them."""

from netbuild.components.fields import OptionalSizes, Sizes
from netbuild.components.layers._spatial import N, Spatial
from netbuild.components.tensor import Shape, ShapeError


class Pooling(Spatial):
    """A window of `kernel_size`, moved by `stride`, which is kernel_size where it is left out."""

    kernel_size: Sizes
    """Size of the window along each axis; larger windows merge more values."""
    stride: OptionalSizes = None
    """Distance from one window to the next; null is kernel_size: windows side by side."""

    def steps(self) -> Shape:
        """Return the distance from one window to the next along each axis."""
        return self.per_axis(self.kernel_size if self.stride is None else self.stride)

    def terms(self) -> dict[str, str]:
        """Return what the formulas name beside fields, and a stride that is left out."""
        left_out = {"stride": "kernel_size, as none is written"} if self.stride is None else {}
        return N | left_out


def expect_kernel_inside(x: Shape, kernel: Shape) -> None:
    """Refuse what torch refuses of a mean in 3-D alone: it looks at the input itself.

    Raises:
        ShapeError: the kernel is larger than the input.
    """
    for n, k in zip(x[1:], kernel, strict=True):
        if n < k:
            message = f"kernel_size {k} is larger than the input {n}, without padding or ceil_mode"
            raise ShapeError("NB204", message, at="kernel_size")
