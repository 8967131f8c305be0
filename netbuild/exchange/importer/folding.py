"""From a network that was read to a config that a person would have written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netbuild.exchange.importer import writing
from netbuild.exchange.importer.wiring import nested

if TYPE_CHECKING:
    from netbuild.exchange.importer.network import Network


def config_text(network: Network) -> str:
    """Return the text of a config for a network. Each gap is a comment at its place."""
    return plain_text(network)


def plain_text(network: Network) -> str:
    """Return the config with each layer written out."""
    return writing.config(nested(network), network.inputs, _name(network.name))


def _name(name: str) -> str:
    """Return the name of the config for the name of a class."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_") or "network"
