"""Real tables, as their packages ship them, need no preparation outside the config."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.tables import TABLES, Table, trained
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes
from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PENGUINS = ROOT / "configs" / "penguins.csv"


def path_of(table: Table) -> Path:
    """Return the path of a table; skip the test if its package is not installed."""
    path = PENGUINS if PENGUINS.name in table.file else table.path
    if path is None:
        pytest.skip(f"{table.package} is not installed")
    return path


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_read(table: Table) -> None:
    """Without torch, a table says that it fits: its columns, categories and classes."""
    text = table.config(path_of(table))
    graph = infer(read(from_bytes("x.yaml", text.encode())))
    assert [(fault.message, fault.help) for fault in graph.diagnostics] == []
    for word, count in table.words.items():
        written = f"num_embeddings: {count + 1}\n"
        wrong = text.replace(written, f"num_embeddings: {count}\n")
        (fault, *_) = infer(read(from_bytes("x.yaml", wrong.encode()))).diagnostics
        assert fault.code == "NB411"
        assert f"has {count} categories, 1 to {count}" in (fault.label or "")
        assert word in table.words


@pytest.mark.slow
@pytest.mark.parametrize("name", ["palmerpenguins/penguins", "sklearn/wine_data"])
def test_trained(name: str) -> None:
    """A small network is above the baseline; `benchmarks.tables` trains on all of them."""
    table = next(table for table in TABLES if table.name == name)
    measure, reached, baseline, count = trained(table._replace(file=str(path_of(table))), 8, 0)
    assert measure == "accuracy"
    assert reached > baseline + 0.3
    assert count > 170
