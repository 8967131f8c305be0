"""Check the options next to a data source against the source, the network and the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.datasets.dataset import DataError
from netbuild.components.target import Classes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.datasets.dataset import Dataset, Sample
    from netbuild.components.losses.loss import Loss
    from netbuild.config.config import Config
    from netbuild.config.preparation import Preparation


def check(config: Config, wanted: Sample) -> Iterator[DataError]:
    """Yield errors of the split, of `normalize` and of `class_weights`, without loading data."""
    assert config.data is not None
    yield from _of_split(config.data, config.preparation)
    yield from _of_normalize(config.data, config.preparation, wanted)
    losses = [term.loss for term in config.losses]
    if losses:
        yield from _of_class_weights(config.data, config.preparation, wanted, losses)


def _of_split(source: Dataset, preparation: Preparation) -> Iterator[DataError]:
    if isinstance(preparation.validation, str):
        try:
            source.check_split(preparation.validation)
        except DataError as error:
            yield DataError(str(error), "validation", error.help)
    elif message := preparation.leaves_none(source.size):
        yield DataError(message, "validation")
    elif source.streams:
        message = "a stream has no known size, so no part of it can be held out"
        yield DataError(message, "validation", "name a split: validation: test")


def _of_normalize(source: Dataset, preparation: Preparation, wanted: Sample) -> Iterator[DataError]:
    given = preparation.normalize
    if given is False:
        return
    if len(wanted.inputs) != 1 or not wanted.inputs[0].floating or not wanted.inputs[0].shape:
        message = "it needs a network with one input of floating-point numbers"
        yield DataError(message, "normalize")
    elif given is not True:
        channels = wanted.inputs[0].shape[0]
        wrong = next((len(values) for values in given if len(values) != channels), None)
        if wrong is not None:
            message = f"the samples have {channels} channels, but it gives numbers for {wrong}"
            yield DataError(message, "normalize")
    elif source.streams:
        message = "the mean and the deviation of a stream are unknown before it is read"
        yield DataError(message, "normalize", "give the numbers: [[0.5], [0.25]]")


def _of_class_weights(
    source: Dataset, preparation: Preparation, wanted: Sample, losses: list[Loss]
) -> Iterator[DataError]:
    given, target = preparation.class_weights, wanted.target
    message = ""
    if given is None:
        return
    taken = any("weight" in type(loss).model_fields for loss in losses)
    if not taken or not isinstance(target, Classes):
        message = f"{type(losses[0]).__name__} takes no class weights"
    elif given == "balanced" and source.streams:
        message = "the classes of a stream are not counted: give a number for each class"
    elif given != "balanced" and len(given) != target.classes:
        message = f"there are {target.classes} classes, but it gives numbers for {len(given)}"
    elif given != "balanced" and not any(given):
        message = "all class weights are 0"
    if message:
        yield DataError(message, "class_weights")
