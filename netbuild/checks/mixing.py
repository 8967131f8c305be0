"""Check augmentations that mix samples: each target must be one that can be mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.augmentations import marks, place_of
from netbuild.components.target import Classes, Values
from netbuild.components.tensor import ShapeError, times
from netbuild.diagnostics.diagnostic import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.components.augmentations.augmentation import Augmentation
    from netbuild.components.target import Target
    from netbuild.components.tensor import Tensor
    from netbuild.config.config import Config
    from netbuild.config.losses import LossTerm


def check(
    config: Config, outputs: Mapping[str, Tensor], targets: Mapping[str, Target]
) -> Iterator[Diagnostic]:
    """Yield the fault of each augmentation that mixes samples whose targets cannot be mixed.

    Args:
        config: the network and its data.
        outputs: the outputs of the network.
        targets: the targets of the data, by their names.
    """
    for number, augmentation in enumerate(config.preparation.augment or ()):
        if not augmentation.mixes:
            continue
        for name, target in targets.items():
            if fault := _fault(config, outputs, number, name, target):
                yield fault
                break


def _fault(
    config: Config, outputs: Mapping[str, Tensor], number: int, name: str, target: Target
) -> Diagnostic | None:
    """Return the fault of a target that an augmentation cannot mix."""
    assert config.preparation.augment is not None
    augmentation, at = config.preparation.augment[number], place_of(config, number)
    called = type(augmentation).__name__
    if reason := _unmixed(config, augmentation, name, target):
        title = f"{called} cannot mix this target: {target}"
        return Diagnostic("NB509", title, at, reason, help=f"remove {called}")
    for term in readers(config, outputs, name):
        if reason := _refuses_shares(term, outputs, target, config, name):
            title = f"{called} makes shares of classes, which {term.item.type.text} does not take"
            help_ = f"remove {called}, or compare with CrossEntropyLoss, which takes shares"
            return Diagnostic("NB509", title, at, reason, help=help_)
    return None


def _unmixed(config: Config, augmentation: Augmentation, name: str, target: Target) -> str:
    """Return why a target cannot be mixed with its image; "" if it can."""
    x, marked = next(iter(config.inputs.values())), marks(config, name, target)
    if x is None:
        return ""
    if config.preparation.views:
        return "one target cannot be mixed with several views of an image"
    if marked is not None:
        if marked not in augmentation.carries:
            return augmentation.holds
        if not augmentation.scales(x.shape, target.tensor.shape[-2:]):
            size = times(target.tensor.shape[-2:])
            return f"the target has {size} places, and the image {times(x.shape[1:])}"
        return ""
    if isinstance(target, Values) or (isinstance(target, Classes) and not target.shape):
        return ""
    return "it mixes one class or values of each sample"


def readers(config: Config, outputs: Mapping[str, Tensor], name: str) -> list[LossTerm]:
    """Return the losses that compare with a target."""
    found = [(term, config.against(term, outputs)) for term in config.losses]
    return [term for term, at in found if at and (at.kind, at.name) == ("target", name)]


def _refuses_shares(
    term: LossTerm, outputs: Mapping[str, Tensor], target: Target, config: Config, name: str
) -> str:
    """Return why a loss refuses shares in place of a class; "" if it takes them."""
    if not isinstance(target, Classes) or marks(config, name, target) is not None:
        return ""
    own = tuple(term.compared(outputs).values())
    wanted = term.loss.target(own)
    try:
        term.loss.check(own, target)
    except ShapeError:
        return ""  # another check reports it
    assert isinstance(wanted, Classes)
    try:
        term.loss.check(own, Values((wanted.classes,)))
    except ShapeError as error:
        return str(error).replace(", and the data has", ", and shares are")
    return ""
