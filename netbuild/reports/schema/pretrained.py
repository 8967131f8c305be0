"""The JSON Schema of `pretrained`, as a section and beside a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.config.pretrained import Pretrained
from netbuild.reports.schema.items import arguments

if TYPE_CHECKING:
    from netbuild.reports.schema.values import Schema


def files() -> Schema:
    """Return the schema of a file of weights or a list. The names of modules may be numbers."""
    one = arguments(Pretrained)
    names = {"type": ["array", "string"], "items": {"type": ["string", "number"]}}
    one["properties"]["leave_out"] |= {"anyOf": [names]}
    return one | {"type": [*one["type"], "array"], "items": one}
