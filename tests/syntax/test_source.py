"""Text to values: the core schema of YAML 1.2, and a span for everything."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netbuild.diagnostics.diagnostic import Document
from netbuild.syntax.dump import dump
from netbuild.syntax.node import List, Map, Node, Scalar, plain
from netbuild.syntax.parser import parse
from netbuild.syntax.scalar import resolve
from tests.examples import examples

SCALARS: list[tuple[str, Any]] = [
    ("null", None),
    ("~", None),
    ("Null", None),
    ("nULL", "nULL"),
    ("true", True),
    ("FALSE", False),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("0", 0),
    ("-0", 0),
    ("12", 12),
    ("+12", 12),
    ("0o17", 15),
    ("0x1F", 31),
    ("0b11", "0b11"),
    ("1_000", "1_000"),
    ("1:30", "1:30"),
    ("1e-3", 0.001),
    ("1E3", 1000.0),
    ("1.", 1.0),
    (".5", 0.5),
    ("-.5e1", -5.0),
    ("0.1", 0.1),
    (".inf", math.inf),
    ("-.Inf", -math.inf),
    ("inf", "inf"),
    ("1.2.3", "1.2.3"),
    ("-", "-"),
    ("9223372036854775807", (1 << 63) - 1),
    ("2026-01-31", "2026-01-31"),
    ("=", "="),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars(text: str, value: Any) -> None:
    """A plain scalar means what the core schema of YAML 1.2 says, not what YAML 1.1 says."""
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("010", "YAML 1.1 reads a leading zero as base 8, YAML 1.2 as base 10: write 10"),
        ("-007", "YAML 1.1 reads a leading zero as base 8, YAML 1.2 as base 10: write -7"),
        ("9223372036854775808", "the number needs more than 64 bits"),
        (".nan", "no field takes .nan, which is not a number"),
    ],
)
def test_refused_scalars(text: str, message: str) -> None:
    """A number that YAML versions read differently, or that nothing can hold, is refused."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        resolve(text)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")))
    | st.sampled_from([text for text, _ in SCALARS]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.from_regex(r"[A-Za-z]\w{0,8}", fullmatch=True), inner, max_size=4)
    ),
    max_leaves=12,
)


@examples(300)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), VALUES, min_size=1))
def test_dump_reads_back(value: dict[str, Any]) -> None:
    """What `dump` writes, `parse` reads as the same values."""
    source = parse(Document("dumped", dump(value)))
    assert not source.diagnostics
    assert source.root is not None
    assert plain(source.root) == value


@examples(500)
@given(st.text(st.characters(codec="utf-8")) | st.text("abC:-{}[],'\"#&*!|>%@ \n\t$", max_size=60))
def test_any_text_gives_a_tree_or_a_fault(text: str) -> None:
    """No text raises; without a tree there is a fault, and its place exists."""
    source = parse(Document("any", text))
    assert source.root is not None or source.diagnostics
    for diagnostic in source.diagnostics:
        lines = diagnostic.span.document.lines
        assert 1 <= diagnostic.span.line <= len(lines)
        assert 1 <= diagnostic.span.column <= len(lines[diagnostic.span.line - 1]) + 1


def spanned(node: Node) -> list[tuple[Any, tuple[int, ...]]]:
    """Return every node of a tree with its span, outermost first."""
    here = [(plain(node), tuple(node.span[1:]))]
    if isinstance(node, Map):
        for key, value in node.entries.values():
            here += [(key.text, tuple(key.span[1:])), *spanned(value)]
    elif isinstance(node, List):
        for item in node.items:
            here += spanned(item)
    return here


def test_spans() -> None:
    """A span is where a value was written, from its first character to behind its last."""
    text = "a: 1\nb:\n  - {c: 'x y', é: [2, 3]}\n  - d\n"
    root = parse(Document("spans", text)).root
    assert root is not None
    assert spanned(root)[1:] == [
        ("a", (1, 1, 1, 2)),
        (1, (1, 4, 1, 5)),
        ("b", (2, 1, 2, 2)),
        ([{"c": "x y", "é": [2, 3]}, "d"], (3, 3, 4, 6)),
        ({"c": "x y", "é": [2, 3]}, (3, 5, 3, 26)),
        ("c", (3, 6, 3, 7)),
        ("x y", (3, 9, 3, 14)),
        ("é", (3, 16, 3, 17)),
        ([2, 3], (3, 19, 3, 25)),
        (2, (3, 20, 3, 21)),
        (3, (3, 23, 3, 24)),
        ("d", (4, 5, 4, 6)),
    ]


def test_aliases_stand_for_their_anchors() -> None:
    """An alias is the value of its anchor."""
    root = parse(Document("aliases", "a: &x {k: [1, 2]}\nb: *x\n")).root
    assert root is not None
    assert plain(root) == {"a": {"k": [1, 2]}, "b": {"k": [1, 2]}}


@pytest.mark.parametrize("text", ["a: 1\r\nb: 010\r\n", "\ufeffa: 1\nb: 010\n", "a: 1\rb: 010\r"])
def test_line_breaks(text: str) -> None:
    """Lines count the same whatever ends them, and a byte-order mark is no character."""
    document = Document("breaks", text.removeprefix("\ufeff"))
    (fault,) = parse(document).diagnostics
    assert (fault.span.line, fault.span.column) == (2, 4)


def test_quoted_numbers_are_text() -> None:
    """Quotes make a text of whatever they hold."""
    root = parse(Document("quotes", "['1', \"true\", '~']")).root
    assert isinstance(root, List)
    assert [item.value for item in root.items if isinstance(item, Scalar)] == ["1", "true", "~"]
