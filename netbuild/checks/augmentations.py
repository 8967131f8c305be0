"""Whether augmented images fit the network: known from the shapes, before any image is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.tensor import ShapeError, times
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.syntax.item import inner, place

if TYPE_CHECKING:
    from netbuild.components.augmentations.augmentation import Augmentation
    from netbuild.components.tensor import Shape
    from netbuild.config.config import Config
    from netbuild.diagnostics.diagnostic import Span


def faults(config: Config) -> list[Diagnostic]:
    """Return what keeps the augmented images from being those that the network reads.

    Images that validate are not augmented. So what goes in has the shape of the network's input,
    and what comes out has to have it again.
    """
    augment = config.preparation.augment or ()
    inputs = [x for x in config.inputs.values() if x is not None]
    if not augment or config.data is None or len(inputs) != len(config.inputs):
        return []
    if len(inputs) != 1 or inputs[0].dtype != "float32":
        read = ", ".join(config.inputs) if len(inputs) != 1 else inputs[0].dtype
        message = f"it changes images of float32, and the network reads {read}"
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
    message = f"the images become {times(x)}, and the network reads {times(needed)}"
    return [_fault(config, last, message, "size", _help(augment[last], needed))]


def _help(augmentation: Augmentation, needed: Shape) -> str:
    size = f"[{needed[1]}, {needed[2]}]"
    if "size" in type(augmentation).model_fields:
        return f"size: {size}"
    return f"bring them back behind it, by RandomCrop: {size} or Resize: {size}"


def _fault(
    config: Config, number: int, message: str, at: str | None = None, help_: str | None = None
) -> Diagnostic:
    """Return the fault of an augmentation, at the field that is to blame."""
    assert config.preparation.augment is not None
    title = f"{type(config.preparation.augment[number]).__name__} does not fit the network"
    span = _place(config, number, at)
    line = config.input_span(next(iter(config.inputs))).line
    return Diagnostic("NB501", title, span, message, (Note("input", f"line {line}"),), help=help_)


def _place(config: Config, number: int, at: str | None) -> Span:
    """Return where a field of an augmentation is written, or what is nearest to it."""
    source = config.items.get("data")
    item = inner(source, "augment", number) if source else None
    return place(item, at) if item else config.place("data", "augment")
