"""Stacks that are no chains: named inputs and results, and the graphs that are built of them."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml
from torch import fx, nn

from netbuild.builder.module import module as build
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph

TWO_BRANCHES = """
name: two-branches
inputs: {left: [1, 8, 8], right: [1, 8, 8]}
layers:
  a:
    layers:
      conv: {Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}}
      pool: {MaxPool2d: {kernel_size: 2, return_indices: true}}
    inputs: left
    outputs: [pool, pool.indices]
  b:
    layers: [{Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}}, {MaxPool2d: 2}]
    inputs: right
  add: {Add, inputs: [a, b]}
  cat: {Concat, inputs: [add, a.pool]}
  body: {Tanh, repeat: 2}
  flat: Flatten
  fc: {Linear: 10}
outputs: {scores: fc, where: a.pool_indices}
"""


def graph(text: str) -> Graph:
    """Return what netbuild infers of a text that has no faults."""
    found = infer(read(from_bytes("network.yaml", text.encode())))
    assert [str(fault) for fault in found.diagnostics] == []
    return found


def network(layers: Any, x: list[int]) -> Graph:
    """Return what netbuild infers of layers without faults."""
    return graph(yaml.safe_dump({"input": x, "layers": layers}, sort_keys=False))


class TwoBranches(nn.Module):
    """The same network as a person writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.ModuleDict(
            {"conv": nn.Conv2d(1, 4, 3, padding=1), "pool": nn.MaxPool2d(2, return_indices=True)}
        )
        self.b = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2))
        self.fc = nn.Linear(128, 10)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scores, and where the pool found its values."""
        pooled, indices = self.a["pool"](self.a["conv"](left))
        added = pooled + self.b(right)
        x = torch.cat([added, pooled], dim=1).tanh().tanh()
        return self.fc(x.flatten(1)), indices


def test_a_graph_computes_what_a_person_would_write() -> None:
    """The built module has the weights' names of the hand-written one, and gives the same."""
    theirs, ours = TwoBranches(), build(graph(TWO_BRANCHES))
    ours.load_state_dict(theirs.state_dict())
    left, right = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(ours(left, right), theirs(left, right), rtol=0, atol=0)


def test_a_graph_is_a_graph_module_and_a_chain_is_sequential() -> None:
    """Only the stacks that are no chains become graphs, called as the file calls them."""
    module = build(graph(TWO_BRANCHES))
    assert isinstance(module, fx.GraphModule)
    assert isinstance(module.a, fx.GraphModule)
    assert type(module.b) is type(module.body) is nn.Sequential
    assert "class TwoBranches(" in module.print_readable(print_output=False)
    names = [node.name for node in module.graph.nodes]
    assert names == [
        *("left", "right", "a", "getitem", "getitem_1", "b"),
        *("add", "cat", "body", "flat", "fc", "output"),
    ]


def test_what_is_not_read_is_not_computed() -> None:
    """A graph has no node for a result of a layer that nothing reads."""
    text = "input: [4, 6]\nlayers: [{LSTM: 3}, {Linear: 2}]"
    module = build(graph(text))
    assert isinstance(module, fx.GraphModule)
    assert [node.op for node in module.graph.nodes].count("call_method") == 0


def test_a_graph_is_copied_pickled_and_loaded_without_netbuild(tmp_path: Any) -> None:
    """What is built needs nothing of netbuild, in this process or in another."""
    module = build(graph(TWO_BRANCHES)).eval()
    x = (torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8))
    expected = module(*x)
    again = pickle.loads(pickle.dumps(module))  # noqa: S301  of this process
    for other in (copy.deepcopy(module), again):
        torch.testing.assert_close(other(*x), expected, rtol=0, atol=0)
    torch.save((module, x, expected), tmp_path / "module.pt")
    code = (
        "import sys; sys.modules['netbuild'] = None; import torch\n"
        f"module, x, y = torch.load({str(tmp_path / 'module.pt')!r}, weights_only=False)\n"
        "torch.testing.assert_close(module(*x), y)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_graph_is_exported() -> None:
    """`torch.export` takes it as it is."""
    module = build(graph(TWO_BRANCHES)).eval()
    x = (torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8))
    program = torch.export.export(module, x)
    torch.testing.assert_close(program.module()(*x), module(*x))
    torch.export.save(program, io.BytesIO())


