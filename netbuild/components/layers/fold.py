"""Fold and unfold: https://docs.pytorch.org/docs/stable/generated/torch.nn.Unfold.html."""

from netbuild.components.fields import Paddings, Sizes
from netbuild.components.layers._sizes import positions, positions_formula
from netbuild.components.layers._spatial import N, Spatial, by_name, slide, slide_formulas
from netbuild.components.layers.formula import Equation, Formulas, formula
from netbuild.components.layers.layer import Window
from netbuild.components.layers.ranges import Range
from netbuild.components.layers.sight import Sight
from netbuild.components.tensor import Shape, ShapeError, Tensor, expect_rank, product


class _Blocks(Spatial):
    """Blocks of values: at each place of a 2-D kernel, the values under it are one column."""

    rank = 2
    results = None
    last = "kernel_size dilation padding stride"

    kernel_size: Sizes
    """Size of a block along each axis."""
    dilation: Sizes = 1
    """Distance between the values of a block; 1 takes neighbouring values."""
    padding: Paddings = 0
    """Number of zeros around the image; blocks may reach into them."""
    stride: Sizes = 1
    """Distance from one block to the next; blocks overlap if it is less than kernel_size."""

    def expect_dtypes(self, *x: Tensor) -> None:
        if x[0].dtype != "bool":  # torch copies and adds booleans as numbers
            super().expect_dtypes(*x)

    def window(self, x: Shape) -> Window | None:
        """Output positions do not match input positions."""
        return None

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        """Blocks stand in one row, so positions of the image are not followed."""
        return None


class Fold(_Blocks):
    """Puts blocks together to an image: (C·∏ kernel_size, L) to (C, *output_size).

    Overlapping values add up. L is the number of blocks: the product of
    ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1 over the sizes n in output_size.

    - Fold: {output_size: [4, 5], kernel_size: [2, 2]}  # 12×12 to 3×4×5
    """

    output_size: Sizes
    """Height and width of the image."""

    def output_shape(self, x: Shape) -> Shape:
        expect_rank(x, "channels times kernel_size, blocks", ranks=(2,))
        area = product(self.per_axis(self.kernel_size))
        if x[0] % area:
            message = f"{x[0]} channels are not a multiple of the {area} values in kernel_size"
            raise ShapeError("NB206", message, at="kernel_size")
        sizes = self.per_axis(self.output_size)
        blocks = self._blocks(sizes)
        if x[1] != product(blocks):
            written = "×".join(str(count) for count in blocks)
            message = f"output_size has room for {written} blocks, and the input has {x[1]}"
            raise ShapeError("NB206", message, at="output_size")
        return (x[0] // area, *sizes)

    def _blocks(self, sizes: Shape) -> Shape:
        """Return how many blocks there are along each axis of the output."""
        fields = (self.kernel_size, self.stride, self.padding, self.dilation)
        counts = []
        for n, *geometry in zip(sizes, *(self.per_axis(field) for field in fields), strict=True):
            kernel, stride, padding, dilation = geometry
            count = positions(n, kernel, stride, padding, dilation)
            if count < 1:
                raise ShapeError(
                    "NB204",
                    f"kernel_size {kernel} is larger than the padded output {n + 2 * padding}",
                    at="kernel_size",
                    formula=positions_formula(n, kernel, stride, padding, dilation),
                )
            counts.append(count)
        return tuple(counts)

    def formulas(self, x: Shape) -> Formulas:
        kernel = self.per_axis(self.kernel_size)
        sizes = [formula("output_size", output_size=n) for n in self.per_axis(self.output_size)]
        channels = formula("n / (∏ kernel_size)", n=x[0], kernel_size=kernel)
        return Formulas(by_name(channels, *sizes), terms=N)


class Unfold(_Blocks):
    """Turns each block of the image into a column: (C, H, W) to (C·∏ kernel_size, L).

    L is the number of blocks: the product of ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1 for n = H and n = W.

    - Unfold: {kernel_size: [2, 3]}  # 5×3×4 to 30×4
    """

    def range(self, *x: Range | None) -> Range | None:
        padded = any(self.per_axis(self.padding))
        return x[0] and (x[0].with_(0) if padded else x[0])

    def output_shape(self, x: Shape) -> Shape:
        self.expect_axes(x)
        fields = (self.kernel_size, self.stride, self.padding, self.dilation)
        kernel, stride, padding, dilation = (self.per_axis(field) for field in fields)
        return (x[0] * product(kernel), product(slide(x, kernel, stride, padding, dilation)))

    def formulas(self, x: Shape) -> Formulas:
        fields = (self.kernel_size, self.stride, self.padding, self.dilation)
        window = Window(*(self.per_axis(field) for field in fields))
        counts = "·".join(f"({one.filled})" for one in slide_formulas(x, window))
        columns = formula("channels·∏ kernel_size", channels=x[0], kernel_size=window.kernel)
        rule = "∏ (⌊(n + 2·padding − dilation·(kernel_size − 1) − 1) / stride⌋ + 1)"
        return Formulas({"values": columns, "blocks": Equation(rule, {rule: counts})}, terms=N)
