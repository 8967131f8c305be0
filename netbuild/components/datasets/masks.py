"""Masks: pictures whose pixels are class numbers."""

from typing import TYPE_CHECKING, Any

from netbuild.components.datasets.conversion import ignored, target_of, target_values
from netbuild.components.datasets.dataset import DataError, Size
from netbuild.components.datasets.decoding import decoded
from netbuild.components.target import Classes, Target
from netbuild.components.tensor import Tensor, times

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

#: White in a mask of black and white.
_WHITE = 255
#: The most colours that a message names.
_COLOURS = 3
#: Endings of the names of files that do not keep the values of pixels.
_LOSSY = (".jpg", ".jpeg", ".webp")


class Masks:
    """The masks of images, as targets.

    Args:
        files: the mask of each image.
        classes: the number of classes.
        wanted: what the loss compares with.
        size: the height and width to which the images are resized; None keeps their sizes.
    """

    def __init__(
        self, files: tuple[str, ...], classes: int, wanted: Target, size: Size | None
    ) -> None:
        self.files, self.classes, self.wanted, self.size = files, classes, wanted, size

    def declared(self, size: Size) -> Target | None:
        """Return what the target of a mask of this size is."""
        return target_of(Tensor(self._shape(size), "int64"), self.wanted, self.classes)

    def of(self, index: int, image: str, size: Size) -> "np.ndarray[Any, Any]":
        """Return the target of an image that has this size.

        Raises:
            DataError: the mask cannot be read, has another size, or holds no class numbers.
        """
        file = self.files[index]
        numbers = self._numbers(file)
        if numbers.shape != size:
            came = f"{file} has {times(numbers.shape)} pixels"
            message = f"{came}, and its image {image} has {times(size)}"
            raise _unfit(file, message, "a mask has the size of its image")
        if self.size is not None:
            numbers = nearest(numbers, self.size)
        array = numbers.reshape(1, *self._shape(numbers.shape))
        try:
            target = target_values(
                array, self.wanted, self.classes, "the mask", lambda _: f"in {file}"
            )
        except DataError as error:
            raise _unfit(file, str(error), self._help(file, numbers)) from error
        one: np.ndarray[Any, Any] = target[0]
        return one

    def _shape(self, size: Size) -> tuple[int, ...]:
        """Return the shape of a target: a loss of yes or no has an axis of one channel."""
        shape = self.wanted.tensor.shape
        channel = not isinstance(self.wanted, Classes) and len(shape) == 3 and shape[0] == 1
        return (1, *size) if channel else size

    def _numbers(self, file: str) -> "np.ndarray[Any, Any]":
        """Return the class numbers of a mask, (H, W); black and white are 0 and 1."""
        import numpy as np

        numbers = class_numbers(decoded(file), file)
        if self.classes == 2 and ignored(self.wanted) != _WHITE:
            white = numbers == _WHITE
            if white.any() and bool((white | (numbers == 0)).all()):
                return np.asarray(white, "int64")
        return numbers

    def _help(self, file: str, numbers: "np.ndarray[Any, Any]") -> str | None:
        if file.lower().endswith(_LOSSY):
            return "this format changes the values of pixels: store masks as PNG"
        if numbers.max(initial=0) == _WHITE and isinstance(self.wanted, Classes):
            return (
                "if 255 marks places without a class, let the loss ignore them: ignore_index: 255"
            )
        return None


def nearest(numbers: "np.ndarray[Any, Any]", size: Size) -> "np.ndarray[Any, Any]":
    """Return a mask in another size: each pixel gets the number of the nearest old pixel."""
    import numpy as np

    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype("int64")
        for new, old in zip(size, numbers.shape, strict=True)
    )
    found: np.ndarray[Any, Any] = numbers[rows[:, None], columns]
    return found


def class_numbers(picture: "Image", file: str) -> "np.ndarray[Any, Any]":
    """Return the number at each pixel, (H, W): the index into the palette, or the grey value.

    A coloured file whose pixels are all grey is read as grey.

    Raises:
        DataError: the picture has colours, or fractions.
    """
    import numpy as np

    if picture.mode in {"LA", "La", "PA"}:  # whether a pixel is transparent does not count
        picture = picture.getchannel(0)
    if picture.mode in {"1", "L", "P", "F"} or picture.mode.startswith("I"):
        values = np.asarray(picture)
        numbers = values.astype("int64")
        if picture.mode == "F" and not bool((numbers == values).all()):
            raise _unfit(file, f"{file} holds fractions, and a class is a whole number")
        return numbers
    red, green, blue = np.moveaxis(np.asarray(picture.convert("RGB")).astype("int64"), -1, 0)
    if bool(((red == green) & (green == blue)).all()):
        return np.asarray(red)
    colours = np.unique((red << 16) | (green << 8) | blue).tolist()
    named = [f"({n >> 16}, {n >> 8 & 255}, {n & 255})" for n in colours[:_COLOURS]]
    left = len(colours) - len(named)
    others = f" and {left:,} more colour{'s' * (left > 1)}" if left > 0 else ""
    message = f"{file} is a coloured picture, not a mask: it holds {', '.join(named)}{others}"
    help_ = "write the number of the class at each pixel, as a grey PNG or as a PNG with a palette"
    raise _unfit(file, message, help_)


def _unfit(file: str, message: str, help_: str | None = None) -> DataError:
    """Return the error of a mask that can be read, and not be used."""
    return DataError(message, "masks", help_, sample=file, unfit=True)
