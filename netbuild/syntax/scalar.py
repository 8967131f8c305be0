"""The values of plain scalars, and back, by the core schema of YAML 1.2.2, chapter 10.3."""

from __future__ import annotations

import re
from typing import Any

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {word: word[0] in "tT" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
# The patterns are texts. Compiling all of them would slow down every start.
_INT = r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+"
_FLOAT = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
_NAN = {".nan", ".NaN", ".NAN"}
_LEADING_ZERO = r"[-+]?0[0-9]+"
#: `kernel:3`: a word, a colon, and no space after it; not `a::b`, `C:\x` or `hf://x`.
NO_SPACE = r"[A-Za-z_]\w*:(?=[^\s:/\\])"
#: The first characters of a plain scalar that may be a number: a digit, a sign or a dot.
_NUMERIC = set("0123456789+-.")
_DIGITS = set("0123456789")


def resolve(text: str) -> Any:
    """Return the value of a plain scalar in the core schema of YAML 1.2.

    Raises:
        ValueError: the text is a number with a leading zero, a number of more than 64 bits, or
            `.nan`.
    """
    if text[:1] not in _NUMERIC:
        return None if text in _NULL else _BOOL.get(text, text)
    if text in _DIGITS:
        return int(text)
    if re.fullmatch(_INT, text):
        if len(text) > 20 or not -(1 << 63) <= (value := int(text, 0)) < 1 << 63:
            msg = "the number needs more than 64 bits"
            raise ValueError(msg)
        return value
    if re.fullmatch(_LEADING_ZERO, text):
        digits = "-" * text.startswith("-") + (text.lstrip("+-0") or "0")
        msg = f"YAML 1.1 reads a leading zero as base 8, YAML 1.2 as base 10: write {digits}"
        raise ValueError(msg)
    if re.fullmatch(_FLOAT, text):
        return float(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf"))
    if text in _NAN:
        msg = "no field takes .nan, which is not a number"
        raise ValueError(msg)
    return text


def is_without_space(text: str) -> bool:
    """Whether a word is a key and a value without a space between them, such as `kernel:3`."""
    return ":" in text and re.match(NO_SPACE, text) is not None


def as_yaml(value: Any) -> str:
    """Return a value as YAML text; the texts among the values are plain words.

    A text with a comma gets quotes, which it needs between braces.

    >>> as_yaml((3, True))
    '[3, true]'
    """
    if isinstance(value, str) and "," in value:
        return f'"{value}"'
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(as_yaml, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
