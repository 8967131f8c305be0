r"""Control characters of foreign files, shown as escapes such as \x1b in all that is printed.

A terminal obeys these characters: it would change colours or titles, delete text, or, with U+202E,
show text in another order than it is read (Boucher and Anderson, Trojan source, 2021). Names of
files and of weights can have them, and so can texts of YAML, as in "\e[2J".
"""

from __future__ import annotations

import re

#: C0 without tab and line feed, DEL, C1, the separators of lines, and the controls of direction.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    r"""Return a text with its control characters as escapes. Line breaks and tabs stay.

    >>> visible("red \x1b[31m")
    'red \\x1b[31m'
    """
    return text if text.isprintable() else _CONTROLS.sub(_escape, text)


def one_line(text: str) -> str:
    r"""Return a text on one line: line breaks and tabs are escapes too."""
    return visible(text).replace("\n", r"\n").replace("\t", r"\t")


def of_json(text: str) -> str:
    r"""Return a JSON text with these characters, which only its strings can have, as \u001b."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
