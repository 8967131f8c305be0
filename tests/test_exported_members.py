"""What `netbuild` exports: names imported when they are used, and one tree of exceptions."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

import netbuild
from netbuild import training
from netbuild.components.tensor import PartError
from netbuild.diagnostics import exceptions

if TYPE_CHECKING:
    from collections.abc import Iterator

from netbuild.exchange.importer.conversion.context import Unread
from netbuild.exchange.importer.conversion.layouts import Gap
from netbuild.exchange.importer.folding.template import NoTemplateError
from netbuild.exchange.source.layout import ApartError
from tests import ROOT

#: What a component raises, and netbuild turns into a fault; what an import turns into a comment, or
#: what makes the writer of source try another way.
SIGNALS = {
    *(netbuild.ShapeError, PartError, netbuild.DataError),
    *(Gap, NoTemplateError, Unread, ApartError),
}

HEAVY = {"torch", "numpy", "pydantic", "sklearn", "safetensors"}


def heavy(statement: str) -> set[str]:
    """Return which heavy packages a new process has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(*{HEAVY} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def declared(module: object) -> set[str]:
    """Return the names that a module imports for type checkers alone."""
    tree = ast.parse(inspect.getsource(module))  # type: ignore[arg-type]
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in checked.body if isinstance(node, ast.ImportFrom)]
    return {alias.name for node in imports for alias in node.names}


@pytest.mark.parametrize("module", [netbuild, training], ids=lambda module: module.__name__)
def test_all_is_complete(module: object) -> None:
    """`__all__` is sorted, names what type checkers see, and every name in it is there."""
    names = module.__all__  # type: ignore[attr-defined]
    assert names == sorted(names)
    assert set(names) == declared(module) == set(module._HOMES)  # type: ignore[attr-defined]
    assert set(names) <= set(dir(module))
    for name in names:
        assert getattr(module, name).__name__ == name
        assert getattr(module, name).__module__ == defined_in(module, name)


def defined_in(module: object, name: str) -> str:
    """Return the module which the table of a package names as the home of a name."""
    return f"netbuild.{module._HOMES[name]}"  # type: ignore[attr-defined]


def test_an_unknown_name() -> None:
    """A name that is not exported is refused as Python refuses it."""
    with pytest.raises(
        AttributeError, match=r"^module 'netbuild.training' has no attribute 'fti'$"
    ):
        training.fti  # noqa: B018


@pytest.mark.parametrize(
    ("statement", "loaded"),
    [
        ("import netbuild", set()),
        ("from netbuild import NetbuildError, ConfigError, TrainingError, WeightsError", set()),
        ("import netbuild.training.errors", {"pydantic"}),
        ("from netbuild.training import Interrupted", set()),
        ("from netbuild import Layer, Operation, Loss, ShapeError", {"pydantic"}),
        ("from netbuild import Optimizer, Scheduler", {"pydantic"}),
        ("from netbuild import Augmentation, Dataset, DataError", {"pydantic"}),
        ("from netbuild import Run, Config, trace, load", {"pydantic"}),
        ("import netbuild.runs.records, netbuild.runs.folder", {"pydantic"}),
    ],
)
def test_imported_when_used(statement: str, loaded: set[str]) -> None:
    """Importing netbuild loads nothing else, and what is static is imported without torch."""
    assert heavy(statement) == loaded


def modules() -> Iterator[object]:
    """Yield every module of netbuild."""
    for found in pkgutil.walk_packages(netbuild.__path__, "netbuild."):
        if found.name != "netbuild.__main__":
            yield import_module(found.name)


def test_one_tree_of_exceptions() -> None:
    """Every exception of netbuild is private, a signal, or of the tree in its one file."""
    outside = []
    for module in modules():
        for name, kind in inspect.getmembers(module, inspect.isclass):
            own = issubclass(kind, BaseException) and kind.__module__ == module.__name__  # type: ignore[attr-defined]
            if own and not name.startswith("_") and kind not in SIGNALS:
                outside += [] if issubclass(kind, netbuild.NetbuildError) else [kind]
                assert kind.__module__ == exceptions.__name__, kind
    assert outside == []


def test_the_tree_is_written_down() -> None:
    """The docstring of the file shows the tree as it is, and marks what is exported."""
    lines = []

    def walk(kind: type[BaseException], start: str, below: str) -> None:
        lines.append(start + kind.__name__ + (" *" if kind.__name__ in netbuild.__all__ else ""))
        inner = [k for k in kind.__subclasses__() if k.__module__ == exceptions.__name__]
        for child in inner:
            last = child is inner[-1]
            walk(child, below + ("└── " if last else "├── "), below + ("    " if last else "│   "))

    walk(netbuild.NetbuildError, "", "")
    assert exceptions.__doc__ is not None
    written = exceptions.__doc__.split("\n\n")[1].splitlines()
    assert len(written) == len(lines)
    for line, shown in zip(lines, written, strict=True):
        assert shown == line or shown.startswith(f"{line}  "), shown


def test_every_public_name_is_on_the_page() -> None:
    """docs/python.md has each name of `netbuild` in code."""
    page = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    code = " ".join(re.findall(r"`[^`\n]+`|^```.*?^```", page, re.MULTILINE | re.DOTALL))
    assert [name for name in netbuild.__all__ if not re.search(rf"\b{name}\b", code)] == []


def test_the_page_shows_the_exported_part_of_the_tree() -> None:
    """docs/python.md has the exceptions that are exported, in the order of the tree."""
    assert exceptions.__doc__ is not None
    page = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```\n(NetbuildError\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    marked = re.findall(r"(?m)^[│├└─ ]*(\w+) \*", exceptions.__doc__)
    assert re.findall(r"(?m)^[│├└─ ]*(\w+)", shown) == marked


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (netbuild.ConfigError, ValueError),
        (netbuild.WeightsError, ValueError),
        (netbuild.ShapeError, ValueError),
        (netbuild.TrainingError, RuntimeError),
    ],
)
def test_bases_of_python(kind: type[Exception], base: type[Exception]) -> None:
    """The exceptions derive from Python's own exceptions."""
    assert issubclass(kind, base)
