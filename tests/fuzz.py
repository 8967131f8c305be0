"""Whole random networks: netbuild accepts one if and only if torch runs it, as it says.

`python -m tests.fuzz --cases 100000 --seed N` draws layer after layer with the strategies of the
tables, each reading the one before and, where it reads several, any others above. It goes on while
netbuild accepts. Now and then the last layer is one that netbuild refuses, which torch then has to
refuse as well, or a reason to be stricter has to apply. Torch's side is built and run layer by
layer without netbuild, forward and backward, with two samples in training mode.

A batch of cases stops at its first disagreement, which is made as small as it gets.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from torch import nn

from netbuild.builder.module import module as build
from netbuild.components.tensor import Tensor
from tests.components.layers import FAMILIES
from tests.components.layers.contract import (
    REFUSALS,
    Case,
    graph_of,
    results,
    torch_layer,
    torch_may_warn,
    wires,
    zeros,
)

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.graph.graph import Graph

BATCH = 1_000
MOST_LAYERS = 6
SPATIAL = [(9,), (8, 9), (5, 6, 5)]
INPUTS = st.one_of(
    st.lists(st.integers(1, 8), max_size=4).map(lambda sizes: Tensor(tuple(sizes))),
    st.tuples(st.sampled_from([1, 2, 4]), st.sampled_from(SPATIAL)).map(
        lambda drawn: Tensor((drawn[0], *drawn[1]))
    ),
    st.sampled_from([(), (3,), (2, 3)]).map(lambda sizes: Tensor(sizes, "int64")),
)
#: Whether a layer runs depends on the values of its first input, or of the others: they are then
#: the zeros of the network's input. netbuild does not know the numbers that a layer computes.
BY_FIRST = ("Embedding", "EmbeddingBag", "OneHot")
BY_OTHERS = ("MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d", "Gather", "TakeAlongDim")
#: Torch refuses what lies out of order in memory, as a permuted view; what is built puts it right.
IN_ORDER = ("LocalResponseNorm",)


class Disagreement(AssertionError):  # noqa: N818  what is looked for
    """netbuild and torch disagree about a network; `text` is its file."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__(f"{what}\n{text}")
        self.what, self.text = what, text


class Network(NamedTuple):
    """A network so far: its layers as they stand in YAML, and torch's values by name."""

    x: Tensor
    layers: dict[str, dict[str, Any]]
    modules: dict[str, Any]
    values: dict[str, torch.Tensor]

    @property
    def text(self) -> str:
        """The file."""
        given = {"shape": list(self.x.shape), "dtype": self.x.dtype}
        return yaml.safe_dump(
            {"input": given, "layers": self.layers}, sort_keys=False, default_flow_style=None
        )


def check(draw: Any) -> None:
    """Draw a network, and compare netbuild with torch.

    Raises:
        Disagreement: they differ.
    """
    x = draw(INPUTS)
    # As in training, the input needs no gradient: a layer may overwrite it, and what follows it.
    start = torch.rand(2, *x.shape) if x.floating else zeros(x)
    network = Network(x, {}, {}, {"input": start.clone()})
    for number in range(draw(st.integers(1, MOST_LAYERS))):
        # Most draws do not fit: a few are tried, of which the last one is taken as it is.
        for _ in range(draw(st.integers(1, 6))):
            case, reads = _layer(draw, network)
            item: dict[str, Any] = {case.kind: case.fields}
            if reads != [_last(network)]:
                item["inputs"] = wires(case.kind, reads, case.names)
            layers = {**network.layers, f"l{number}": item}
            graph = _graph(network._replace(layers=layers))
            if graph.output is not None:
                break
        network = network._replace(layers=layers)
        if graph.output is None:
            _expect_refusal(network, case, reads, graph.diagnostics[0])
            return
        network = _extended(network, f"l{number}", case, reads)
        said, given = graph.rows[-1].output, _described(network.values[f"l{number}"])
        if said != given:
            what = f"netbuild says {tuple(said)}, torch gives {tuple(given)}"
            raise Disagreement(what, network.text)
    _compare(graph, network, start)


def _graph(network: Network) -> Graph:
    try:
        return graph_of(network.layers, network.x)
    except Exception as error:
        raise Disagreement(f"netbuild breaks down: {error!r}", network.text) from error


def _last(network: Network) -> str:
    return list(network.values)[-1]


