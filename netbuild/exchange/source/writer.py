"""From a graph to one readable Python file with classes of torch. It needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.exceptions import ExportError
from netbuild.exchange.source.classes import Class
from netbuild.exchange.source.comments import Comments
from netbuild.exchange.source.constructors import Constructors, expression
from netbuild.exchange.source.ending import Ending
from netbuild.exchange.source.kinds import Kinds
from netbuild.exchange.source.layout import ApartError
from netbuild.exchange.source.needs import Needs
from netbuild.syntax.node import List, Map, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.exchange.source.kinds import Kind
    from netbuild.graph.graph import Graph
    from netbuild.syntax.node import Node


def python_source(graph: Graph, *, train: bool = False) -> str:
    """Return the source of the network of a graph without faults.

    The file has a class for each block and for each other stack that is not a chain. The last class
    is the network. The names in its `state_dict()` are the names in the config.

    Args:
        graph: the network.
        train: whether the file also trains the network as its config does.

    Raises:
        ExportError: Python source cannot hold a layer, or the training.
    """
    return Source(graph).text(train=train)


class Source:
    """Writes the file of a network."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.needs = Needs()
        self.needs.imports.add("from torch import nn")
        self.kinds = Kinds(graph, in_order=all(row.is_plain for row in graph.rows))
        self.comments = Comments(graph)
        self.makers = Constructors(self.needs, _hints(graph), graph.calls.blocks)
        self.ending = Ending(graph, self.needs, self.kinds.kind_of)

    @property
    def name(self) -> str:
        """The name of the class of the network."""
        return self.kinds.kind_of[""].name

    def text(self, *, train: bool) -> str:
        """Return the text of the file."""
        number = 0
        while number < len(self.kinds.kinds):
            kind = self.kinds.kinds[number]
            try:
                kind.lines = self.class_(kind)
            except ApartError:
                if len(kind.stacks) == 1:
                    raise ExportError(_refused(kind)) from None
                self.kinds.divide(kind)
                continue
            number += 1
        classes = ["\n".join(kind.lines) for kind in self.kinds.kinds]
        behind = []
        if train:
            from netbuild.exchange.source.training import training

            behind = training(self.graph, self.name, self.needs)
        self.needs.keep_used([*self.needs.own.values(), *classes, *behind])
        parts = ["\n".join(self.top()), *self.needs.own.values(), *classes, *behind]
        return "\n\n\n".join(part.strip("\n") for part in parts if part) + "\n"

    def class_(self, kind: Kind) -> list[str]:
        """Return the lines of a class."""
        writer = Class(kind, self.kinds, self.makers, self.comments, self.ending.initial)
        if not writer.is_root:
            return writer.write()
        return writer.write(self.ending.lines(), self.ending.methods())

    def top(self) -> list[str]:
        """Return the comment of the file, and its imports in the order that ruff wants."""
        comment = self.comments.top()
        groups: dict[int, list[str]] = {}
        for line in _merged(self.needs.imports):
            module = line.split()[1].partition(".")[0]
            groups.setdefault(_group(module), []).append(line)
        imports = ["\n".join(sorted(lines, key=_order)) for _, lines in sorted(groups.items())]
        return [*comment, *([""] if comment else []), "\n\n".join(imports)]


def _refused(kind: Kind) -> str:
    """Return the fault of a stack that no class can have."""
    stack = kind.stacks[0]
    span = stack.block.members[0].span
    where = f"{span.document.name}:{span.line}"
    return f"{where}: {stack.path or 'the network'} has no form as a class of Python"


def _group(module: str) -> int:
    """Return 0 for a module of Python itself, and 1 for any other one."""
    return int(module in {"torch", "numpy", "sklearn", "pandas", "mlxtend", "statsmodels"})


def _order(line: str) -> tuple[int, str]:
    return int(line.startswith("from")), line.split()[1]


def _merged(imports: set[str]) -> list[str]:
    """Return imports, with all names of a module in one line."""
    names: dict[str, set[str]] = {}
    found = []
    for line in imports:
        module, _, name = line.removeprefix("from ").partition(" import ")
        if line.startswith("from "):
            names.setdefault(module, set()).add(name)
        else:
            found.append(line)
    for module, some in names.items():
        kinds = sorted(some, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
        found.append(f"from {module} import {', '.join(kinds)}")
    return found


def _hints(graph: Graph) -> dict[Any, dict[str, str]]:
    """Return the expressions of `when` and `repeat` by the place of their item."""
    found: dict[Any, dict[str, str]] = {}
    nodes: list[Node] = [graph.config.root]
    blocks = (one for one in graph.config.blocks.values() if one is not None)
    nodes += [one.file.root for one in blocks if one.file is not None]
    for node in nodes:
        for inner in _maps(node):
            found_here = {name: _text(inner.get(name)) for name in ("when", "repeat")}
            texts = {name: text for name, text in found_here.items() if text}
            if not texts:
                continue
            layers = inner.get("layers")
            spans = [] if layers is None else [layers.span]
            spans += [entry.key.span for name, entry in inner.entries.items() if name[:1].isupper()]
            for span in spans:
                found[span.document.name, span.line, span.column] = texts
    return found


def _text(node: Node | None) -> str:
    """Return the expression of a modifier; an empty text for any other value."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return ""
    return next(iter(expression(node.value)), "")


def _maps(node: Node) -> Iterator[Map]:
    if isinstance(node, Map):
        yield node
        for entry in node.entries.values():
            yield from _maps(entry.value)
    elif isinstance(node, List):
        for one in node.items:
            yield from _maps(one)
