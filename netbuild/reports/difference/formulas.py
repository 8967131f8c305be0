"""Formulas without the names of their inputs.

`a + 2 * b` of two values is the formula `x + 2 * y` of the same two: the letters stand only in it.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from netbuild.components.layers.arithmetic import Formula

if TYPE_CHECKING:
    from netbuild.graph.row import Row
    from netbuild.graph.value import Value


class _Numbered(ast.NodeTransformer):
    """Gives the inputs of a formula numbers, in the order in which they first appear."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.order: list[str] = []

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if node.id not in self.names:
            return node
        if node.id not in self.order:
            self.order.append(node.id)
        return ast.Name(f"_{self.order.index(node.id)}")


def nameless(row: Row) -> tuple[str, tuple[Value, ...]]:
    """Return the formula of a layer with numbers for its inputs, and their values in this order.

    Any other layer has an empty formula, and the values as they are.
    """
    layer = row.layer
    if not isinstance(layer, Formula):
        return "", row.sources
    numbered = _Numbered(layer.inputs)
    text = ast.unparse(numbered.visit(ast.parse(layer.formula.strip(), mode="eval")))
    order = [*numbered.order, *(name for name in layer.inputs if name not in numbered.order)]
    return text, tuple(row.sources[layer.inputs.index(name)] for name in order)
