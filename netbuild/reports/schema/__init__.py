"""The language as a JSON Schema. An editor uses it to complete, explain and underline.

The schema is built from the declarations of components: fields, defaults, types and docstrings. It
sees a single file, and no shapes. `netbuild validate` refuses every file that the schema refuses.
It alone checks expressions, names and shapes.
"""

from __future__ import annotations

import json
import re
from itertools import count
from typing import TYPE_CHECKING, Any

from netbuild.components.augmentations import AUGMENTATIONS
from netbuild.components.datasets import DATASETS
from netbuild.components.initializers import INITIALIZERS
from netbuild.components.layers import LAYERS
from netbuild.components.losses import LOSSES
from netbuild.components.metrics import METRICS
from netbuild.components.optimizers import OPTIMIZERS
from netbuild.components.parametrizations import PARAMETRIZATIONS
from netbuild.components.schedulers import SCHEDULERS
from netbuild.reports.schema import items, sections, stacks
from netbuild.reports.schema.values import WANTS

if TYPE_CHECKING:
    from netbuild.reports.schema.values import Schema

__all__ = ["language", "written"]

#: The largest length of a definition's name.
LONGEST = 32

_CATALOGUES = (
    LAYERS,
    LOSSES,
    METRICS,
    OPTIMIZERS,
    SCHEDULERS,
    INITIALIZERS,
    PARAMETRIZATIONS,
    DATASETS,
    AUGMENTATIONS,
)


def language() -> Schema:
    """Return the JSON Schema of a file, in draft 2020-12."""
    definitions = {
        **{name: s for known in _CATALOGUES for name, s in items.definitions(known).items()},
        **stacks.shared(),
        **{name: s for kind in stacks.KINDS for name, s in stacks.stacks(kind).items()},
        **sections.definitions(),
    }
    values: dict[str, Schema] = {}
    found = _shared({**sections.root(), "$defs": definitions}, values)
    found["$defs"] |= values
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "netbuild",
        "description": "A neural network and its training.",
        **found,
    }


def written(schema: Schema) -> str:
    """Return a schema as text, with one line for each definition."""
    rest = {name: value for name, value in schema.items() if name != "$defs"}
    return f'{{\n{_lines(rest)},\n"$defs":{{\n{_lines(schema["$defs"])}\n}}\n}}\n'


def _lines(entries: Schema) -> str:
    return ",\n".join(f"{_json(name)}: {_json(value)}" for name, value in entries.items())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _shared(schema: Any, values: dict[str, Schema]) -> Any:
    """Return a schema that refers to the schemas of values, which are moved to `values`."""
    if isinstance(schema, list):
        return [_shared(part, values) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if str(schema.get("errorMessage")).startswith(WANTS):
        return items.reference(_defined(schema, values))
    return {name: _shared(part, values) for name, part in schema.items()}


def _defined(schema: Schema, values: dict[str, Schema]) -> str:
    """Return the name of a value's definition: its phrase, with a number if the name is taken."""
    phrase = schema["errorMessage"].removeprefix(WANTS)
    phrase = re.sub(r"[^a-z0-9]+", "-", phrase)[:LONGEST].strip("-")
    for number in count(1):
        name = phrase if number == 1 else f"{phrase}-{number}"
        if values.setdefault(name, schema) == schema:
            break
    return name
