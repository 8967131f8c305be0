"""Configs of a stranger: bytes flipped, tokens spliced, and values that hang, fill or lead away."""

from __future__ import annotations

import os
import re
import struct
import zlib
from typing import TYPE_CHECKING

from tests import ROOT
from tests.mistakes import FILES, VALUES
from tests.test_hostile import HOSTILE

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

MOST_CHANGES = 8
#: The most bytes of a text; netbuild reads as many.
MOST_BYTES = 1 << 20

_CONTROLS = [*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), "\u2028", "\u202e", "\u2066"]
_CONTROLS += ["\ufeff", "\ufffe", "\U0010ffff", "\x1b[31m", "\x1b]0;x\x07", '"\\e[2J"', '"\\0"']

_NUMBERS = [
    *("9" * 5000, "-" + "9" * 300, "1e999999999", "1" * 99_999, "0x" + "f" * 5000, "0o" + "7" * 40),
    *("9223372036854775807", "9223372036854775808", "-2147483649", "4294967296", "1e308", "1e-320"),
    *("99999999.99999999", "0." + "3" * 9000, "1_" * 400 + "1", "2147483647", "16777217", "65537"),
]

_WORDS = [
    *("1", "0", "2", "-", "+", "*", "**", "/", "//", "%", "(", ")", "[", "]", ",", ".", ":", ":="),
    *(
        " if ",
        " else ",
        " and ",
        " or ",
        " not ",
        " in ",
        " is ",
        " for ",
        "lambda x",
        "await ",
        "=",
    ),
    *("in_shape", "in_channels", "index", "width", "min", "max", "len", "round", "abs", "'a'", '"'),
    *("1if", "0x", "1e", "1e999", "1_0", "9" * 40, "~", "@", "<<", "==", "<", "!=", "None", "true"),
    *("\\", "#", "`", "'", "f'{1}'", "__import__('os')", "().__class__", "\n", "\t", "é", "\x00"),
]

#: What a path may lead to, in the folder of the config.
PATHS = [
    *(
        "pipe",
        "zero",
        "circle",
        "closed",
        "folder",
        "nothing",
        ".",
        "..",
        "/",
        "case.yaml",
        "a/b/c",
    ),
    *(
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/mem",
        "/proc/kmsg",
        "/proc/self/environ",
        "~",
        "x" * 300,
    ),
    *(
        "'a\\0b'",
        '"a\\0b"',
        '"\\ud800"',
        "/" * 5000 + "x",
        "a/" * 3000,
        "secret",
        "row.csv",
        "long.csv",
    ),
    *(
        "bomb",
        "arrays",
        "large.npy",
        "wide.yaml",
        "deep.yaml",
        "base.yaml",
        "/etc/passwd",
        "*",
        "**/*",
    ),
    *(
        "http://x/y",
        "hf://x",
        "C:\\x",
        "con",
        "x\n",
        "'x '",
        "${HOME}",
        "$(1)",
        "/proc/1/root",
        "-",
    ),
]
_PLACES = [
    "extends: {}\n",
    "pretrained: {}\n",
    "pretrained: {{file: {}, strict: false}}\n",
    "data: {{Csv: {{file: {}, target: y}}}}\n",
    "data: {{Csv: {{file: {}, target: y, inputs: [a], separator: ;}}}}\n",
    "data: {{Arrays: {{file: {}}}}}\n",
    "data: {{Arrays: {}, validation: test}}\n",
    "data: {{Text: {{file: {}, length: 4, level: word}}}}\n",
    "data: {{ImageFolder: {}, resize: [8, 8]}}\n",
    "data: {{Idx: {}}}\n",
    "data: {{Hub: {{files: {}}}}}\n",
]

_TOKEN = re.compile(rb"\s+|\w+|\$\([^$)\n]*\)|[^\w\s]")
_KEY = re.compile(rb"(?<![\w.*$-])[\w.*$-]{1,60}(?=:)")
_VALUE = re.compile(rb"(?<=: )[^\n{}\[\],]+|(?<=- )[^\n{}\[\],:]+|\$\([^$()\n]*\)")

_CONFIGS = [(ROOT / path).read_bytes() for path in FILES if path.parts[0] == "configs"]
TEXTS = [(ROOT / path).read_bytes() for path in FILES]
TEXTS += [data for data, _ in HOSTILE.values() if len(data) < 50_000]
_KEYS = sorted({key for data in TEXTS for key in _KEY.findall(data)})


def config(draw: Random) -> bytes:
    """Return a config with some changes."""
    data = draw.choice(draw.choice([_CONFIGS, TEXTS]))
    for _ in range(draw.choice([1, 1, 1, 2, 2, 3, MOST_CHANGES])):
        data = draw.choice(_CHANGES)(draw, data)[:MOST_BYTES]
    return data


