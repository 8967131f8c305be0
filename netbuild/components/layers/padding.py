"""Paddings: https://docs.pytorch.org/docs/stable/nn.html#padding-layers.

A list of paddings begins with the last axis and goes backwards. Each axis has two numbers: the
places before it and the places behind it. Negative numbers crop.
"""

from netbuild.components.layers._padding import AnyPad, FilledPad, Surrounding
from netbuild.components.tensor import Shape, ShapeError, Tensor


class ZeroPad1d(Surrounding):
    """Pads the last axis with zeros: (*, L) to (*, L + before + behind).

    - ZeroPad1d: {padding: [3, 1]}  # 4×10 to 4×14
    """

    rank = 1


class ZeroPad2d(Surrounding):
    """Pads the last two axes with zeros: (*, H, W) to (*, H', W'), each n + before + behind.

    - ZeroPad2d: {padding: [1, 1, 2, 0]}  # 3×28×28 to 3×30×30
    """

    rank = 2


class ZeroPad3d(Surrounding):
    """Pads the last three axes with zeros: (*, D, H, W) to (*, D', H', W'), sizes as in ZeroPad2d.

    - ZeroPad3d: 1  # 3×8×8×8 to 3×10×10×10
    """

    rank = 3


class ConstantPad1d(FilledPad):
    """Pads the last axis with a value: (*, L) to (*, L + before + behind).

    - ConstantPad1d: {padding: [0, 5], value: -1.0}  # 27 to 32
    """

    rank = 1


class ConstantPad2d(FilledPad):
    """Pads the last two axes with a value: (*, H, W) to (*, H', W'), each n + before + behind.

    - ConstantPad2d: {padding: -2, value: 0.0}  # 3×32×32 to 3×28×28
    """

    rank = 2


class ConstantPad3d(FilledPad):
    """Pads the last three axes with a value: (*, D, H, W) to (*, D', H', W'), as in ConstantPad2d.

    - ConstantPad3d: {padding: 1, value: 0.5}  # 3×8×8×8 to 3×10×10×10
    """

    rank = 3


class _Copying(AnyPad):
    """Pads with values of the input. torch keeps the input for backward, for its shape."""

    rearranges = True

    def expect_dtypes(self, *x: Tensor) -> None:
        if x[0].dtype == "bool":
            raise ShapeError("NB207", "it computes with numbers, and gets bool")

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)


class _ReflectionPad(_Copying):
    """Mirrors the input at its border values, without repeating these."""

    def _expect_enough(self, n: int, before: int, behind: int) -> None:
        longest = max(before, behind)
        if longest >= n:
            message = f"padding {longest} is too large: an axis of {n} can reflect at most {n - 1}"
            raise ShapeError("NB204", message, at="padding")


class ReflectionPad1d(_ReflectionPad):
    """Pads the last axis with the mirrored input: (C, L) to (C, L + before + behind).

    - ReflectionPad1d: 2  # 4×10 to 4×14
    """

    rank = 1


class ReflectionPad2d(_ReflectionPad):
    """Pads images with the mirrored input: (C, H, W) to (C, H', W'), each n + before + behind.

    - ReflectionPad2d: 3  # 3×28×28 to 3×34×34
    """

    rank = 2


class ReflectionPad3d(_ReflectionPad):
    """Pads volumes with the mirrored input: (C, D, H, W) to (C, D', H', W'), as ReflectionPad2d.

    - ReflectionPad3d: 1  # 3×8×8×8 to 3×10×10×10
    """

    rank = 3


class ReplicationPad1d(_Copying):
    """Pads the last axis with its border values: (C, L) to (C, L + before + behind).

    - ReplicationPad1d: {padding: [0, 20]}  # 4×10 to 4×30
    """

    rank = 1


class ReplicationPad2d(_Copying):
    """Pads images with their border values: (C, H, W) to (C, H', W'), each n + before + behind.

    - ReplicationPad2d: {padding: [1, 1, 0, 0]}  # 3×28×28 to 3×28×30
    """

    rank = 2


class ReplicationPad3d(_Copying):
    """Pads volumes with border values: (C, D, H, W) to (C, D', H', W'), as ReplicationPad2d.

    - ReplicationPad3d: 1  # 3×8×8×8 to 3×10×10×10
    """

    rank = 3


class _CircularPad(AnyPad):
    """Wraps the input around: its end is added before it, and its beginning behind it."""

    rearranges = True
    arrangement = "in order"

    def _expect_enough(self, n: int, before: int, behind: int) -> None:
        """Torch compares with `n`. If the other side crops, torch would wrap unset memory."""
        left = max(n + min(before, 0) + min(behind, 0), 0)
        longest = max(before, behind)
        if longest > left and longest > 0:
            there = f"an axis of {n}" if left == n else f"an axis of {n}, cropped to {left},"
            message = f"padding {longest} is more than {there} can wrap around"
            raise ShapeError("NB204", message, at="padding")


class CircularPad1d(_CircularPad):
    """Pads the last axis with its other end: (C, L) to (C, L + before + behind).

    - CircularPad1d: 10  # 4×10 to 4×30
    """

    rank = 1


class CircularPad2d(_CircularPad):
    """Pads images with their other end: (C, H, W) to (C, H', W'), each n + before + behind.

    - CircularPad2d: {padding: [2, 2, 0, 0]}  # 3×28×28 to 3×28×32
    """

    rank = 2


class CircularPad3d(_CircularPad):
    """Pads volumes with their other end: (C, D, H, W) to (C, D', H', W'), as CircularPad2d.

    - CircularPad3d: 1  # 3×8×8×8 to 3×10×10×10
    """

    rank = 3
