"""From YAML 1.2 to plain values, with PyYAML.

`docs/language.md`, YAML: words mean what the core schema says. PyYAML reads YAML 1.1, so the rules
for plain words are replaced.
"""

from __future__ import annotations

import re
from typing import Any

import yaml


class Written(float):
    """A number with a point, which also knows how it is written: `0.10` may be a port."""

    text: str


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  PyYAML's own attribute


_WORDS = [
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf",
        list("-+0123456789."),
    ),
]
for _tag, _pattern, _first in _WORDS:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first
    )


def _number(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = loader.construct_scalar(node)
    number = Written(text.replace(".inf", "inf"))
    number.text = text
    return number


_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor(
    "tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node), 0)
)


def parse(text: str) -> Any:
    """Return the values of a text."""
    return yaml.load(text, _Loader)  # noqa: S506  it derives from the safe one


def written(value: Any) -> str:
    """Return a name in `inputs`, where `0` and `0.1` may stand without quotes."""
    return value.text if isinstance(value, Written) else str(value)
