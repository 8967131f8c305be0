"""The JSON Schema of the sections of a file."""

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
from netbuild.config.losses import WeighingEitherWay
from netbuild.config.metrics import Naming
from netbuild.config.optimizer import Playing
from netbuild.config.preparation import Preparation
from netbuild.config.scheduler import Stepping
from netbuild.config.sections import LIBRARY, NAME, SECTIONS
from netbuild.config.train import Train
from netbuild.reports.schema.items import arguments, choice, field, reference
from netbuild.reports.schema.pretrained import files
from netbuild.reports.schema.stacks import (
    CLOSED,
    OVERLAY,
    WITH_BLOCKS,
    Kind,
    block,
    variable,
    wires,
)
from netbuild.reports.schema.values import text

if TYPE_CHECKING:
    from netbuild.components.component import Component
    from netbuild.reports.schema.values import Schema

#: The types that a block can have.
_TYPE = "^[A-Z][A-Za-z0-9_]{0,99}$"

_DESCRIPTIONS = {
    "extends": "Another file to start from: mappings merge by key, and everything else is"
    " replaced.",
    "name": "The name of the network and of its runs. Default: the name of the file.",
    "vars": "Named values or items. `$name` stands for the value.",
    "blocks": "Stacks with parameters. Each is a new type that is used like a layer.",
    "input": "The shape of one sample, without the batch: [1, 28, 28], or {shape: [16], dtype:"
    " int64}.",
    "inputs": "The shapes of several inputs, by name.",
    "layers": "The network: a list of layers, or layers by name.",
    "outputs": "The outputs of the network. Default: the result of the last layer.",
    "init": "Rules for the initial weights, by name pattern or type. The first rule that matches"
    " is used.",
    "pretrained": "A file with the initial weights, or a list of files.",
    "loss": "The loss, which the training minimises.",
    "metrics": "Other numbers that are measured.",
    "optimizer": "The algorithm that changes the weights.",
    "scheduler": "The changes of the learning rate.",
    "data": "The source of the samples.",
    "train": "The length of the training, its device and other settings.",
    "budget": "Limits for the size of the network.",
}


def root() -> Schema:
    """Return the schema of a file.

    The schema of some sections depends on other sections. Each of them has its schema in a branch,
    and `true` outside: with two schemas, an editor would propose everything twice.
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
            "if": {"required": ["blocks"]},
            "then": {
                "properties": {"layers": _layers(WITH_BLOCKS)},
                "if": {"propertyNames": {"enum": list(LIBRARY)}},
                "else": {"required": ["layers"]},
            },
            "else": {"properties": {"layers": _layers(CLOSED)}, "required": ["layers"]},
        },
    }


def definitions() -> dict[str, Schema]:
    """Return the definitions that the sections refer to: the items of lists."""
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
        "optimizer": _optimizers(),
        "data": choice(DATASETS, _beside(Preparation)),
        "train": _mapping(Train),
        "budget": _mapping(Budget),
    }
    return {name: _section(name, schema) for name, schema in sections.items()}


def _losses(*, complete: bool) -> Schema:
    """Return the schema of a loss or a list of losses."""
    one = choice(LOSSES, {"inputs": wires(), **_beside(WeighingEitherWay)}, complete=complete)
    return one | {"type": [*one["type"], "array"], "items": one, "minItems": 1}


def _metrics() -> Schema:
    """Return the schema of a metric or a list of metrics."""
    one = choice(METRICS, {"inputs": wires(), **_beside(Naming)})
    return one | {"type": [*one["type"], "array"], "items": one}


def _optimizers() -> Schema:
    """Return the schema of an optimizer or a list of optimizers."""
    one = choice(OPTIMIZERS, {"groups": _groups()})
    named = {"type": ["array", "string"], "items": text("."), "minItems": 1}
    beside = {
        "match": named | {"description": "Patterns of names: the weights of this optimizer."},
        "type": named | {"description": "Types of layers: the weights of this optimizer."},
        "groups": _groups(),
        "scheduler": choice(SCHEDULERS, _beside(Stepping)),
        **_beside(Playing),
        "losses": named | {"description": "Names of the losses that this optimizer minimises."},
    }
    listed = choice(OPTIMIZERS, beside)
    return one | {"type": [*one["type"], "array"], "items": listed, "minItems": 1}


def _groups() -> Schema:
    """Return the schema of parameter groups. A group takes the options of the optimizer."""
    one = {"type": "object", "properties": {"match": text(".")}, "required": ["match"]}
    return {"type": "array", "items": one, "description": "Other options for weights by name."}


def _branching(*, complete: bool) -> dict[str, Schema]:
    """Return the sections, except layers, of which a file with `extends` may contain a part."""
    shape = _loose(arguments(Input), complete=complete)
    sections: dict[str, Schema] = {
        "blocks": {
            "type": "object",
            "patternProperties": {_TYPE: block(WITH_BLOCKS if complete else OVERLAY)},
            "additionalProperties": False,
        },
        "input": shape,
        "inputs": {"type": "object", "additionalProperties": shape, "minProperties": 1},
        "pretrained": _loose(files(), complete=complete),
        "loss": _losses(complete=complete),
        "scheduler": choice(SCHEDULERS, _beside(Stepping), complete=complete),
    }
    return {name: _section(name, schema) for name, schema in sections.items()}


def _section(name: str, schema: Schema) -> Schema:
    """Return the schema of a section with its description. An empty section counts as absent.

    Each section may be an expression, except for `vars` and `blocks`.
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
    """Return the schemas of the fields next to an item."""
    return {name: field(component, name) for name in component.model_fields}


def _mapping(component: type[Component]) -> Schema:
    """Return the schema of a section that is always a mapping."""
    return {"type": "object", "properties": _beside(component), "additionalProperties": False}


def _rule() -> Schema:
    """Return the schema of a rule of `init:`: an initializer with its conditions."""
    conditions = {
        "match": {
            "type": "string",
            "description": "A pattern of the names of layers or parameters: `*.bias`.",
        },
        "type": {
            "anyOf": [{"enum": list(LAYERS)}, text()],
            "description": "The type of the layers to which the rule applies.",
        },
    }
    return choice(INITIALIZERS, conditions) | {"type": ["object", "string"], "pattern": r"\$"}
