"""The statement of the source in which a function is called.

What one statement computes element by element becomes one formula, as its author wrote it. The
variable to which a statement assigns a result becomes the name of the operation that gives it.
"""

from __future__ import annotations

import ast
import linecache
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from netbuild.exchange.operation_names import told

if TYPE_CHECKING:
    from types import CodeType, FrameType

#: The first and the last line of an expression, and its first and its last column.
_Place = tuple["int | None", "int | None", "int | None", "int | None"]


class Statement(NamedTuple):
    """A statement that runs.

    `mark` is equal for all calls of the statement until the last number, which grows with each of
    them. `variables` are those to which it assigns what this call gives; `typed` tells that an
    annotation says what it is, and `taken_apart` that they hold only a part of it. `reflected`
    tells that a number stands before an operator.
    """

    mark: tuple[object, ...] = ()
    variables: tuple[str, ...] = ()
    typed: bool = False
    taken_apart: bool = False
    reflected: bool = False

    @property
    def name(self) -> str | None:
        """The name that the variables give to what the call does."""
        return told(self.variables, typed=self.typed)


class _Target(NamedTuple):
    """The variables of an assignment."""

    variables: tuple[str, ...] = ()
    typed: bool = False
    taken_apart: bool = False


class _File(NamedTuple):
    """The expressions of a file by their places, and the first line of the statement of a line."""

    first_lines: dict[int, int]
    assigned: dict[_Place, _Target]
    reflected: set[_Place]


def statement_of(frame: FrameType | None, *ignored: str) -> Statement:
    """Return the statement that runs in the nearest frame outside of some files."""
    while frame is not None and frame.f_code.co_filename.startswith(ignored):
        frame = frame.f_back
    if frame is None:
        return Statement()
    code = frame.f_code
    file = _read(code.co_filename)
    first = file.first_lines.get(frame.f_lineno, frame.f_lineno)
    place = _places(code)[frame.f_lasti // 2] if file.assigned or file.reflected else None
    target = _Target()
    if place is not None:
        ending = (None, place[1], None, place[3])
        target = file.assigned.get(place) or file.assigned.get(ending) or target
    mark = (code.co_filename, id(frame), first, frame.f_lasti)
    return Statement(mark, *target, place in file.reflected)


@cache
def _places(code: CodeType) -> list[_Place]:
    """Return the places of the instructions. Python 3.10 does not know them."""
    if not hasattr(code, "co_positions"):
        return [(None, None, None, None)] * len(code.co_code)
    return [*code.co_positions()]


@cache
def _read(file: str) -> _File:
    found = _File({}, {}, set())
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:  # the text of a generated file is not there
        return found
    for node in ast.walk(tree):  # from outside to inside
        if isinstance(node, ast.stmt):
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                found.first_lines[line] = node.lineno
        if isinstance(node, ast.BinOp) and _is_number(node.left):
            found.reflected.add(_place(node))
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            _assign(found, node.targets[0], node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            _assign(found, node.target, node.value, typed=True)
    return found


def _assign(found: _File, target: ast.expr, value: ast.expr, *, typed: bool = False) -> None:
    """Note the variables of an assignment at the expression whose value they get."""
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    variables = tuple(one.id for one in parts if isinstance(one, ast.Name))
    if len(variables) < len(parts):
        return
    own = _Target(variables, typed)
    while True:
        found.assigned[_place(value)] = own
        if isinstance(value, ast.Call | ast.Subscript) and value.lineno != value.end_lineno:
            # Python 3.11 has another first line for a method that a call on several lines ends.
            found.assigned[None, value.end_lineno, None, value.end_col_offset] = own
        if not isinstance(value, ast.Subscript) or not isinstance(value.slice, ast.Constant):
            return
        value, own = value.value, own._replace(taken_apart=True)


def _place(node: ast.expr) -> _Place:
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


def _is_number(node: ast.expr) -> bool:
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)
