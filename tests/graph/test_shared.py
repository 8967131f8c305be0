"""Values that all samples share: Parameters, and what is computed from them alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import cosine_similarity

import netbuild as package
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes
from tests.saved import kept_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

LOOSE = "{Parameter: {shape: [4], batch_axis: false}, init: ones_}"


def built(text: str) -> torch.nn.Module:
    """Return the module of a text."""
    return package.build(read(from_bytes("net.yaml", text.encode())))


def faults(text: str) -> list[tuple[str, int, int]]:
    """Return the code, the line and the column of each fault of a text."""
    found = infer(read(from_bytes("net.yaml", text.encode()))).diagnostics
    return [(fault.code, fault.span.line, fault.span.column) for fault in found]


@pytest.mark.parametrize("batch", [1, 6])
@pytest.mark.parametrize("inputs", ["[p, q]", "[q, p]", "[p, q, p]"])
def test_parameters_that_are_joined_with_each_other(batch: int, inputs: str) -> None:
    """The one with a batch axis is repeated for each sample, and the sum has the batch."""
    text = f"""
input: [4]
layers:
  p: {{Parameter: [4], init: {{constant_: 2}}}}
  q: {LOOSE}
  s: {{Add, inputs: {inputs}}}
  c: {{Concat, inputs: [input, s]}}
"""
    x = torch.randn(batch, 4)
    sum_ = 3.0 if inputs.count(",") == 1 else 5.0
    torch.testing.assert_close(built(text)(x), torch.cat([x, torch.full((batch, 4), sum_)], 1))


@pytest.mark.parametrize("order", ["left: q, right: input", "right: input, left: q"])
def test_a_stack_takes_its_batch_from_an_input_that_has_one(order: str) -> None:
    """Where a Parameter without a batch axis is its first input, the second one decides."""
    text = f"""
input: [5, 4]
layers:
  q: {{Parameter: {{shape: [5, 4], batch_axis: false}}, init: ones_}}
  s:
    inputs: {{{order}}}
    layers:
      p: {{Parameter: [1, 4]}}
      m: {{Multiply, inputs: [left, right]}}
      c: {{Concat, inputs: [m, p]}}
"""
    x = torch.randn(3, 5, 4)
    torch.testing.assert_close(built(text)(x), torch.cat([x, torch.zeros(3, 1, 4)], 1))


def test_a_parameter_that_comes_out_of_a_stack() -> None:
    """It still lacks its batch axis there, so that the other Parameter is repeated."""
    text = f"""
input: [4]
layers:
  s: {{layers: {{a: ReLU, q: {LOOSE}}}, outputs: {{q: q, a: a}}}}
  p: {{Parameter: [4]}}
  t: {{Maximum, inputs: [p, s.q]}}
  c: {{Concat, inputs: [t, s.a]}}
"""
    x = torch.rand(3, 4)
    torch.testing.assert_close(built(text)(x), torch.cat([torch.ones(3, 4), x], 1))


def test_a_stack_that_reads_what_all_samples_share() -> None:
    """It is computed once a batch, and the network gives its result to each sample."""
    stack = "{inputs: {a: q}, layers: {p: {Parameter: [4]}, s: {Add, inputs: [a, p]}}}"
    module = built(f"input: [4]\nlayers:\n  q: {LOOSE}\n  s: {stack}\n")
    seen: list[torch.Size] = []
    module.get_submodule("s").register_forward_hook(lambda *called: seen.append(called[2].shape))
    torch.testing.assert_close(module(torch.randn(3, 4)), torch.ones(3, 4))
    assert seen == [(1, 4)]


REUSED = """
inputs: {x: [4], y: [4]}
layers:
  q: %s
  s: {inputs: {a: %%s, b: %%s}, layers: {p: {Parameter: [4]}, s: {Concat, inputs: [a, b, p]}}}
  t: {Reuse: s, inputs: {a: %%s, b: %%s}}
outputs: [s, t]
"""


@pytest.mark.parametrize("parameter", [LOOSE, "{Parameter: [4], init: ones_}"])
def test_a_reuse_that_shares_more(parameter: str) -> None:
    """A module that reads values of each sample also reads what all samples share."""
    x, y = torch.randn(2, 3, 4)
    one, none = torch.ones(3, 4), torch.zeros(3, 4)
    values = {"x": x, "y": y, "q": one}
    for calls in ("x y q y", "x y x q", "x y q q", "q y q x", "x q q q", "q q q q"):
        names = tuple(calls.split())
        first, second = built(REUSED % parameter % names)(x, y)
        a, b, c, d = (values[name] for name in names)
        torch.testing.assert_close(first, torch.cat([a, b, none], 1))
        torch.testing.assert_close(second, torch.cat([c, d, none], 1))


@pytest.mark.parametrize("calls", ["q y x y", "q q x q"])
def test_a_reuse_that_shares_less(calls: str) -> None:
    """The module would have to repeat other values for each sample."""
    assert faults(REUSED % LOOSE % tuple(calls.split())) == [("NB215", 6, 7)]


def test_a_repeated_parameter_reads_nothing() -> None:
    """It needs no input, and takes none of several."""
    text = """
