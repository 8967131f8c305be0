"""What the installed release of torch has; a test may pretend that another one is installed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from netbuild.checks import torch_release

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from netbuild.components.component import Component

C = TypeVar("C", bound="Component")


def there(known: Mapping[str, type[C]]) -> list[str]:
    """Return the names of a catalogue's components that the installed torch has."""
    return [name for name, one in known.items() if not one.since or torch_release.has(one.since)]


def fields_there(component: type[Component]) -> list[str]:
    """Return the fields of a component that the installed torch has."""
    since = component.fields_since
    return [n for n in component.model_fields if n not in since or torch_release.has(since[n])]


def pretend(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let netbuild believe in the release of a first line `# with torch 2.8.0`."""
    if found := re.match(r"# with torch (\S+)", text):
        monkeypatch.setattr(torch_release, "installed", lambda: found[1])
