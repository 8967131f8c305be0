"""Losses of kornia that compare images, or compare values robustly."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import field_validator

from netbuild.components.fields import (
    Float,
    NaturalFloat,
    PositiveFloat,
    Probability,
    Wants,
    many,
    one_of,
    real,
    unwanted,
    whole,
)
from netbuild.components.losses.loss import Loss, Reduced, ValueLoss, expect_axes, mismatch
from netbuild.components.losses.masks import OfKornia
from netbuild.components.target import Nothing, Target, Values
from netbuild.components.tensor import Shape, times

_IMAGE, _VOLUME = "channels, height, width", "channels, depth, height, width"


class _Robust(OfKornia, ValueLoss):
    """Takes values of any shape and a target of the same shape."""

    inputs = ("img1",)


class CharbonnierLoss(_Robust):
    """√((y − t)² + 1) − 1, averaged: a square near 0, and a line for large errors.

    Takes values of any shape and a target of the same shape.

    loss: CharbonnierLoss
    """


class WelschLoss(_Robust):
    """1 − exp(−½ (y − t)²), averaged: no error costs more than 1.

    Takes values of any shape and a target of the same shape.

    loss: WelschLoss
    """


class CauchyLoss(_Robust):
    """log(½ (y − t)² + 1), averaged: large errors cost little more than medium ones.

    Takes values of any shape and a target of the same shape.

    loss: CauchyLoss
    """


class GemanMcclureLoss(_Robust):
    """2 (y − t)² / ((y − t)² + 4), averaged: no error costs more than 2.

    Takes values of any shape and a target of the same shape.

    loss: GemanMcclureLoss
    """


class PSNRLoss(OfKornia, Loss):
    """−10 · log₁₀(max_val² / MSE), with one mean over the whole batch: minus the PSNR in decibels.

    Takes values of any shape and a target of the same shape. The logarithm of a mean is no mean of
    logarithms, so the batch belongs together: `accumulate` and several processes are refused, and
    training leaves out a smaller last batch. Equal images have a loss of minus infinity.

    loss: {PSNRLoss: 1.0}
    """

    inputs = ("image",)
    takes = "values"
    over_batch = True

    max_val: PositiveFloat
    """The largest value of an image: 1, or 255."""

    def compare(self, target: Target, *y: Shape) -> None:
        if target.tensor.shape != y[0]:
            raise mismatch(f"it compares with {Values(y[0])}, and the data has {target}")


class _Similarity(Reduced, OfKornia, Loss):
    """Takes an image and a target of the same shape."""

    inputs = ("img1",)
    takes = "values"
    last = "reduction padding"
    axes: ClassVar[str] = _IMAGE

    window_size: Annotated[int, Wants("an odd whole number of at least 1", whole(1))]
    """Side of the window, in pixels, in which images are compared."""
    max_val: PositiveFloat = 1.0
    """The largest value of an image: 1, or 255."""
    eps: NaturalFloat = 1e-12
    """Added to a denominator, which is 0 where both images are black."""
    padding: Annotated[Literal["same", "valid"], one_of("same", "valid")] = "same"
    """Whether windows reach over the border, where images are mirrored (same), or not (valid)."""

    @field_validator("window_size")
    @classmethod
    def _odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise unwanted("an odd whole number of at least 1")
        return size

    def compare(self, target: Target, *y: Shape) -> None:
        expect_axes(y[0], self.axes, rank=self.axes.count(",") + 1)
        if target.tensor.shape != y[0]:
            raise mismatch(f"it compares with {Values(y[0])}, and the data has {target}")
        half = self.window_size // 2
        least = 2 * half + 1 if self.padding == "valid" else half + 1
        if min(y[0][1:]) < least:
            message = f"images must have {least} pixels each way for a window of {self.window_size}"
            raise mismatch(f"{message}, and these are {times(y[0][1:])}", at="window_size")


class SSIMLoss(_Similarity):
    """(1 − SSIM) / 2 of each window, averaged: it compares brightness, contrast and structure.

    Takes an image (channels, height, width) and a target of the same shape. Wang et al. 2004.

    loss: {SSIMLoss: 11}
    """


class SSIM3DLoss(_Similarity):
    """SSIMLoss of volumes (channels, depth, height, width).

    loss: {SSIM3DLoss: 5}
    """

    axes = _VOLUME


class MS_SSIMLoss(Reduced, OfKornia, Loss):  # noqa: N801  kornia's name
    """compensation · (alpha · (1 − MS-SSIM) + (1 − alpha) · |y − t| / data_range), averaged.

    Takes an image (channels, height, width) and a target of the same shape. It compares at the
    scale of each sigma; the last one is the coarsest, and also smooths |y − t|. Zhao et al. 2017.

    loss: {MS_SSIMLoss: {compensation: 1}}
    """

    inputs = ("img1",)
    takes = "values"
    last = "reduction"

    sigmas: Annotated[
        tuple[float, ...],
        Wants("a list of numbers greater than 0", many(real(gt=0), at_least=1)),
    ] = (0.5, 1.0, 2.0, 4.0, 8.0)
    """Deviation of the Gaussian of each scale, in pixels; the last one is the coarsest."""
    data_range: PositiveFloat = 1.0
    """The largest value of an image: 1, or 255."""
    K: Annotated[
        tuple[float, ...], Wants("a list of 2 numbers greater than 0", many(real(gt=0)))
    ] = (0.01, 0.03)
    """Constants that keep denominators from 0, as parts of data_range."""
    alpha: Probability = 0.025
    """Part of MS-SSIM in the loss; the rest is the absolute error."""
    compensation: Float = 200.0
    """Factor of the whole loss."""

    @field_validator("K")
    @classmethod
    def _two(cls, numbers: tuple[float, ...]) -> tuple[float, ...]:
        if len(numbers) != 2:
            raise unwanted("a list of 2 numbers greater than 0")
        return numbers

    def compare(self, target: Target, *y: Shape) -> None:
        expect_axes(y[0], _IMAGE, rank=3)
        if target.tensor.shape != y[0]:
            raise mismatch(f"it compares with {Values(y[0])}, and the data has {target}")


class TotalVariation(OfKornia, Loss):
    """The mean difference of neighbours, down and across: it makes an image smooth.

    Takes an image, or any output of at least 2 axes, and no target.

    loss: [MSELoss, {TotalVariation, inputs: picture, weight: 0.01}]
    """

    inputs = ("img",)
    takes = "values"
    compares = False

    def wanted(self, *y: Shape) -> Target:
        return Nothing()

    def compare(self, target: Target, *y: Shape) -> None:
        if len(y[0]) < 2:
            axes = len(y[0])
            message = f"it needs at least 2 axes (height, width), and the output has {axes}"
            raise mismatch(message)

    def run(self, forward: Callable[..., Any], y: tuple[Any, ...], target: Any) -> Any:
        return forward(*y).mean()  # of the samples and channels


class InverseDepthSmoothnessLoss(OfKornia, Loss):
    """|∂y| · exp(−|∂t|), averaged: an inverse depth is smooth, except at the edges of its image.

    Takes an inverse depth (channels, height, width), and an image of the same height and width as
    the target, such as the input of the network.

    loss: [L1Loss, {InverseDepthSmoothnessLoss, target: input, weight: 0.1}]
    """

    inputs = ("idepth",)
    takes = "values"

    def wanted(self, *y: Shape) -> Target:
        return Values((3, *y[0][1:]))

    def compare(self, target: Target, *y: Shape) -> None:
        expect_axes(y[0], _IMAGE, rank=3)
        size, shape = y[0][1:], target.tensor.shape
        if len(shape) != 3 or shape[1:] != size or not target.tensor.floating:
            wanted = f"an image of {times(size)} pixels"
            raise mismatch(f"it compares with {wanted}, and the data has {target}")
        if min(size) < 2:
            raise mismatch(f"it needs neighbours each way, and the output is {times(y[0])}")

    def run(self, forward: Callable[..., Any], y: tuple[Any, ...], target: Any) -> Any:
        return forward(*y, target.to(y[0].dtype))  # kornia wants one type
