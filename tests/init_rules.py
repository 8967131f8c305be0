"""Helpers for rules of `init:` and the rows to which they apply."""

from types import SimpleNamespace
from typing import Any

from netbuild.components.layers import LAYERS
from netbuild.config.init import Init, read_init, read_rules
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.graph.row import Calls
from netbuild.syntax.dump import dump
from netbuild.syntax.node import Node
from netbuild.syntax.parser import from_bytes


def node(value: Any) -> Node:
    """Return a value in YAML."""
    root = from_bytes("test.yaml", dump({"init": value}).encode()).root
    found = root.get("init")  # type: ignore[union-attr]
    assert found is not None
    return found


def row(path: str, type_: str, init: Init | None = None, **weights: tuple[int, ...]) -> Any:
    """Return the initializers of a row of a graph."""
    return SimpleNamespace(path=path, type=type_, weights=weights, init=init, reuses=None)


def read_one(value: Any) -> tuple[Init | None, list[Diagnostic]]:
    """Read the `init` of a layer."""
    init, faults = read_init(node(value))
    return init, list(faults)


def graph(rows: list[Any], rules: Any = ()) -> Any:
    """Return the initializers of a graph."""
    config = SimpleNamespace(init=tuple(rules))
    return SimpleNamespace(rows=rows, config=config, calls=Calls())


def rules_of(*written: Any) -> tuple[Any, list[Diagnostic]]:
    """Read rules, with their faults."""
    rules, faults = read_rules(node(list(written)), LAYERS)
    return rules, list(faults)
