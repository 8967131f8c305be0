"""YAML to Python source, and back by `from_module`: the same graph."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from netbuild.checks.trace import trace
from netbuild.config.load import load
from netbuild.exchange.importer.folding.folding import graph_of
from netbuild.exchange.importer.imported import imported
from netbuild.exchange.source.writer import python_source
from netbuild.reports.difference import diff
from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.graph.graph import Graph

#: Networks that come back with the names of all their layers.
SAME = ("bilinear", "forecast", "lenet", "lenet-bn", "mlp", "norms", "selu", "teacher")
LARGE = (
    *("alexnet", "autoencoder", "cnn-small", "deep", "densenet", "generator", "googlenet"),
    *("lenet-rgb", "lenet-sigmoid", "nin", "segnet", "selu-conv", "superres", "unet"),
    *("unet-masks", "vgg11"),
)
#: Networks that compute the same; some operations without weights have other names. A source
#: reads as a person would write it, and does not name every value.
NEAR = ("gru", "lstm", "multitask", "rnn", "text", "transformer")


def module_of(graph: Graph, folder: Path) -> nn.Module:
    """Return the module of a network's Python source."""
    path = folder / "source_of_test.py"
    path.write_text(python_source(graph), encoding="utf-8")
    made = ModuleType(path.stem)
    sys.modules[path.stem] = made
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), made.__dict__)  # noqa: S102
    kinds = [one for one in vars(made).values() if isinstance(one, type)]
    own = [one for one in kinds if issubclass(one, nn.Module) and one.__module__ == path.stem]
    found: nn.Module = own[-1]()
    return found


def back(name: str, folder: Path) -> tuple[Graph, Graph]:
    """Return a network of `configs/`, and what comes back of it."""
    graph = trace(load(ROOT / "configs" / f"{name}.yaml")._replace(data=None))
    inputs = [
        torch.randn(2, *x.shape) if x.floating else torch.ones(2, *x.shape).to(torch.int64)
        for x in graph.config.inputs.values()
        if x is not None
    ]
    found = imported(module_of(graph, folder), inputs)
    assert (found.gaps, found.difference) == ((), 0)
    return graph, graph_of(found.text)


@pytest.mark.parametrize(
    "name", [*SAME, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]
)
def test_the_same_graph(name: str, tmp_path: Path) -> None:
    """`netbuild diff` finds no layer that differs."""
    assert diff(*back(name, tmp_path)).layers == ()


@pytest.mark.parametrize("name", NEAR)
def test_other_names_of_operations(name: str, tmp_path: Path) -> None:
    """Layers only move to other names, and the names in `state_dict()` stay."""
    graph, other = back(name, tmp_path)
    assert {change.kind for change in diff(graph, other).layers} == {"moved"}
    assert graph.tensors == other.tensors
