"""The code is in order: short functions, short files, few rooms, and tests with docstrings.

ruff checks the number of branches of a function: `max-complexity` in `pyproject.toml`.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from netbuild.cli import COMMANDS
from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

#: Lines of a function, and of a file.
MOST_OF_A_FUNCTION, MOST_OF_A_FILE = 50, 400
#: The largest number of rooms and files in the package.
MOST_ENTRIES = 15

PACKAGE = sorted((ROOT / "netbuild").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))


def name(path: Path) -> str:
    """Return the path of a file in the project."""
    return path.relative_to(ROOT).as_posix()


class Function(NamedTuple):
    """What counts of a function."""

    name: str
    first: int
    #: The first line after the docstring; None if there is no other statement.
    behind: int | None
    last: int
    docstring: str | None


class Contents(NamedTuple):
    """What counts of a file; its syntax tree is large."""

    docstring: str | None
    #: Its functions, methods and inner ones too.
    functions: list[Function]


@cache
def contents(path: Path) -> Contents:
    """Read a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [
        Function(
            node.name,
            node.lineno,
            node.body[1].lineno if len(node.body) > 1 else None,
            node.end_lineno or node.lineno,
            ast.get_docstring(node),
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return Contents(ast.get_docstring(tree), functions)


def is_command(path: Path, function: str) -> bool:
    """Whether a function is a command of the command line."""
    return path.parent.name == "cli" and COMMANDS.get(function.rstrip("_")) == path.stem


def lines(path: Path, function: Function) -> int:
    """Return the number of lines of a function.

    For a command, only the lines after its docstring count: its parameters are its options, and its
    docstring is its help. Neither can be divided.
    """
    first = function.first
    if is_command(path, function.name):
        first = function.behind or first
    return function.last - first + 1


def test_functions_are_short() -> None:
    """No function of the package has more than 50 lines."""
    found = {
        f"{name(path)}: {function.name}": lines(path, function)
        for path in PACKAGE
        for function in contents(path).functions
    }
    assert {where: n for where, n in found.items() if n > MOST_OF_A_FUNCTION} == {}


def test_a_command_is_measured_without_its_options() -> None:
    """Every command is in the module of its name, and has code after its docstring."""
    commands = [
        function
        for path in PACKAGE
        for function in contents(path).functions
        if is_command(path, function.name)
    ]
    assert {command.name.rstrip("_") for command in commands} == set(COMMANDS)
    assert all(command.docstring and command.behind for command in commands)


def test_files_are_short() -> None:
    """No file of the package, of the tests or of the benchmarks has more than 400 lines."""
    found = {
        name(path): path.read_text(encoding="utf-8").count("\n")
        for path in (*PACKAGE, *TESTS, *BENCHMARKS)
    }
    assert {where: n for where, n in found.items() if n > MOST_OF_A_FILE} == {}


def test_rooms_are_few() -> None:
    """The folder of the package has 15 entries at most."""
    entries = [path.name for path in (ROOT / "netbuild").iterdir() if path.name != "__pycache__"]
    assert len(entries) <= MOST_ENTRIES, sorted(entries)


def test_every_module_of_tests_says_what_it_is() -> None:
    """Every module of the tests begins with a docstring."""
    assert [name(path) for path in TESTS if not contents(path).docstring] == []


def test_every_test_says_what_it_holds() -> None:
    """Every test has a docstring with its claim."""
    tests = [
        (name(path), function)
        for path in TESTS
        for function in contents(path).functions
        if function.name.startswith("test_")
    ]
    assert len(tests) > 500
    assert [f"{where}: {test.name}" for where, test in tests if not test.docstring] == []