def _layer(draw: Any, network: Network) -> tuple[Case, list[str]]:
    """Draw a layer for the values of a network. Its fields may or may not fit."""
    kind = draw(st.sampled_from(sorted(FAMILIES)))
    case = draw(FAMILIES[kind].cases[kind])
    if "lengths" in case.names:  # they are values from 1 on; `tests/whole` draws such values
        case = case._replace(others=case.others[:-1], names=case.names[:-1])
    names = list(network.values)
    first = "input" if kind in BY_FIRST else names[-1]
    others = [draw(st.sampled_from(names)) for _ in case.others]
    if kind in BY_OTHERS:
        others = ["input"] * len(others)
    reads = [first, *others]
    tensors = [_described(network.values[name]) for name in reads]
    if kind == "Divide" and not any(x.floating for x in tensors):  # whole numbers by zero
        case = case._replace(fields={})
    remainders = re.search(r"%|//|mod|remainder", str(case.fields.get("formula", "")))
    if remainders and not all(x.floating for x in tensors):  # the same
        case = case._replace(fields={"formula": "x + 1"})
    return case._replace(
        x=tensors[0].shape, dtype=tensors[0].dtype, others=tuple(tensors[1:])
    ), reads


def _described(value: torch.Tensor) -> Tensor:
    return Tensor(tuple(value.shape[1:]), str(value.dtype).removeprefix("torch."))


def _run(network: Network, case: Case, reads: list[str]) -> tuple[Any, torch.Tensor]:
    """Return torch's layer and its first result."""
    family = FAMILIES[case.kind]
    with torch_may_warn():
        module = torch_layer(family, case)
        x = [network.values[name].clone() for name in reads]  # so that none is overwritten
        if case.kind in IN_ORDER:
            x = [value.contiguous() for value in x]
        return module, results(family, case.kind, module, x)[0]


def _extended(network: Network, name: str, case: Case, reads: list[str]) -> Network:
    try:
        module, y = _run(network, case, reads)
    except REFUSALS as error:
        raise Disagreement(f"accepted, and torch refuses: {error}", network.text) from error
    modules, values = {**network.modules, name: module}, {**network.values, name: y}
    return network._replace(modules=modules, values=values)


def _expect_refusal(network: Network, case: Case, reads: list[str], why: Diagnostic) -> None:
    try:
        _run(network, case, reads)
    except REFUSALS:
        return
    excused = any(strict.applies(case) for strict in FAMILIES[case.kind].strictness)
    # NB207: a layer of floats takes whole numbers on a CPU, or with fields that leave it nothing to
    # compute. NB211: torch finds out going backward only that something has been overwritten.
    if not excused and why.code not in {"NB207", "NB211"}:
        raise Disagreement(f"refused, and torch runs it: {why.label}", network.text)


def _compare(graph: Graph, network: Network, start: torch.Tensor) -> None:
    """Compare what netbuild builds of the whole with torch's layers."""
    state = {
        f"{name}.{key}": tuple(value.shape)
        for name, module in network.modules.items()
        if isinstance(module, nn.Module)
        for key, value in module.state_dict().items()
    }
    try:
        module = build(graph).train()
        with torch_may_warn():
            y = module(start.clone())
            if y.requires_grad:
                y.sum().backward()
    except REFUSALS as error:
        raise Disagreement(f"what is built does not run: {error}", network.text) from error
    expected = network.values[_last(network)]
    if y.shape != expected.shape or y.dtype != expected.dtype:
        raise Disagreement(f"what is built gives {tuple(y.shape)} of {y.dtype}", network.text)
    built = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    said = {
        f"{row.path}.{key}": shape
        for row in graph.rows
        for key, shape in (row.weights | {k: b.shape for k, b in row.buffers.items()}).items()
    }
    if not built == said == state:
        raise Disagreement("the state_dict() differs", network.text)


def batch(cases: int, number: int) -> tuple[str, str] | None:
    """Check a number of cases. Return the first disagreement and the smallest file with it."""

    @seed(number)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        check(partial(data.draw))

    try:
        agree()
    except Disagreement as found:
        return found.what, found.text
    return None


def main(arguments: list[str] | None = None) -> int:
    """Run the cases; return 1 if there is a disagreement."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args(arguments)
    sizes = [min(BATCH, options.cases - done) for done in range(0, options.cases, BATCH)]
    numbers = [(options.seed << 32) + number for number in range(len(sizes))]
    found: list[tuple[str, str]] = []
    with ProcessPoolExecutor(options.jobs, initializer=partial(torch.set_num_threads, 1)) as pool:
        for done, differs in enumerate(pool.map(batch, sizes, numbers), start=1):
            if differs:
                found.append(differs)
                sys.stderr.write("\n{}\n{}\n".format(*differs))
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{sum(sizes[:done]):,} cases, {len(found)} disagreements ")
    sys.stdout.write(f"seed {options.seed}: {options.cases:,} cases, {len(found)} disagreements\n")
    if found:
        what, text = min(found, key=lambda pair: len(pair[1]))
        sys.stdout.write(f"{what}\n{text}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
