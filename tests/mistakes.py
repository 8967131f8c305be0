"""Mistakes in a file: wrong values, and misplaced lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = sorted(
    path.relative_to(ROOT)
    for folder in ("configs", "tests/faults")
    for path in (ROOT / folder).rglob("*.yaml")
)

MOST_CHANGES = 6

#: What stands where another value should: other types, other sizes, expressions, whole items.
VALUES = [
    *("null", "~", "true", "false", "no", "''", '"a b"', "input", "a.b", "-", "?", "..."),
    *(
        "0",
        "-1",
        "1",
        "3.0",
        "0.5",
        "-0.0",
        "1e400",
        ".nan",
        ".inf",
        "1e-3",
        "010",
        "0x10",
        "1_000",
    ),
    *("2147483647", "2147483648", "99999999999999999999", "9" * 400, "65536", "100000000", "1_0"),
    *("[]", "{}", "[1]", "[1, 2]", "[[1], 2]", "{a: 1}", "{1: 2}", "[[[[[]]]]]", "[1, 1, 1, 1]"),
    *("$x", "$", "$$", "$(", "$()", "$(1)", "$(1/0)", "$(9**9**9)", "$(1e308*10)", "$index"),
    *("$in_channels", "$(in_shape)", "$(in_shape[9])", "$(in_features//0)", "$('a'*3)", "$(-1)"),
    *("$(1 if a else b)", "$(len(1))", "$(min())", "$(a.b)", "$([1])", "$(not 1)", "$(1<'a')"),
    *("&a 1", "*a", "&a [*a]", "!!int 3", "!a b", "<<: 1", "<<", "@a", "`", "|", ">", "%a", "# a"),
    *("ReLU", "Linear", "{Linear: 3}", "{Add, inputs: [input, input]}", "{Reuse: input}", "Zebra"),
    *("{layers: []}", "{layers: [ReLU], repeat: 0}", "{ReLU, repeat: 99999}", "{ReLU, when: no}"),
    *(
        "{Parameter: {shape: [1]}}",
        "{LSTM: 4}",
        "{Flatten: 0}",
        "{Reshape: [-1]}",
        "{ReLU: {}, Tanh}",
    ),
    *("\u2028", "\u00e9", "\U0001f600", "\\ud800", '"\\ud83d"', '"\\0"', '"\\n"', "a" * 200),
]

BYTES = st.binary(min_size=1, max_size=6) | st.sampled_from(
    [
        *(b"\t", b"\r", b"\n", b"\r\n", b"\0", b"\x7f", b"\xff", b"\xc2\x85", b"\xe2\x80\xa8"),
        *(b"\xef\xbb\xbf", b"\xed\xa0\x80", b": ", b":", b"- ", b"{", b"}", b"[", b"]", b"'", b'"'),
        *(b"#", b"&a ", b"*a", b"---\n", b"\n...\n", b"$(", b")", b"  ", b",", b"? ", b"!", b"|\n"),
    ]
)

_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")

#: A value on a line: a small collection, an expression, a quoted text, or a word.
_VALUE = re.compile(
    r"""\{[^{}\n]*\}|\[[^][\n]*\]|\$\([^()\n]*\)|"[^"\n]*"|'[^'\n]*'|[^\s{}[\],:#"']+"""
)

_KEY = re.compile(r"""[\w$"'.*-]+:[ ]?""")
_TYPE = re.compile(r"\b[A-Z]\w+")


def mutated(draw: Callable[[st.SearchStrategy[Any]], Any]) -> tuple[str, bytes]:
    """Draw a file and some changes. Return the name of the file and the changed text."""
    path = draw(st.sampled_from(FILES))
    data = (ROOT / path).read_bytes()
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        data = draw(st.sampled_from(CHANGES))(draw, data)
    return str(path), data


def _lines(data: bytes) -> list[str]:
    return _LINE.findall(data.decode("utf-8", "surrogateescape")) or [""]


def as_bytes(text: str) -> bytes:
    """Return the bytes of a text. Bytes that were not UTF-8 are restored."""
    return text.encode("utf-8", "surrogateescape")


