"""From a network that was read to a config that a person would have written.

Stacks of one class become a block, with parameters for the values in which they differ. Equal
members in a row become a repetition. The folded config has to give the same graph as the config in
which each layer is written out, which is written otherwise.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from netbuild.exchange.importer.folding import writing
from netbuild.exchange.importer.folding.blocks import folded
from netbuild.exchange.importer.folding.growing import with_one_input
from netbuild.exchange.importer.folding.joining import with_results_first
from netbuild.exchange.importer.folding.shapes import with_shapes
from netbuild.exchange.importer.folding.variables import with_width
from netbuild.exchange.importer.folding.wiring import nested

if TYPE_CHECKING:
    from netbuild.exchange.importer.network import Network
    from netbuild.graph.graph import Graph


class Written(NamedTuple):
    """The text of a config, and its gaps: what a config cannot hold, or not under its name.

    `fault` is a sentence about the first fault that the gaps leave in the text; None if it has
    none.
    """

    text: str
    gaps: tuple[str, ...]
    fault: str | None = None


#: The lines that an other order of additions has to save.
_WORTH = 3


def config_text(network: Network) -> str:
    """Return the text of a config for a network. Each gap is a comment at its place."""
    return config_of(network).text


def config_of(network: Network) -> Written:
    """Return the config for a network, with its gaps."""
    network = with_one_input(network)
    text = _folded(network)
    turned = with_results_first(network)
    if turned != network:  # a sum that some blocks lack stands for its first input there
        other = _folded(turned)
        if other.count("\n") <= text.count("\n") - _WORTH:
            text = other
    gaps = re.findall(r"^ *# gap: (.*(?:\n *#   .*)*)", text, re.MULTILINE)
    fault = _fault(text) if gaps else None
    if fault:
        text = "".join(f"# {line}\n" for line in writing.wrapped(fault)) + text
    return Written(text, tuple(re.sub(r"\n *#  ", "", gap) for gap in gaps), fault)


def _fault(text: str) -> str | None:
    """Return a sentence about the first fault of a config; None if it is valid."""
    from netbuild.diagnostics.diagnostic import errors

    faults = errors(graph_of(text).diagnostics)
    if not faults:
        return None
    more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
    return f"with its gaps the config has a fault: {faults[0].code} {faults[0].message}{more}"


def _folded(network: Network) -> str:
    tree, name = nested(network), _name(network.name)
    plain = writing.config(tree, network, name)
    graph = graph_of(plain)
    root, blocks = folded(with_shapes(tree, network, graph))
    root, blocks, variables = with_width(root, blocks)
    text = writing.config(root, network, name, blocks, variables)
    return text if _agree(graph, graph_of(text)) else plain


def plain_text(network: Network) -> str:
    """Return the config with each layer written out."""
    return writing.config(nested(with_one_input(network)), network, _name(network.name))


def _name(name: str) -> str:
    """Return the name of the config for the name of a class."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_") or "network"


def graph_of(text: str) -> Graph:
    """Return the graph of the text of a config."""
    from netbuild.checks.trace import infer
    from netbuild.config.load import read
    from netbuild.syntax.parser import from_bytes

    return infer(read(from_bytes("network.yaml", text.encode())))


def _agree(a: Graph, b: Graph) -> bool:
    """Whether two configs give the same layers with the same wires, and the same faults."""
    from netbuild.diagnostics.diagnostic import errors
    from netbuild.graph.graph import results
    from netbuild.reports.difference.alignment import file_arguments

    def row_of(graph: Graph) -> list[object]:
        return [
            (r.path, r.type, file_arguments(r), r.sources, r.reuses, r.frozen, r.tensors, r.outputs)
            for r in graph.rows
        ]

    def codes(graph: Graph) -> list[str]:
        return sorted(fault.code for fault in errors(graph.diagnostics))

    if codes(a) != codes(b) or row_of(a) != row_of(b) or dict(a.outputs) != dict(b.outputs):
        return False
    return a.block is None or b.block is None or results(a) == results(b)
