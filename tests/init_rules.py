"""Rules of `init:`, and the rows that they are for."""

from types import SimpleNamespace
from typing import Any

from netbuild.components.layers import LAYERS
from netbuild.config.init import Init, read_init, read_rules
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.syntax.dump import dump
from netbuild.syntax.node import Node
from netbuild.syntax.parser import from_bytes


def node(value: Any) -> Node:
    """Return a value as it stands in a file."""
    root = from_bytes("test.yaml", dump({"init": value}).encode()).root
    found = root.get("init")  # type: ignore[union-attr]
    assert found is not None
    return found


def row(path: str, type_: str, init: Init | None = None, **weights: tuple[int, ...]) -> Any:
    """Return what a row of a graph has for an initializer."""
    return SimpleNamespace(path=path, type=type_, weights=weights, init=init)


def read_one(value: Any) -> tuple[Init | None, list[Diagnostic]]:
    """Read what stands beside a layer."""
    init, faults = read_init(node(value))
    return init, list(faults)


def graph(rows: list[Any], rules: Any = ()) -> Any:
    """Return what a graph has for its initializers."""
    return SimpleNamespace(rows=rows, config=SimpleNamespace(init=tuple(rules)))


def rules_of(*written: Any) -> tuple[Any, list[Diagnostic]]:
    """Read rules, with their faults."""
    rules, faults = read_rules(node(list(written)), LAYERS)
    return rules, list(faults)