def test_a_member_with_a_wrong_modifier_keeps_its_name() -> None:
    """The names that a fault lists are those of the file, and no numbers for them."""
    text = "input: [4]\nlayers: {a: {ReLU, repeat: 0}, b: {ReLU, inputs: q}}\n"
    *_, fault = infer(read(from_bytes("network.yaml", text.encode()))).diagnostics
    assert fault.help == "the names here are input, a"


def test_results_are_named_by_their_ports() -> None:
    """`lstm.h_n` is a result of its own, with the batch in front; unnamed it is the first."""
    text = """
input: [5, 6]
layers:
  lstm: {LSTM: {hidden_size: 3, num_layers: 2}}
  last: {Flatten, inputs: lstm.h_n}
  first: {Linear: 2, inputs: last}
outputs: [first, lstm, lstm.c_n]
"""
    found = graph(text)
    assert {name: y.shape for name, y in found.outputs.items()} == {
        "first": (2,),
        "lstm": (5, 3),
        "lstm_c_n": (2, 3),
    }
    module = build(found)
    x = torch.rand(4, 5, 6)
    y, (h_n, c_n) = module.lstm(x)
    expected = (module.first(h_n.transpose(0, 1).flatten(1)), y, c_n.transpose(0, 1))
    torch.testing.assert_close(module(x), expected, rtol=0, atol=0)


def test_inputs_by_name_are_in_the_order_of_the_layer() -> None:
    """`inputs:` may name what is what, in any order."""
    text = """
inputs: {a: [2, 4], b: [3, 4]}
layers:
  - {MultiheadAttention: {num_heads: 2}, inputs: {value: b, key: b, query: a}}
"""
    found = graph(text)
    assert found.rows[0].shapes == ((2, 4), (3, 4), (3, 4))
    module = build(found)
    a, b = torch.rand(1, 2, 4), torch.rand(1, 3, 4)
    attention = module.get_submodule("0")
    torch.testing.assert_close(module(a, b), attention(a, b, b)[0])


def test_repeated_layers_read_one_another_and_the_rest_as_before() -> None:
    """The first input of what is repeated comes from the one before, the others stay."""
    text = """
inputs: {tgt: [2, 4], memory: [3, 4]}
layers:
  decoder:
    {TransformerDecoderLayer: {nhead: 2, dim_feedforward: 8}, inputs: [tgt, memory], repeat: 2}
"""
    found = graph(text)
    assert [row.path for row in found.rows] == ["decoder.0", "decoder.1"]
    sources = [[tuple(source) for source in row.sources] for row in found.rows]
    memory = ("", "memory")
    assert sources == [[("", "tgt"), memory], [("decoder.0", "output"), memory]]
    module = build(found).eval()
    tgt, given = torch.rand(1, 2, 4), torch.rand(1, 3, 4)
    layers = [module.get_submodule(row.path) for row in found.rows]
    expected = layers[1](layers[0](tgt, given), given)
    torch.testing.assert_close(module(tgt, given), expected)


def test_unpooling_puts_values_back() -> None:
    """Max-unpooling with the indices of a pool puts its values where they were."""
    text = """
input: [1, 4, 4]
layers:
  pool: {MaxPool2d: {kernel_size: 2, return_indices: true}}
  unpool: {MaxUnpool2d: 2, inputs: [pool, pool.indices]}
"""
    x = torch.rand(2, 1, 4, 4)
    y = build(graph(text))(x)
    kept = y != 0
    assert kept.sum() == 2 * 4
    assert torch.equal(y[kept], x[kept])


def test_receptive_field_is_the_largest_over_the_paths() -> None:
    """Where branches meet, the wider one decides."""
    text = """
input: [1, 8, 8]
layers:
  wide: {Conv2d: {out_channels: 2, kernel_size: 5, padding: 2}}
  narrow: {Conv2d: {out_channels: 2, kernel_size: 3, padding: 1}, inputs: input}
  add: {Add, inputs: [narrow, wide]}
  conv: {Conv2d: {out_channels: 2, kernel_size: 3}}
"""
    assert [row.receptive_field for row in graph(text).rows] == [(5, 5), (3, 3), (5, 5), (7, 7)]


