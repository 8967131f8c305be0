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
from netbuild.graph.graph import results
from netbuild.reports.difference import diff
from tests import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from _pytest.mark.structures import ParameterSet

    from netbuild.components.tensor import Tensor
    from netbuild.graph.graph import Graph

#: Networks that come back as the same graph in the quick run, for one reason each: a chain, names
#: of operations, a list with numbers, blocks with formulas, a module called again, and `lengths`.
QUICK = ("lenet", "transformer", "text", "kan", "ode", "packed-lstm")
#: Networks of which Python does not keep all, with the layers that do not come back.
LESS = {
    # Its tables are computed while the module is built. Then they are numbers, and an importer
    # cannot see what they were computed from.
    "rotary": {
        *("model.places", "model.cosines", "model.cos", "model.sines", "model.sin"),
        *(f"model.angles.{name}" for name in ("column", "speeds", "angles", "both")),
    },
}
SAME = sorted({path.stem for path in (ROOT / "configs").glob("*.yaml")} - {*QUICK, *LESS})
#: Small networks of `configs/torchvision/`. Of its families four differ: googlenet says `stride: 2`
#: of a pool of 2, which is torch's default; in mnasnet a sum without a name stands beside one
#: module with a name; swin and maxvit compute tables of places while they are built, as rotary.
FAMILIES = (
    "torchvision/mobilenet_v3_small",
    "torchvision/resnet18",
    "torchvision/shufflenet_v2_x0_5",
    "torchvision/squeezenet1_1",
)


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
    inputs = [_sample(x) for x in graph.config.inputs.values() if x is not None]
    found = imported(module_of(graph, folder), inputs)
    assert (found.gaps, found.difference) == ((), 0)
    return graph, graph_of(found.text)


def _sample(x: Tensor) -> torch.Tensor:
    """Return two samples: nothing is masked, and a sequence has one step."""
    if x.floating:
        return torch.randn(2, *x.shape)
    made = torch.zeros if x.dtype == "bool" else torch.ones
    return made(2, *x.shape, dtype=getattr(torch, x.dtype))


def _slow(names: Iterable[str]) -> list[ParameterSet]:
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


needs_places = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10 does not tell where in a line a call stands"
)


@needs_places
@pytest.mark.parametrize("name", [*QUICK, *_slow(SAME), *_slow(FAMILIES)])
def test_the_same_graph(name: str, tmp_path: Path) -> None:
    """`netbuild diff` finds no layer that differs, and each output comes from the same layer.

    Python returns several outputs as a tuple, so their names may differ.
    """
    graph, other = back(name, tmp_path)
    assert diff(graph, other).layers == ()
    assert [*results(graph).values()] == [*results(other).values()]


@needs_places
@pytest.mark.slow
@pytest.mark.parametrize("name", LESS)
def test_what_python_does_not_keep(name: str, tmp_path: Path) -> None:
    """Only the listed layers differ, and the names in `state_dict()` stay."""
    graph, other = back(name, tmp_path)
    changed = [change for change in diff(graph, other).layers if change.before]
    assert {change.before.path for change in changed if change.before} == LESS[name]
    assert graph.tensors == other.tensors