def lay_out(folder: Path) -> None:
    """Write what the paths lead to."""
    os.mkfifo(folder / "pipe")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "circle").symlink_to("circle")
    (folder / "closed").mkdir(mode=0)
    (folder / "secret").write_text("password: hunter2\ntoken: [x\n")
    (folder / "wide.yaml").write_text("a: 1\n" * 1000)
    (folder / "deep.yaml").write_text("vars: " + "[" * 5000)
    (folder / "base.yaml").write_text("extends: case.yaml\ninput: [4]\nlayers: [Linear: 2]\n")
    (folder / "row.csv").write_text("a," * 2_000_000)
    (folder / "long.csv").write_text("a,y\n1,0\n" + "x" * 5_000_000)
    for name in ("bomb/a", "bomb/b", "folder/a"):
        (folder / name).mkdir(parents=True)
        (folder / name / "1.png").write_bytes(picture(100_000, 100_000))
    os.mkfifo(folder / "folder" / "2.png")
    os.mkfifo(folder / "folder" / "train-images-idx3-ubyte")
    (folder / "arrays").mkdir()
    os.mkfifo(folder / "arrays" / "x.npy")
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 9), }"
    (folder / "large.npy").write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header)


def picture(width: int, height: int) -> bytes:
    """Return a PNG whose header names a size that its contents do not have."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


# The changes: each takes a source of random choices and a text, and returns another text.


def _at(draw: Random, data: bytes, text: bytes, replaced: int = 0) -> bytes:
    """Return a text with another one at a drawn place."""
    place = draw.randint(0, len(data))
    return data[:place] + text + data[place + replaced :]


def _flipped(draw: Random, data: bytes) -> bytes:
    changed = bytearray(data or b" ")
    for _ in range(draw.randint(1, 8)):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(draw: Random, data: bytes) -> bytes:
    return _at(draw, data, b"", draw.choice([1, 5, 40, 1000]))


def _spliced(draw: Random, data: bytes) -> bytes:
    """Put some tokens of another file in."""
    tokens = _TOKEN.findall(draw.choice(TEXTS)[:20_000]) or [b" "]
    start = draw.randrange(len(tokens))
    taken = b"".join(tokens[start : start + draw.choice([1, 3, 10, 80])])
    return _at(draw, data, taken, draw.choice([0, 0, len(taken)]))


def _other_key(draw: Random, data: bytes) -> bytes:
    return _exchanged(draw, data, _KEY, draw.choice(_KEYS))


def _exchanged(draw: Random, data: bytes, pattern: re.Pattern[bytes], text: bytes) -> bytes:
    found = list(pattern.finditer(data[:100_000]))
    if not found:
        return _at(draw, data, text)
    start, end = draw.choice(found).span()
    return data[:start] + text + data[end:]


def _other_value(draw: Random, data: bytes) -> bytes:
    value = draw.choice(draw.choice([VALUES, _NUMBERS, PATHS]))
    return _exchanged(draw, data, _VALUE, value.encode("utf-8", "surrogatepass"))


def _expression(draw: Random, data: bytes) -> bytes:
    words = draw.choices(_WORDS, k=draw.choice([1, 3, 6, 12, 40, 200]))
    return _exchanged(draw, data, _VALUE, f"$({''.join(words)})".encode())


def _nested(draw: Random, data: bytes) -> bytes:
    depth = draw.choice([2, 20, 95, 101, 1000, 20_000])
    start, end = draw.choice(
        [("[", "]"), ("{a: ", "}"), ("- ", ""), ("{layers: [", "]}"), ("$(", ")")]
    )
    inner = draw.choice(["1", "ReLU", "", "*a"])
    return _exchanged(draw, data, _VALUE, (start * depth + inner + end * depth).encode())


def _repeated(draw: Random, data: bytes) -> bytes:
    """Repeat some lines many times."""
    lines = data.splitlines(keepends=True) or [b"\n"]
    start = draw.randrange(len(lines))
    part = b"".join(lines[start : start + draw.choice([1, 2, 5])])
    return b"".join(lines[:start]) + part * draw.choice([2, 50, 3000]) + b"".join(lines[start:])


def _aliases(draw: Random, data: bytes) -> bytes:
    """Put aliases in that grow, or that lead back."""
    width, depth = draw.choice([2, 9, 30]), draw.choice([2, 10, 30])
    lines = ["a0: &a0 [1, 1]\n"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]\n" for n in range(1, depth)]
    data = draw.choice(["vars:\n  " + "  ".join(lines), "".join(lines)]).encode() + data
    return _exchanged(draw, data, _VALUE, draw.choice([f"*a{depth - 1}", "&b [*b]"]).encode())


def _controls(draw: Random, data: bytes) -> bytes:
    for character in draw.choices(_CONTROLS, k=draw.choice([1, 2, 10])):
        data = _at(draw, data, character.encode("utf-8", "surrogatepass"))
    return data


def _path(draw: Random, data: bytes) -> bytes:
    section = draw.choice(_PLACES).format(draw.choice(PATHS))
    name = section.partition(":")[0].encode()
    kept = [line for line in data.splitlines(keepends=True) if not line.startswith(name + b":")]
    return b"".join([*kept, b"\n", section.encode("utf-8", "surrogatepass")])


_CHANGES = [
    *(_flipped, _cut, _spliced, _other_key, _other_value, _expression),
    *(_nested, _repeated, _aliases, _controls, _path, _path),
]
