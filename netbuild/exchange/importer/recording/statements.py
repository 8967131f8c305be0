"""The statement of the source in which a function is called.

What one statement computes element by element becomes one formula, as its author wrote it.
"""

from __future__ import annotations

import ast
import linecache
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def statement_of(frame: FrameType | None, *ignored: str) -> tuple[object, ...]:
    """Return a mark of the statement that runs in the nearest frame outside of some files."""
    while frame is not None and frame.f_code.co_filename.startswith(ignored):
        frame = frame.f_back
    if frame is None:
        return ()
    code = frame.f_code
    first = _first_lines(code.co_filename).get(frame.f_lineno, frame.f_lineno)
    return (code.co_filename, id(frame), first, frame.f_lasti)


@cache
def _first_lines(file: str) -> dict[int, int]:
    """Return the first line of the innermost statement around each line of a file."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:  # the text of a generated file is not there
        return {}
    found: dict[int, int] = {}
    for node in ast.walk(tree):  # from outside to inside
        if isinstance(node, ast.stmt):
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                found[line] = node.lineno
    return found
