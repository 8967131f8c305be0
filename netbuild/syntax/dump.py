"""Values written as YAML that `parse` reads back unchanged."""

from __future__ import annotations

import sys
from typing import Any

import yaml

from netbuild.syntax.scalar import resolve


def dump(value: Any) -> str:
    """Return plain values as YAML that `parse` reads back to the same values."""
    return yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None
    )


def dump_line(value: Any) -> str:
    """Return plain values as YAML in one line."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=True,
        width=sys.maxsize,
    )
    return text.removesuffix("...\n").strip()  # YAML ends a document of one scalar so


class _Dumper(yaml.SafeDumper):
    """Puts a text in quotes if YAML 1.2 would read it as a number, a boolean or null."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        try:
            style = None if resolve(text) is text else '"'
        except ValueError:
            style = '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def ignore_aliases(self, _: Any) -> bool:
        """Write a shared value out in each place, instead of an anchor and aliases."""
        return True


_Dumper.add_representer(str, _Dumper.represent_text)
