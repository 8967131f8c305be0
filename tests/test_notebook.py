"""The notebook of docs/ runs from its first cell to its last, and shows what it says."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

NOTEBOOK = ROOT / "docs/notebooks/first.ipynb"


def shown(cell: Any, kind: str = "text/html") -> str:
    """Return what a cell shows: its last output of a kind."""
    outputs = [one["data"][kind] for one in cell.outputs if kind in one.get("data", {})]
    return str(outputs[-1]) if outputs else ""


def test_no_outputs_are_kept() -> None:
    """The file holds no outputs: they would be others each time."""
    text = NOTEBOOK.read_text("utf-8")
    assert '"outputs": []' in text
    assert '"data"' not in text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_executed(tmp_path: Path) -> None:
    """Each value shows itself as HTML, and the bar ends with all epochs and the curves."""
    import nbformat
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    place = tmp_path / "docs/notebooks"
    place.mkdir(parents=True)
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    book = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(book, timeout=120, resources={"metadata": {"path": str(place)}}).execute()
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    config, graph, large, _, training, run, _, prediction, _ = cells
    assert "all of it as YAML" in shown(config)
    assert shown(graph).count("<details open>") == 2
    assert "<svg" in shown(graph)
    assert "<details open>" not in shown(large)
    assert "lenet-bn: epoch 4/4" in shown(training)
    assert "--done: 100.0%" in shown(training)
    assert len(training.outputs) == 1
    assert shown(run).count("<svg") == 2
    assert shown(prediction, "text/plain").startswith("Prediction(class_=")
    page, _ = HTMLExporter().from_notebook_node(book)
    assert page.count('class="netbuild-shown"') == 5