def _block(draw: Any, lines: list[str]) -> tuple[int, int]:
    """Draw a line, or a line and those that are indented deeper."""
    first = draw(st.integers(0, len(lines) - 1))
    end = first + 1
    if draw(st.booleans()):
        depth = _depth(lines[first])
        while end < len(lines) and _depth(lines[end]) > depth:
            end += 1
    return first, end


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _cut(draw: Any, data: bytes) -> bytes:
    lines = _lines(data)
    first, end = _block(draw, lines)
    del lines[first:end]
    return as_bytes("".join(lines))


def _repeated(draw: Any, data: bytes) -> bytes:
    lines = _lines(data)
    first, end = _block(draw, lines)
    at = draw(st.sampled_from([first, end]))
    lines[at:at] = lines[first:end] * draw(st.sampled_from([1, 1, 2, 50]))
    return as_bytes("".join(lines))


def _moved(draw: Any, data: bytes) -> bytes:
    lines = _lines(data)
    first, end = _block(draw, lines)
    block = lines[first:end]
    del lines[first:end]
    at = draw(st.integers(0, len(lines)))
    if draw(st.booleans()) and at < len(lines):  # as deep as what it comes before
        shift = _depth(lines[at]) - _depth(block[0])
        block = [_indented(line, shift) for line in block]
    return as_bytes("".join([*lines[:at], *block, *lines[at:]]))


def _reindented(draw: Any, data: bytes) -> bytes:
    lines = _lines(data)
    first, end = _block(draw, lines)
    shift = draw(st.sampled_from([-4, -2, -1, 1, 2, 4]))
    lines[first:end] = [_indented(line, shift) for line in lines[first:end]]
    return as_bytes("".join(lines))


def _indented(line: str, shift: int) -> str:
    return " " * shift + line if shift > 0 else line[min(-shift, _depth(line)) :]


def _truncated(draw: Any, data: bytes) -> bytes:
    return data[: draw(st.integers(0, len(data)))]


def _put_in(draw: Any, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    over = draw(st.sampled_from([0, 0, 1, 3]))
    return data[:at] + draw(BYTES) + data[at + over :]


def _part(draw: Any, pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = list(pattern.finditer(text))
    return draw(st.sampled_from(found)) if found else None


def as_text(data: bytes) -> str:
    """Return the text of any bytes."""
    return data.decode("utf-8", "surrogateescape")


def _replaced(draw: Any, data: bytes) -> bytes:
    text = as_text(data)
    part = _part(draw, _VALUE, text)
    if part is None:
        return data
    value = draw(st.sampled_from(VALUES))
    return as_bytes(text[: part.start()] + value + text[part.end() :])


def _swapped(draw: Any, data: bytes) -> bytes:
    text = as_text(data)
    parts = [_part(draw, _VALUE, text), _part(draw, _VALUE, text)]
    if None in parts:
        return data
    one, other = sorted(parts, key=lambda part: part.start() if part else 0)
    assert one is not None
    assert other is not None
    if one.end() > other.start():
        return data
    between = text[one.end() : other.start()]
    return as_bytes(text[: one.start()] + other[0] + between + one[0] + text[other.end() :])


def _copied(draw: Any, data: bytes) -> bytes:
    """Replace a value by one of any file."""
    other = as_text((ROOT / draw(st.sampled_from(FILES))).read_bytes())
    text = as_text(data)
    part, value = _part(draw, _VALUE, text), _part(draw, _VALUE, other)
    if part is None or value is None:
        return data
    return as_bytes(text[: part.start()] + value[0] + text[part.end() :])


def _without_key(draw: Any, data: bytes) -> bytes:
    text = as_text(data)
    part = _part(draw, _KEY, text)
    return data if part is None else as_bytes(text[: part.start()] + text[part.end() :])


def _renamed(draw: Any, data: bytes) -> bytes:
    """Rename a type, such as a block, at one place or everywhere."""
    text = as_text(data)
    part, other = _part(draw, _TYPE, text), _part(draw, _TYPE, text)
    if part is None or other is None:
        return data
    name = draw(st.sampled_from([other[0], part[0] + "2", part[0].lower(), part[0][:-1] or "A"]))
    if draw(st.booleans()):
        return as_bytes(text.replace(part[0], name))
    return as_bytes(text[: part.start()] + name + text[part.end() :])


CHANGES = (
    *(_cut, _repeated, _moved, _reindented, _truncated, _put_in, _without_key, _renamed),
    *(_replaced, _replaced, _swapped, _swapped, _copied, _copied),
)