@pytest.mark.parametrize("inplace", [False, True])
def test_overwriting_is_refused_across_branches(*, inplace: bool) -> None:
    """A layer that overwrites what a branch keeps for backward is refused; torch could not."""
    text = f"""
input: [4]
layers:
  x: {{Linear: 4}}
  left: {{Linear: 4, inputs: x}}
  right: {{ReLU: {{inplace: {str(inplace).lower()}}}, inputs: x}}
  add: {{Add, inputs: [left, right]}}
"""
    found = infer(read(from_bytes("network.yaml", text.encode())))
    assert [fault.code for fault in found.diagnostics] == (["NB211"] if inplace else [])
    module = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4), nn.ReLU(inplace=inplace)])
    x = module[0](torch.rand(2, 4))
    y = module[1](x) + module[2](x)
    if inplace:
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()
    else:
        y.sum().backward()


def test_memory_counts_what_branches_share_once() -> None:
    """Two layers that keep the same tensor keep it once."""
    layers = {
        "x": {"Linear": 8},
        "left": {"Linear": 3, "inputs": "x"},
        "right": {"Linear": 3, "inputs": "x"},
        "add": {"Add": None, "inputs": ["left", "right"]},
    }
    assert network(layers, [4]).activations_bytes == 4 * (4 + 8)


@pytest.mark.parametrize("names", [("input", "input_1"), ("max", "max_1"), ("input_1", "input")])
def test_inputs_with_names_of_builtins(names: tuple[str, str]) -> None:
    """torch.fx calls a builtin's namesake `input_1`; another input of that name stays itself."""
    first, second = names
    text = f"""
inputs: {{{first}: [4], {second}: [4]}}
layers: {{a: {{Subtract, inputs: [{first}, {second}]}}}}
"""
    x, y = torch.randn(2, 3, 4)
    module = build(infer(read(from_bytes("net.yaml", text.encode()))))
    torch.testing.assert_close(module(x, y), x - y)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("inputs: {getattr: [4]}\nlayers: [{Linear: 2, inputs: getattr}]\n", "NB109"),
        ("input: [4]\nlayers: {getattr: {Linear: 2}}\n", None),
        ("input: [4]\nlayers: [{inputs: {getattr: input}, layers: [ReLU]}]\n", "NB109"),
        ("input: [4]\nlayers: {a: ReLU}\noutputs: {class: a}\n", None),
        ("input: [4]\nlayers: {a: ReLU}\noutputs: {'a b': a}\n", "NB109"),
        ("input: [4]\nlayers: {a: ReLU}\noutputs: {a.b: a}\n", "NB109"),
        ("input: [4]\nlayers: {a: {layers: {r: ReLU}, outputs: {A: r}}}\n", None),
    ],
)
def test_names_of_inputs_and_outputs(text: str, code: str | None) -> None:
    """`forward` calls getattr for a layer called 0, and outputs are named as layers are."""
    found = infer(read(from_bytes("net.yaml", text.encode()))).diagnostics
    assert [fault.code for fault in found] == ([code] if code else [])


def test_helps_name_what_is_in_reach() -> None:
    """The inputs that the layer lacks, or else all names of the stack."""
    pool = "{MaxPool2d: {kernel_size: 2, return_indices: true}}"
    text = f"input: [1, 4, 4]\nlayers:\n  - {pool}\n  - MaxUnpool2d: 2\n"
    (fault,) = infer(read(from_bytes("net.yaml", text.encode()))).diagnostics
    assert fault.help == "name the inputs: {MaxUnpool2d: …, inputs: [0, 0.indices]}"
    right = text.replace("MaxUnpool2d: 2", "{MaxUnpool2d: 2, inputs: [0, 0.indices]}")
    assert infer(read(from_bytes("net.yaml", right.encode()))).diagnostics == ()
    text = "input: [4]\nlayers: {a: ReLU, b: Tanh, c: {Add, inputs: b}}\n"
    (fault, *_) = infer(read(from_bytes("net.yaml", text.encode()))).diagnostics
    assert fault.help == "name two or more inputs: the names here are input, a, b"
    text = "inputs: {a: [4], b: [4], c: [4]}\nlayers: [Subtract]\n"
    (fault, *_) = infer(read(from_bytes("net.yaml", text.encode()))).diagnostics
    assert fault.help == "name the inputs that the layer reads: inputs: [a, b]"
