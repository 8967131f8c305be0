"""The code is in order: short functions, short files, few rooms, and tests with docstrings.

ruff checks the number of branches of a function: `max-complexity` in `pyproject.toml`.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from netbuild.cli import COMMANDS
from tests import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions of a file, methods and inner ones too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def is_command(path: Path, function: str) -> bool:
    """Whether a function is a command of the command line."""
    return path.parent.name == "cli" and COMMANDS.get(function) == path.stem


def lines(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function.

    For a command, only the lines after its docstring count: its parameters are its options, and its
    docstring is its help. Neither can be divided.
    """
    first = function.lineno
    if is_command(path, function.name):
        first = function.body[1].lineno
    return (function.end_lineno or first) - first + 1


def test_functions_are_short() -> None:
    """No function of the package has more than 50 lines."""
    found = {
        f"{name(path)}: {function.name}": lines(path, function)
        for path in PACKAGE
        for function in functions(path)
    }
    assert {where: n for where, n in found.items() if n > MOST_OF_A_FUNCTION} == {}


def test_a_command_is_measured_without_its_options() -> None:
    """Every command is in the module of its name, and has code after its docstring."""
    commands = [
        function
        for path in PACKAGE
        for function in functions(path)
        if is_command(path, function.name)
    ]
    assert {command.name for command in commands} == set(COMMANDS)
    assert all(ast.get_docstring(command) and len(command.body) > 1 for command in commands)


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
    assert [name(path) for path in TESTS if not ast.get_docstring(tree(path))] == []


def test_every_test_says_what_it_holds() -> None:
    """Every test has a docstring with its claim."""
    tests = [
        (name(path), function)
        for path in TESTS
        for function in functions(path)
        if function.name.startswith("test_")
    ]
    assert len(tests) > 500
    assert [f"{where}: {test.name}" for where, test in tests if not ast.get_docstring(test)] == []
