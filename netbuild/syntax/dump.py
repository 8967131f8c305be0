"""Values to text: YAML that reads back as it was."""

from __future__ import annotations

from typing import Any

import yaml

from netbuild.syntax.scalar import resolve


def dump(value: Any) -> str:
    """Return plain values as YAML that `parse` reads back to the same values."""
    return yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None
    )


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.2 would read as something else."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        try:
            style = None if resolve(text) is text else '"'
        except ValueError:
            style = '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def ignore_aliases(self, _: Any) -> bool:
        """Write shared values out: an alias would only puzzle a reader."""
        return True


_Dumper.add_representer(str, _Dumper.represent_text)
