"""What augmentations do to the images that train, and to their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.checks.augmentations import marks
from netbuild.checks.objective import wanted
from netbuild.components.target import Classes, Nothing
from netbuild.diagnostics.diagnostic import errors

if TYPE_CHECKING:
    from netbuild.components.augmentations.augmentation import Augmentation
    from netbuild.components.target import Target
    from netbuild.components.tensor import Shape
    from netbuild.graph.graph import Graph


class AugmentExplanation(NamedTuple):
    """An augmentation: what it changes, and what stands where the image has nothing."""

    type: str
    #: In words, such as `moves the image and its mask`.
    does: str
    #: What places from outside of the image have, in words; "" if there are none.
    outside: str
    #: How many views of each image the network reads; None for one.
    views: int | None


def augmenting(graph: Graph) -> tuple[AugmentExplanation, ...]:
    """Explain the augmentations of a config without faults, in their order."""
    config = graph.config
    x = next(iter(config.inputs.values()))
    if not config.preparation.augment or config.data is None or x is None:
        return ()
    if errors(graph.diagnostics):
        return ()
    read = wanted(config, graph.outputs).targets
    targets: dict[str, Target] = {n: y for n, y in read.items() if not isinstance(y, Nothing)}
    kinds: list[str] = [kind for name, y in targets.items() if (kind := marks(config, name, y))]
    ignored = [y.ignored for y in targets.values() if isinstance(y, Classes) and y.shape]
    found, shape = [], x.shape
    for one in config.preparation.augment:
        outside = "the image has 0 outside" if one.moves(shape) and one.fills(shape) else ""
        if outside and "mask" in kinds:
            outside += f", and the mask {ignored[0]}, which the loss ignores"
        does = _mixes(targets) if one.mixes else _moves(one, shape, kinds)
        found.append(
            AugmentExplanation(type(one).__name__, does, outside, config.preparation.views)
        )
        shape = one.apply(shape)
    return tuple(found)


def _mixes(targets: dict[str, Target]) -> str:
    """Return what a mixing augmentation does, in words."""
    classes = any(isinstance(y, Classes) and not y.shape for y in targets.values())
    return "mixes samples" + (", and their classes to shares of classes" if classes else "")


def _moves(one: Augmentation, shape: Shape, kinds: list[str]) -> str:
    """Return what another augmentation does, in words."""
    if not one.moves(shape):
        return "changes values of the image" if not one.geometric else "keeps this image as it is"
    *others, last = ("the image", *(f"its {kind}" for kind in kinds))
    return f"moves {', '.join(others)} and {last}" if others else f"moves {last}"
