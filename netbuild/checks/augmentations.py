"""Check that augmented images and their targets fit the network. No image is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.target import Classes, Nothing, Signs
from netbuild.components.tensor import ShapeError, times
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.syntax.item import inner, place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.components.augmentations.augmentation import Augmentation
    from netbuild.components.datasets.dataset import Geometry
    from netbuild.components.target import Target
    from netbuild.components.tensor import Shape
    from netbuild.config.config import Config
    from netbuild.diagnostics.diagnostic import Span

#: Ratios of sizes that differ by less than this factor are about the same.
_ABOUT = 1.25
_NOUNS = {"mask": "mask", "picture": "target", "boxes": "boxes", "points": "points"}


def check(config: Config) -> list[Diagnostic]:
    """Return the fault of augmentations that change the shape of the images.

    Images for validation are not augmented, so they already have the shape of the network's input.
    Augmented images must have the same shape in the end.
    """
    augment = config.preparation.augment or ()
    inputs = [x for x in config.inputs.values() if x is not None]
    if not augment or config.data is None or len(inputs) != len(config.inputs):
        return []
    if config.preparation.views:  # all inputs are views of one image
        inputs = inputs[:1]
    if len(inputs) != 1 or inputs[0].dtype != "float32":
        read = ", ".join(config.inputs) if len(inputs) != 1 else inputs[0].dtype
        message = f"it augments float32 images, but the network reads {read}"
        return [_fault(config, 0, message)]
    x = inputs[0].shape
    last = 0
    for number, augmentation in enumerate(augment):
        try:
            y = augmentation.apply(x)
        except ShapeError as error:
            return [_fault(config, number, str(error), error.at, error.help)]
        last, x = number if y != x else last, y
    needed = inputs[0].shape
    if x == needed:
        return []
    message = f"the images become {times(x)}, but the network reads {times(needed)}"
    return [_fault(config, last, message, "size", _help(augment[last], needed))]


def marks(config: Config, name: str, target: Target) -> Geometry | None:
    """Return what a target marks in the augmented images, so that it moves with them.

    A source may say it. Otherwise, class numbers in rows and columns are a mask. Values are a
    picture if the ratio of rows to columns is about the image's; convolutions without padding
    change the ratio a little.
    """
    if isinstance(target, Nothing):  # no loss reads it
        return None
    given = config.data.geometry.get(name) if config.data is not None else None
    x = next(iter(config.inputs.values()))
    shape = target.tensor.shape
    if given is not None or x is None or len(x.shape) != 3 or len(shape) < 2:
        return given
    if isinstance(target, Classes):
        return None if min(shape[-2:]) == 1 else "mask"
    rows, columns = (n / of for n, of in zip(shape[-2:], x.shape[1:], strict=True))
    if min(shape[-2:]) == 1 or max(rows, columns) >= _ABOUT * min(rows, columns):
        return None
    return "mask" if isinstance(target, Signs) else "picture"


def check_target(
    config: Config, name: str, target: Target, ignored: Mapping[str, int | None]
) -> list[Diagnostic]:
    """Return a fault for each augmentation that cannot move a target with its image.

    Args:
        config: the network and its data.
        name: the name of the target.
        target: the target.
        ignored: the number in the target that each loss ignores, by the name of the loss.
    """
    x = next(iter(config.inputs.values()))
    marked = marks(config, name, target)
    if not config.preparation.augment or x is None or marked is None:
        return []
    shape, found = x.shape, []
    size = target.tensor.shape[-2:] if marked in {"mask", "picture"} else shape[1:]
    for number, augmentation in enumerate(config.preparation.augment):
        try:
            moves = augmentation.moves(shape)
            changed = augmentation.apply(shape)
        except ShapeError:  # `check` reports it
            break
        reason = _stays(augmentation, marked, shape, size)
        if config.preparation.views:
            reason = "one target cannot move with several views of an image"
        if moves and reason:
            found.append(_left_behind(config, number, marked, reason))
        elif moves and marked == "mask" and augmentation.fills(shape):
            found += _check_outside(config, number, ignored)
        size = changed[1:] if size == shape[1:] else size
        shape = changed
    return found


def _stays(augmentation: Augmentation, marked: Geometry, x: Shape, size: Shape) -> str:
    """Return why a target stays where it is when an augmentation moves its image."""
    if marked not in augmentation.carries:
        return augmentation.holds
    if not augmentation.scales(x, size):
        return f"the target has {times(size)} places, and the image {times(x[1:])}"
    return ""


def _left_behind(config: Config, number: int, marked: Geometry, reason: str) -> Diagnostic:
    assert config.preparation.augment is not None
    name = type(config.preparation.augment[number]).__name__
    title = f"{name} moves the image, and its {_NOUNS[marked]}"
    title += " stays" if marked in {"mask", "picture"} else " stay"
    help_ = f"remove {name}, or store changed images with their changed targets"
    return Diagnostic("NB504", title, place_of(config, number), reason, help=help_)


def _check_outside(
    config: Config, number: int, ignored: Mapping[str, int | None]
) -> Iterator[Diagnostic]:
    """Yield the fault of places without a class, if the losses do not ignore the same number."""
    assert config.preparation.augment is not None
    if not ignored or (len({*ignored.values()}) == 1 and None not in ignored.values()):
        return
    augmentation = config.preparation.augment[number]
    name, fields = type(augmentation).__name__, type(augmentation).model_fields
    title = f"{name} brings in places that have no class"
    without = [loss for loss, value in ignored.items() if value is None]
    field = next((field for field in ("padding_mode", "pad_mode") if field in fields), None)
    border = "replicate" if name in {"RandomCrop", "PadTo"} else "border"
    if without:
        label = f"{' and '.join(without)} cannot ignore them: no ignore_index"
        way = f"{field}: {border}" if field else "RandomAffine with padding_mode: border"
        help_ = f"{way} continues the image and its mask; or a loss with ignore_index"
    else:
        said = [f"{loss} ignores {value}" for loss, value in ignored.items()]
        label, help_ = " and ".join(said), "write the same ignore_index in these losses"
    yield Diagnostic("NB508", title, place_of(config, number), label, help=help_)


def _help(augmentation: Augmentation, needed: Shape) -> str:
    size = f"[{needed[1]}, {needed[2]}]"
    if "size" in type(augmentation).model_fields:
        return f"size: {size}"
    return f"restore the size afterwards with RandomCrop: {size} or Resize: {size}"


def _fault(
    config: Config, number: int, message: str, at: str | None = None, help_: str | None = None
) -> Diagnostic:
    """Return the fault of an augmentation, at the field that causes it."""
    assert config.preparation.augment is not None
    title = f"{type(config.preparation.augment[number]).__name__} does not fit the network"
    span = place_of(config, number, at)
    line = config.input_span(next(iter(config.inputs))).line
    return Diagnostic("NB501", title, span, message, (Note("input", f"line {line}"),), help=help_)


def place_of(config: Config, number: int, at: str | None = None) -> Span:
    """Return the place of a field of an augmentation, or the nearest place in the file."""
    source = config.items.get("data")
    item = inner(source, "augment", number) if source else None
    return place(item, at) if item else config.place("data", "augment")
