"""The sections of a file as JSON Schema sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.augmentations import AUGMENTATIONS
from netbuild.components.datasets import DATASETS
from netbuild.components.initializers import INITIALIZERS
from netbuild.components.layers import LAYERS
from netbuild.components.losses import LOSSES
from netbuild.components.metrics import METRICS
from netbuild.components.optimizers import OPTIMIZERS
from netbuild.components.schedulers import SCHEDULERS
from netbuild.config.budget import Budget
from netbuild.config.inputs import Input
from netbuild.config.losses import Weighing
from netbuild.config.preparation import Preparation
from netbuild.config.pretrained import Pretrained
from netbuild.config.scheduler import Stepping
from netbuild.config.sections import NAME, SECTIONS
from netbuild.config.train import Train
from netbuild.reports.schema.items import arguments, choice, field, reference
from netbuild.reports.schema.stacks import (
    CLOSED,
    OVERLAY,
    WITH_BLOCKS,
    Kind,
    block,
    variable,
    wires,
)
from netbuild.reports.schema.values import text, words

if TYPE_CHECKING:
    from netbuild.components.component import Component
    from netbuild.reports.schema.values import Schema

#: The types that a block can have.
_TYPE = "^[A-Z][A-Za-z0-9_]{0,99}$"

_DESCRIPTIONS = {
    "extends": "Another file to start from: mappings merge by key, and everything else is"
    " replaced.",
    "name": "What the runs are called: the file's name where it is left out.",
    "vars": "Values with a name, items too: `$name` stands for one.",
    "blocks": "Stacks with parameters, by their types, to be used like layers.",
    "input": "The shape of one sample, without the batch: [1, 28, 28], or {shape: [16], dtype:"
    " int64}.",
    "inputs": "The shapes of several inputs, by name.",
    "layers": "The network: a list of layers, or layers by name.",
    "outputs": "What the network gives, where that is not its last result.",
    "init": "How weights begin: rules by name pattern or type, of which the first that matches"
    " counts.",
    "pretrained": "A file of weights to begin with.",
    "loss": "What the training makes small.",
    "metrics": "What is measured beside the loss.",
    "optimizer": "How the training changes the weights.",
    "scheduler": "How the learning rate changes.",
    "data": "Where the samples come from.",
    "train": "How long and on what the network is trained.",
    "budget": "How large the network may be; what is left out has no limit.",
}


def root() -> Schema:
    """Return the schema of a file.

    What depends on other sections stands in a branch, and is `true` beside it: an editor would
    propose twice what has two schemas.
    """
    branching = _branching(complete=True)
    return {
        "type": "object",
        "properties": {name: _always().get(name, True) for name in SECTIONS},
        "additionalProperties": False,
        "if": {"required": ["extends"]},
        "then": {"properties": {**_branching(complete=False), "layers": _layers(OVERLAY)}},
        "else": {
            "properties": branching,
            "required": ["layers"],
            "if": {"required": ["blocks"]},
            "then": {"properties": {"layers": _layers(WITH_BLOCKS)}},
            "else": {"properties": {"layers": _layers(CLOSED)}},
        },
    }


def definitions() -> dict[str, Schema]:
    """Return the definitions that the sections refer to: what lists of items are made of."""
    return {"scheduler": choice(SCHEDULERS), "augmentation": choice(AUGMENTATIONS)}


def _always() -> dict[str, Schema]:
    """Return the sections that are the same in every file."""
    sections: dict[str, Schema] = {
        "extends": {"type": "string", "minLength": 1},
        "name": text(f"^{NAME}$") | {"type": ["string", "number", "boolean"]},
        "vars": {"type": "object", "additionalProperties": variable()},
        "outputs": wires(),
        "init": {"type": "array", "items": _rule()},
        "metrics": _metrics(),
        "optimizer": choice(OPTIMIZERS, {"groups": _groups()}),
        "data": choice(DATASETS, _beside(Preparation)),
        "train": _mapping(Train),
        "budget": _mapping(Budget),
    }
    return {name: _section(name, schema) for name, schema in sections.items()}


def _losses(*, complete: bool) -> Schema:
    """Return the schema of a loss, or of several in a list."""
    one = choice(LOSSES, {"inputs": wires(), **_beside(Weighing)}, complete=complete)
    return one | {"type": [*one["type"], "array"], "items": one, "minItems": 1}


def _metrics() -> Schema:
    named: list[Schema] = [{"const": name, "description": said} for name, said in METRICS.items()]
    one = text(words(METRICS)) | {"anyOf": [*named, {}]}
    return {"type": ["array", "string"], "items": one, "anyOf": [*named, {}]}


def _groups() -> Schema:
    """Return the schema of parameter groups; their options are those of the optimizer."""
    one = {"type": "object", "properties": {"match": text(".")}, "required": ["match"]}
    return {"type": "array", "items": one, "description": "Other options for weights by name."}


def _branching(*, complete: bool) -> dict[str, Schema]:
    """Return the sections of which a file with `extends` may have a part; but for the layers."""
    shape = _loose(arguments(Input), complete=complete)
    sections: dict[str, Schema] = {
        "blocks": {
            "type": "object",
            "patternProperties": {_TYPE: block(WITH_BLOCKS if complete else OVERLAY)},
            "additionalProperties": False,
        },
        "input": shape,
        "inputs": {"type": "object", "additionalProperties": shape, "minProperties": 1},
        "pretrained": _loose(_pretrained(), complete=complete),
        "loss": _losses(complete=complete),
        "scheduler": choice(SCHEDULERS, _beside(Stepping), complete=complete),
    }
    return {name: _section(name, schema) for name, schema in sections.items()}


def _section(name: str, schema: Schema) -> Schema:
    """Return a section with its description; one without a value is as good as none.

    One may be an expression as a whole, but for those that expressions are made of.
    """
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kinds = [kind for kind in kinds if kind != "null"]
    whole = text() if "string" not in kinds and name not in {"vars", "blocks"} else {}
    kinds += [whole["type"]] if whole else []
    return {**whole, **schema, "type": [*kinds, "null"], "description": _DESCRIPTIONS[name]}


def _layers(kind: Kind) -> Schema:
    return reference(kind.name) | {"description": _DESCRIPTIONS["layers"]}


def _loose(schema: Schema, *, complete: bool) -> Schema:
    return schema if complete else {k: value for k, value in schema.items() if k != "required"}


def _beside(component: type[Component]) -> Schema:
    """Return what stands beside an item."""
    return {name: field(component, name) for name in component.model_fields}


def _mapping(component: type[Component]) -> Schema:
    """Return the schema of a section that is always a mapping."""
    return {"type": "object", "properties": _beside(component), "additionalProperties": False}


def _pretrained() -> Schema:
    """Return the schema of `pretrained:`, whose modules may be called by numbers."""
    found = arguments(Pretrained)
    names = {"type": ["array", "string"], "items": {"type": ["string", "number"]}}
    found["properties"]["leave_out"] |= {"anyOf": [names]}
    return found


def _rule() -> Schema:
    """Return the schema of a rule of `init:`: an initializer beside what it is for."""
    conditions = {
        "match": {
            "type": "string",
            "description": "A pattern of the names of layers or parameters: `*.bias`.",
        },
        "type": {
            "anyOf": [{"enum": list(LAYERS)}, text()],
            "description": "The type of the layers that it is for.",
        },
    }
    return choice(INITIALIZERS, conditions) | {"type": ["object", "string"], "pattern": r"\$"}