inputs: {x: [4], y: [4]}
layers:
  p: {Parameter: [4], repeat: 2}
  a: {Add, inputs: [x, p, y]}
"""
    x, y = torch.randn(2, 3, 4)
    torch.testing.assert_close(built(text)(x, y), x + y)


#: A layer, and its result for an input x of 2×4×6, its first part i, and the Parameters p of 4×6
#: and w of 6×6.
LAYERS: dict[str, Callable[..., torch.Tensor]] = {
    "{Add, inputs: [input, p]}": lambda v: v.x + v.p,
    "{Divide, inputs: [p, input]}": lambda v: v.p / v.x,
    "{Multiply, inputs: [p, w1, input]}": lambda v: v.p * v.w[:1] * v.x,
    "{MatMul, inputs: [input, w]}": lambda v: v.x @ v.w,
    "{MatMul, inputs: [p, t]}": lambda v: v.p @ v.x.mT,
    "{MatMul, inputs: [p, w]}": lambda v: v.p @ v.w,
    "{MatMul, inputs: [input, s]}": lambda v: v.x @ torch.stack([v.w, v.w]),
    "{Concat: {dim: 2}, inputs: [i, p]}": lambda v: torch.cat([v.i, v.p.expand_as(v.i)], 2),
    "{Concat, inputs: [p, w]}": lambda v: torch.cat([v.p, v.w]),
    "{Stack, inputs: [p, i]}": lambda v: torch.stack([v.p.expand_as(v.i), v.i], 1),
    "{Reshape: [3, 8], inputs: p}": lambda v: v.p.reshape(3, 8),
    "{Permute: [0, 2, 1], inputs: p}": lambda v: v.p.mT,
    "{Expand: [5, 4, 6], inputs: u}": lambda v: v.p.expand(5, 4, 6),
    "{Softmax: -1, inputs: p}": lambda v: v.p.softmax(-1),
    "{CosineSimilarity: 2, inputs: [i, p]}": lambda v: cosine_similarity(v.i, v.p[None], 2),
}


@pytest.mark.parametrize("own", ["true", "false"])
@pytest.mark.parametrize("layer", LAYERS)
def test_layers_that_read_what_all_samples_share(layer: str, own: str) -> None:
    """They give every sample its result, whether torch's tensor has a batch axis or not."""
    module = built(f"""
input: [2, 4, 6]
layers:
  t: {{Transpose: {{dim0: 2, dim1: 3}}, inputs: input}}
  i: {{Select: {{dim: 1, index: 0}}, inputs: input}}
  p: {{Parameter: {{shape: [4, 6], batch_axis: {own}}}, init: {{uniform_: {{a: 1, b: 2}}}}}}
  w: {{Parameter: {{shape: [6, 6], batch_axis: {own}}}, init: {{uniform_: {{a: 1, b: 2}}}}}}
  w1: {{Narrow: {{dim: 1, start: 0, length: 1}}, inputs: w}}
  u: {{Unsqueeze: 1, inputs: p}}
  s: {{Stack, inputs: [w, w]}}
  y: {layer}
""")
    weights = module.state_dict()
    p, w = weights["p"].reshape(4, 6), weights["w"].reshape(6, 6)
    for batch in (1, 3):
        x = torch.randn(batch, 2, 4, 6)
        expected = LAYERS[layer](SimpleNamespace(x=x, i=x[:, 0], p=p, w=w))
        y = module(x)
        torch.testing.assert_close(y, expected.expand_as(y))
        assert len(y) == batch


def test_a_layer_beside_a_batch_reads_each_sample() -> None:
    """Attention to shared keys and a recurrence from a shared state repeat them."""
    module = built("""
inputs: {x: [5, 8]}
layers:
  keys: {Parameter: [3, 8], init: {normal_: {}}}
  state: {Parameter: [1, 8], init: {normal_: {}}}
  wide: {Linear: 8, inputs: keys}
  a: {MultiheadAttention: 2, inputs: {query: x, key: wide, value: keys}}
  r: {GRU: 8, inputs: {input: x, h_0: state}}
  linear: {Add, inputs: [a, r]}
""")
    for batch in (1, 3):
        x = torch.randn(batch, 5, 8)
        keys = module.keys.expand(batch, 3, 8)
        a, _ = module.a(x, module.wide(keys), keys)
        r, _ = module.r(x, module.state.expand(batch, 1, 8).transpose(0, 1).contiguous())
        torch.testing.assert_close(module(x), a + r)


