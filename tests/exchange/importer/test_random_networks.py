"""Any network, however its modules call each other, comes back with the same computation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from netbuild.components.tensor import Tensor
from netbuild.exchange.importer.folding.folding import config_of, plain_text
from netbuild.exchange.importer.network import Network, Node, Stack
from netbuild.graph.graph import results
from netbuild.graph.value import OUTPUT, Value
from tests.examples import examples
from tests.exchange.importer.networks import graph_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netbuild.graph.row import Row

STACKS = ("", "a", "b", "a.c", "body.0", "body.1", "body.2")
CLASSES = {"a": "Block", "b": "Block", "body.0": "Part", "body.1": "Part", "body.2": "Part"}
READS = {"Linear": 1, "LayerNorm": 1, "ReLU": 1, "Add": 2, "Maximum": 2}
X = Value("", "x")


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Draw a network of layers that keep the shape, so that each may read any other."""
    nodes: list[Node] = []
    values = [X]
    for number in range(draw(st.integers(1, 12))):
        stack = draw(st.sampled_from(STACKS))
        type_ = draw(st.sampled_from(sorted(READS)))
        path = f"{stack}.n{number}" if stack else f"n{number}"
        near = st.sampled_from(values[-3:])
        reads = [draw(near) for _ in range(READS[type_])]
        again = [node for node in nodes if node.type == type_ and not node.reuses]
        arguments = {"out_features": 4} if type_ == "Linear" else {}
        reuses = None
        if type_ == "ReLU" and again and draw(st.booleans()):
            reuses = draw(st.sampled_from(again)).path
        wires = tuple(("input", value) for value in reads)
        nodes.append(Node(path, type_, arguments, wires, reuses=reuses))
        values.append(Value(path, OUTPUT))
    stacks = {path: Stack(path, type_) for path, type_ in CLASSES.items()}
    outputs = {OUTPUT: values[-1]}
    if draw(st.booleans()):
        outputs = {"first": draw(st.sampled_from(values[1:])), "last": values[-1]}
    return Network("Net", {"x": Tensor((4,))}, tuple(nodes), outputs, stacks)


@st.composite
def called_again(draw: st.DrawFn) -> Network:
    """Draw a network that runs one of its stacks once more, on other values."""
    network = draw(networks())
    first = [node for node in network.nodes if node.path.startswith("a.")]
    values = [X, *(Value(node.path, OUTPUT) for node in network.nodes)]
    if not first or any(node.reuses for node in network.nodes):
        return network
    inside = {Value(node.path, OUTPUT) for node in first}
    outside = dict.fromkeys(v for node in first for _, v in node.inputs if v not in inside)
    read = {value: draw(st.sampled_from(values)) for value in outside}
    read |= {v: Value(f"again.{v.path.removeprefix('a.')}", OUTPUT) for v in inside}
    again = [
        Node(
            f"again.{node.path.removeprefix('a.')}",
            node.type,
            node.arguments,
            tuple((name, read[value]) for name, value in node.inputs),
            reuses=node.path if node.type in ("Linear", "LayerNorm", "ReLU") else None,
        )
        for node in first
    ]
    ends = (values[-1], Value(again[-1].path, OUTPUT))
    end = Node("end", "Add", {}, tuple(("input", value) for value in ends))
    stacks = {**network.stacks, "again": Stack("again", "Block", "a")}
    nodes = (*network.nodes, *again, end)
    return network._replace(nodes=nodes, stacks=stacks, outputs={OUTPUT: Value("end", OUTPUT)})


def computed(
    nodes: Iterable[tuple[str, str, str, Sequence[Value]]],
    outputs: Mapping[str, Value],
    inputs: Iterable[str],
) -> dict[str, object]:
    """Return what each output computes, as a term. A layer with weights is known by its path."""
    known: dict[Value, object] = {Value("", name): "x" for name in inputs}
    for path, owned, type_, reads in nodes:
        terms: list[object] = [known[value] for value in reads]
        if type_ in ("Add", "Maximum"):
            terms.sort(key=repr)
        own = owned if type_ in ("Linear", "LayerNorm") else ""
        known[Value(path, OUTPUT)] = hash((type_, own, *terms))
    return {name: known[value] for name, value in outputs.items()}


def owner(row: Row) -> str:
    """Return the path of the layer whose weights a layer has, by `Reuse` or by `tie`."""
    tied = [target.rpartition(".")[0] for target in row.tied.values()]
    return row.reuses or (tied[0] if tied else row.path)


def check(network: Network) -> None:
    """Assert that the config has all weights and computes the same, unless it tells a gap."""
    made = config_of(network)
    owners = {node.path: node.reuses or node.path for node in network.nodes}
    wanted = computed(
        [(n.path, owners[n.path], n.type, [v for _, v in n.inputs]) for n in network.nodes],
        network.outputs,
        ["x"],
    )
    for text in (made.text, plain_text(network)):
        graph = graph_of(text)
        assert graph.block is not None, text
        if made.gaps:
            continue
        rows = [(row.path, owner(row), row.type, row.sources) for row in graph.rows]
        assert computed(rows, results(graph), graph.block.inputs) == wanted, text


@examples(60, least=25)
@given(networks())
def test_a_network_computes_the_same(network: Network) -> None:
    """The config of any network computes what the network computes."""
    check(network)


@examples(40, least=15)
@given(called_again())
def test_a_stack_that_runs_again(network: Network) -> None:
    """The config of a network that runs a stack twice computes what the network computes."""
    check(network)
