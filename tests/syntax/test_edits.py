"""Edits of an item, and of a stack, as texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from netbuild.diagnostics.diagnostic import Document
from netbuild.syntax.edits import set_fields
from netbuild.syntax.insertion import put_before, put_behind
from netbuild.syntax.item import Item, read_item
from netbuild.syntax.node import List, Map, Node, Scalar, plain
from netbuild.syntax.overlay import apply_setting, merge
from netbuild.syntax.parser import parse
from netbuild.syntax.repair import edited

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netbuild.diagnostics.diagnostic import Edit


def root_of(text: str, name: str = "net.yaml") -> Map:
    """Return the tree of a text."""
    root = parse(Document(name, text)).root
    assert isinstance(root, Map)
    return root


def items(node: Node) -> Iterator[Item]:
    """Yield the items of a tree, in their order."""
    if isinstance(node, (Scalar, Map)):
        item = read_item(node, "layer")
        if isinstance(item, Item):
            yield item
    children: Sequence[Node] = node.items if isinstance(node, List) else ()
    if isinstance(node, Map):
        children = [entry.value for entry in node.entries.values()]
    for child in children:
        yield from items(child)


def item_of(root: Map, type_: str) -> Item:
    """Return the first item of a type."""
    return next(item for item in items(root) if item.type.text == type_)


def after(root: Map, edits: tuple[Edit, ...] | None) -> str | None:
    """Return the text behind edits; None for no edits. It is YAML again."""
    if edits is None:
        return None
    text = edited(root.span.document, edits).decode()
    assert parse(Document("net.yaml", text)).root is not None, text
    return text


@pytest.mark.parametrize(
    ("text", "values", "wanted"),
    [
        ("a: Conv", {"k": 3, "n": 1}, "a: {Conv: {k: 3, n: 1}}"),
        ("a: {Conv: 8}", {"k": 3}, "a: {Conv: {w: 8, k: 3}}"),
        ("a: {Conv: $n}", {"k": 3, "s": 2}, "a: {Conv: {w: $n, k: 3, s: 2}}"),
        ("a:\n  Conv: $(max(n, 1))", {"k": 3}, "a:\n  Conv: {w: '$(max(n, 1))', k: 3}"),
        ("a: {Conv: '$n'}", {"k": 3}, "a: {Conv: {w: '$n', k: 3}}"),
        ("a: {Conv: [1, 2]}", {"k": True}, "a: {Conv: {w: [1, 2], k: true}}"),
        ("a: {Conv: 8}", {"w": 9, "k": 3}, "a: {Conv: {w: 9, k: 3}}"),
        ("a: {Conv: $n}", {"w": 9, "k": 3}, None),
        ("a: {Conv: $n}", {"w": 9}, "a: {Conv: 9}"),
        ("a: {Conv: 2$n}", {"w": 9}, None),
        ("a:\n  Conv:\n    - 1", {"k": 3}, None),
        ("a: {Conv: &x {w: 8}}", {"k": 3, "w": 9}, "a: {Conv: &x {w: 9, k: 3}}"),
        (
            "a:\n  Conv:\n    w: 8  # a\n",
            {"k": 3, "s": 1},
            "a:\n  Conv:\n    w: 8  # a\n    k: 3\n    s: 1\n",
        ),
        (
            "a:\n  Conv: &x\n    w: 8\nb: 1\n",
            {"k": 3},
            "a:\n  Conv: &x\n    w: 8\n    k: 3\nb: 1\n",
        ),
    ],
)
def test_fields(text: str, values: dict[str, Any], wanted: str | None) -> None:
    """Fields are changed, or added in the manner of the item; an expression keeps its text."""
    root = root_of(text)
    assert after(root, set_fields(item_of(root, "Conv"), "w", values)) == wanted


def test_fields_of_a_base_and_of_a_setting() -> None:
    """What is added to an item goes into its own file, with the indent of its own fields."""
    under = root_of("layers:\n      a:\n            Conv:\n                  w: 8\n", "base.yaml")
    over = root_of("layers:\n  a:\n    Conv:\n      k: 3\n")
    item = item_of(merge(under, over), "Conv")
    text = "layers:\n  a:\n    Conv:\n      k: 3\n      s: 2\n"
    assert after(over, set_fields(item, "w", {"s": 2})) == text
    root, _ = apply_setting(root_of("layers: [Conv]"), "layers.0.Conv.k=3", ["layers"])
    assert set_fields(item_of(root, "Conv"), "w", {"s": 2}) is None


PERMUTE = "Permute: [0, 2, 1]"


@pytest.mark.parametrize(
    ("text", "layer", "wanted"),
    [
        ("layers:\n  - A\n  - Fc: 3\n", "Flatten", "layers:\n  - A\n  - Flatten\n  - Fc: 3\n"),
        ("layers: [A, Fc: 3]", "Flatten", "layers: [A, Flatten, Fc: 3]"),
        ("layers: [A, {Fc: 3}]", PERMUTE, f"layers: [A, {PERMUTE}, {{Fc: 3}}]"),
        ("layers:\n  a: A\n  c: Fc", "Flatten", "layers:\n  a: A\n  flatten: Flatten\n  c: Fc"),
        (
            "layers:\n  a: A\n  c: {Fc: 3}",
            PERMUTE,
            f"layers:\n  a: A\n  permute: {{{PERMUTE}}}\n  c: {{Fc: 3}}",
        ),
        (
            "layers: {a: A, flatten: B, c: {Fc: 3}}",
            "Flatten",
            "layers: {a: A, flatten: B, flatten2: Flatten, c: {Fc: 3}}",
        ),
        (
            "layers:\n  a: A\n  b: B\n  c: {Fc: 3, inputs: a}\n",
            "Flatten",
            (
                "layers:\n  a: A\n  b: B\n  flatten_c: {Flatten, inputs: a}\n"
                "  c: {Fc: 3, inputs: flatten_c}\n"
            ),
        ),
        (
            "layers:\n  - {A, name: a}\n  - {Fc: 3, inputs: [a]}\n",
            PERMUTE,
            (
                f"layers:\n  - {{A, name: a}}\n  - {{{PERMUTE}, inputs: a, name: permute_1}}\n"
                "  - {Fc: 3, inputs: permute_1}\n"
            ),
        ),
        ("layers:\n  - A\n  - Fc: 3\n  - {Add, inputs: [0, 1]}\n", "Flatten", None),
        (
            "layers:\n  - A\n  - Fc: 3\n  - {Add, inputs: [a, 0]}",
            "Flatten",
            "layers:\n  - A\n  - Flatten\n  - Fc: 3\n  - {Add, inputs: [a, 0]}",
        ),
        ("vars:\n  last: {Fc: 3}\nlayers: [A, $last]", "Flatten", None),
        ("layers:\n  - {Fc: 3, inputs: [a, b]}", "Flatten", None),
        (
            "blocks:\n  B:\n    layers:\n      - layers:\n          x: A\n          y: Fc\n",
            "Flatten",
            (
                "blocks:\n  B:\n    layers:\n      - layers:\n          x: A\n"
                "          flatten: Flatten\n          y: Fc\n"
            ),
        ),
    ],
)
def test_before(text: str, layer: str, wanted: str | None) -> None:
    """A layer is put before another, with a free name, and reads what that one has read."""
    root = root_of(text)
    assert after(root, put_before(root, item_of(root, "Fc"), layer)) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "layers:\n  - A\n  - Fc: 3  # last\n",
            f"layers:\n  - A\n  - Fc: 3  # last\n  - {PERMUTE}\n",
        ),
        ("layers: [A, {Fc: 3}]", f"layers: [A, {{Fc: 3}}, {{{PERMUTE}}}]"),
        (
            "layers:\n  permute: A\n  c: {Fc: 3}\n",
            f"layers:\n  permute: A\n  c: {{Fc: 3}}\n  permute2: {{{PERMUTE}}}\n",
        ),
        ("vars: {last: {Fc: 3}}\nlayers: [A, $last]", None),
        ("layers:\n  - {Fc: 3, name: c}\n", None),
    ],
)
def test_behind(text: str, wanted: str | None) -> None:
    """A layer is put behind another, if that one is written in the stack."""
    root = root_of(text)
    assert after(root, put_behind(root, item_of(root, "Fc"), PERMUTE)) == wanted
    assert wanted is None or plain(root_of(wanted))