#: Layers that draw random numbers or need several samples, and the code of their fault.
RANDOM = {
    "Dropout": "NB218",
    "{Dropout: 0.0}": "",
    "{Dropout: {p: 0.5}, freeze: true}": "",
    "RReLU": "NB218",
    "{TransformerEncoderLayer: {nhead: 2}}": "NB218",
    "{TransformerEncoderLayer: {nhead: 2, dropout: 0.0}}": "",
    "{GRU: {hidden_size: 4, num_layers: 2, dropout: 0.5}}": "NB218",
    "{MultiheadAttention: {num_heads: 2, dropout: 0.1}}": "NB218",
    "BatchNorm1d": "",
    "[{Flatten: {}}, BatchNorm1d]": "NB210",
}


@pytest.mark.parametrize(("layer", "code"), RANDOM.items(), ids=RANDOM)
def test_layers_that_need_samples(layer: str, code: str) -> None:
    """A draw is for one sample, and statistics of a batch need more than one value."""
    text = f"""
input: [6, 8]
layers:
  p: {{Parameter: [6, 8]}}
  l: {layer}
  f: Flatten
  o: {{Linear: 4}}
  x: {{Flatten: {{}}, inputs: input}}
  c: {{Concat, inputs: [o, x]}}
"""
    assert [found for found, _, _ in faults(text)] == ([code] if code else [])
    if not code:
        built(text)(torch.randn(1, 6, 8))


@pytest.mark.parametrize(
    ("stack", "codes"),
    [
        ("{inputs: c, layers: {n: {TYPE: [4]}, a: {Add, inputs: [n, input]}}}", ["NB218"]),
        (
            "{inputs: c, repeat: 2, layers: {n: {TYPE: [4]}, a: {Add, inputs: [n, input]}}}",
            ["NB218"],
        ),
        ("{inputs: {x: c, y: input}, layers: {n: {TYPE: [4]}, a: {Add, inputs: [n, x]}}}", []),
        ("{TYPE: [4], repeat: 2}", []),
    ],
)
@pytest.mark.parametrize("drawn", ["Rand", "Randn"])
def test_draws_need_a_batch(drawn: str, stack: str, codes: list[str]) -> None:
    """A layer that draws for each sample finds the batch in an input of its stack."""
    layers = f"c: {{Constant: {{ones: [4]}}}}\n  s: {stack.replace('TYPE', drawn)}"
    text = f"input: [4]\nlayers:\n  {layers}\n  o: {{Add, inputs: [input, s]}}\n"
    assert [found for found, _, _ in faults(text) if found != "NB302"] == codes
    if not codes:
        y = built(text)(torch.zeros(3, 4))
        assert y.shape == (3, 4)
        assert not torch.equal(y[0], y[1])


def test_costs_of_what_all_samples_share() -> None:
    """Its multiplications count once, and its memory once a batch."""
    text = """
input: [6, 8]
layers:
  p: {Parameter: [6, 8]}
  l: {Linear: 8}
  g: GELU
  m: {Multiply, inputs: [g, input]}
  o: {Linear: 2}
"""
    graph = infer(read(from_bytes("net.yaml", text.encode())))
    module = package.build(graph.config)
    more, less = (kept_bytes(module, torch.randn(n, 6, 8))[0] - n * 6 * 8 * 4 for n in (3, 2))
    # Multiply keeps the input of the network for the gradient of GELU's result.
    assert graph.activations_bytes == more - less + 6 * 8 * 4
    assert graph.shared_activations_bytes == 3 * less - 2 * more == 6 * 8 * 4
    assert graph.macs == 6 * 8 * 8 + 6 * 8 * 2


def test_what_a_formula_keeps_of_shared_values_is_there_once_a_batch() -> None:
    """The result of `exp(p)` is kept once, and the product for no sample."""
    text = """
input: [5, 8]
layers:
  l: {Linear: 8}
  p: {Parameter: [5, 8]}
  f: {Formula: "l * exp(p)", inputs: {l: l, p: p}}
"""
    graph = infer(read(from_bytes("net.yaml", text.encode())))
    (two, _), (four, _) = (kept_bytes(built(text), torch.randn(n, 5, 8)) for n in (2, 4))
    each = (four - two) // 2
    assert (graph.activations_bytes, graph.shared_activations_bytes) == (each, two - 2 * each)
    assert graph.shared_activations_bytes == 160
