"""Check the options next to a data source against the source, the network and the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.datasets.dataset import DataError
from netbuild.components.target import Classes
from netbuild.config import scaling

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from netbuild.components.datasets.dataset import Dataset, Declared, Sample
    from netbuild.components.target import Target
    from netbuild.config.config import Config
    from netbuild.config.preparation import Part, Preparation


def check(
    config: Config, wanted: Sample, given: Declared, outputs: Collection[str]
) -> Iterator[DataError]:
    """Yield errors of the split, of `normalize` and of `class_weights`, without loading data."""
    assert config.data is not None
    kinds = [given.targets[name] or target for name, target in wanted.targets.items()]
    yield from _of_split(config.data, config.preparation, kinds)
    yield from _of_normalize(config.data, config.preparation, wanted)
    if config.preparation.views and not config.preparation.augment:
        message = "without augment, all views of an image are the same"
        yield DataError(message, "views", "augment: [RandomHorizontalFlip]")
    if config.losses:
        yield from _of_class_weights(config, config.data, wanted, weighed(config, outputs))


def _of_split(
    source: Dataset, preparation: Preparation, kinds: Collection[Target]
) -> Iterator[DataError]:
    for at in ("validation", "test"):
        split = getattr(preparation, at)
        if isinstance(split, str):
            try:
                source.check_split(split)
            except DataError as error:
                help_ = (error.help or "").replace("validation:", f"{at}:")
                yield DataError(str(error), at, help_ or None)
    parts = preparation.parts
    if not parts:
        return
    at = next(
        (name for name in reversed(parts) if name in preparation.model_fields_set), "validation"
    )
    together = sum(part.part for part in parts.values())
    if together >= 1:
        message = f"the parts of validation and test are {together:g} of the samples together"
        yield DataError(
            message, at, "leave samples to train on: write parts that sum to less than 1"
        )
    elif message := preparation.leaves_none(source.size):
        yield DataError(message, at)
    elif source.streams:
        message = "a stream has no known size, so no part of it can be held out"
        yield DataError(message, at, f"name a split: {at}: test")
    elif message := _overlapping(source, preparation):
        yield DataError(message, at)
    else:
        yield from _of_parts(source, parts, kinds)


def _overlapping(source: Dataset, preparation: Preparation) -> str:
    """Return a sentence if every window that could train overlaps with a held-out one."""
    if not source.overlaps or preparation.trained(source) != 0:
        return ""
    return (
        f"{source.size} windows leave none to train on: {source.gap} windows before each held-out "
        "part share rows with it"
    )


def _of_parts(
    source: Dataset, parts: Mapping[str, Part], kinds: Collection[Target]
) -> Iterator[DataError]:
    """Yield errors of the columns that group samples, and of `by: class` without classes."""
    for at, part in parts.items():
        if part.group:
            try:
                source.check_group(part.group)
            except DataError as error:
                yield DataError(str(error), at, error.help)
        if part.by == "class" and not any(isinstance(k, Classes) and not k.shape for k in kinds):
            message = "by: class needs a target that is one class for each sample"
            yield DataError(message, at, "write by: chance, or by: order")


def _of_normalize(source: Dataset, preparation: Preparation, wanted: Sample) -> Iterator[DataError]:
    given = preparation.normalize
    if given is False or isinstance(given, dict):  # `checks.scaling` reads a mapping
        return
    if len(wanted.inputs) != 1 or not wanted.inputs[0].floating or not wanted.inputs[0].shape:
        message = "it needs a network with one input of floating-point numbers"
        several = any(x.floating for x in wanted.inputs[1:])
        help_ = "write normalize: {inputs: true}, or name them: {inputs: {NAME: true}}"
        yield DataError(message, "normalize", help_ if several else None)
    elif given is not True:
        channels = scaling.channels(wanted.inputs[0].shape, over_time=source.over_time)
        wrong = next((len(values) for values in given if len(values) != channels), None)
        if wrong is not None:
            message = f"the samples have {channels} channels, but it gives numbers for {wrong}"
            yield DataError(message, "normalize")
    elif source.streams:
        message = "the mean and the deviation of a stream are unknown before it is read"
        yield DataError(message, "normalize", "give the numbers: [[0.5], [0.25]]")


def weighed(config: Config, outputs: Collection[str]) -> list[str]:
    """Return the targets of classes that losses with weights of classes compare with."""
    found = [
        config.against(term, outputs)
        for term in config.losses
        if term.loss.classifies and "weight" in type(term.loss).model_fields
    ]
    names = [against.name for against in found if against and against.kind == "target"]
    return list(dict.fromkeys(names))


def _of_class_weights(
    config: Config, source: Dataset, wanted: Sample, names: list[str]
) -> Iterator[DataError]:
    given, message, help_ = config.preparation.class_weights, "", None
    if given is None:
        return
    target = wanted.targets[names[0]] if names else None
    if not isinstance(target, Classes):
        message = f"{type(config.loss).__name__} takes no class weights"
    elif len(names) > 1:
        message = f"losses compare with classes of several targets: {', '.join(names)}"
        help_ = "write the weights in each loss, such as {CrossEntropyLoss: {weight: [1, 2]}}"
    elif given == "balanced" and source.streams:
        message = "the classes of a stream are not counted: give a number for each class"
    elif given != "balanced" and len(given) != target.classes:
        message = f"there are {target.classes} classes, but it gives numbers for {len(given)}"
    elif given != "balanced" and not any(given):
        message = "all class weights are 0"
    if message:
        yield DataError(message, "class_weights", help_)
