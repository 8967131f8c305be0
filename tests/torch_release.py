"""What the installed release of torch has; a test may pretend that another one is installed."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import pytest

from netbuild.checks import torch_release
from netbuild.components.layers import LAYERS
from netbuild.components.losses import LOSSES
from netbuild.components.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netbuild.components.component import Component

C = TypeVar("C", bound="Component")

#: Whether the installed torch is as new as the one that the tests describe. Older releases refuse
#: some of what it runs, run some of what it refuses, and keep other bytes for the backward pass.
IS_NEW = torch_release.has("2.13")
#: For tests of the bytes that torch keeps.
of_new_torch = pytest.mark.skipif(not IS_NEW, reason="older releases of torch keep other bytes")


def there(known: Mapping[str, type[C]]) -> list[str]:
    """Return the names of a catalogue's components that the installed torch has."""
    return [name for name, one in known.items() if not one.since or torch_release.has(one.since)]


def fields_there(component: type[Component]) -> list[str]:
    """Return the fields of a component that the installed torch has."""
    since = component.fields_since
    return [n for n in component.model_fields if n not in since or torch_release.has(since[n])]


def runs(layer: str, fields: Iterable[str]) -> bool:
    """Whether the installed torch has a layer, and these of its fields."""
    one = LAYERS[layer]
    since = [one.since, *(one.fields_since.get(name) for name in fields)]
    return all(release is None or torch_release.has(release) for release in since)


def needed(test: str) -> str | None:
    """Return the release that a test needs, by its parameters, if the installed torch is older."""
    return next((since for pattern, since in _lacking() if re.search(pattern, test)), None)


@cache
def _lacking() -> list[tuple[str, str]]:
    """Return a pattern for tests of each component and field that the installed torch lacks."""
    found = []
    for name, one in {**LAYERS, **LOSSES, **OPTIMIZERS}.items():
        found += [(rf"\b{name}(?![A-Za-z])", one.since)] if one.since else []
        found += [(rf"\b{name}\(.*{n}=", since) for n, since in one.fields_since.items()]
    lacks = torch_release.installed() is not None
    return [(pattern, since) for pattern, since in found if lacks and not torch_release.has(since)]


def pretend(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let netbuild believe in the release of a first line `# with torch 2.8.0`."""
    if found := re.match(r"# with torch (\S+)", text):
        monkeypatch.setattr(torch_release, "installed", lambda: found[1])
