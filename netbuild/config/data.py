"""The section `data:`: the source of the samples, and their preparation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.datasets import DATASETS
from netbuild.config.filling import fill, fill_fields, find
from netbuild.config.preparation import Preparation
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Collection

    from netbuild.components.datasets.dataset import Dataset
    from netbuild.config.sections import Sections
    from netbuild.diagnostics.diagnostic import Found
    from netbuild.syntax.expression import Names
    from netbuild.syntax.item import Item


class Data(NamedTuple):
    """A source of samples (None after a fault), and the preparation of its samples."""

    source: Dataset | None
    preparation: Preparation


def read_data(sections: Sections, inputs: Collection[str]) -> Found[Data]:
    """Read the section; `inputs` are the inputs of the network, in their order."""
    item, faults = sections.item("data", "data source", DATASETS)
    if item is None:
        return Data(None, Preparation()), faults
    source, wrong = _source(item, sections.names)
    at = item.type.span
    preparation, unprepared = fill_fields(Preparation, item.modifiers, "data", at, sections.names)
    faults += (*wrong, *unprepared)
    source = source and _in_order(source, inputs)
    return Data(source if preparation else None, preparation or Preparation()), faults


def _in_order(source: Dataset, inputs: Collection[str]) -> Dataset:
    """Return a source that names its inputs in the order of the network's inputs."""
    named = source.named_inputs
    if named is None or {*named} != {*inputs} or [*named] == [*inputs]:
        return source
    mapping = source.inputs  # type: ignore[attr-defined]  # `named_inputs` are its keys
    return source.model_copy(update={"inputs": {name: mapping[name] for name in inputs}})


def _source(item: Item, names: Names) -> Found[Dataset | None]:
    component, faults = find(item, DATASETS, "data source")
    if component is None:
        return None, faults
    source, faults = fill(component, item, names)
    return source and _located(source, item), faults


def _located(source: Dataset, item: Item) -> Dataset:
    """Return a source with its paths relative to the current folder, not to its file."""
    paths = {}
    for name in source.paths:
        if getattr(source, name) is not None:
            folder = Path(place(item, name).document.name).parent
            paths[name] = str(folder / getattr(source, name))
    return source.model_copy(update=paths) if paths else source
