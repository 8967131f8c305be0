"""Whole random files: netbuild and a second reading of the language agree about everything.

`python -m tests.whole --cases 50000 --seed N` draws more of them.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netbuild.components.layers.linear import Linear
from tests import ROOT
from tests.whole.__main__ import compare
from tests.whole.compare import Comparison
from tests.whole.reader import read
from tests.whole.smaller import smaller

if TYPE_CHECKING:
    from netbuild.components.tensor import Shape

LISTED = re.compile(r"```yaml (\S+)\n(.*?)```\n\n```text \1\n(.*?)```", re.DOTALL)


def _expect_agreement(first: int, cases: int, *, every: int) -> None:
    found, counts = compare(first, cases, every=every)
    assert found == []
    assert counts["accepted by both"] > cases / 2
    assert counts["refused by both"] > cases / 20


def test_a_few_files_agree() -> None:
    """Of drawn files netbuild accepts those that the reader runs, and builds the same."""
    _expect_agreement(12, 12, every=0)


@pytest.mark.slow
def test_hundreds_of_files_agree() -> None:
    """The same for many files, some of them with `torch.export`."""
    _expect_agreement(421_000, 400, every=80)


RULES = """
# accepted: a member, but no input, may be called getattr
input: [4]
layers: {getattr: ReLU}
---
# NB109: the same name of an input
inputs: {getattr: [4]}
layers: {a: {ReLU, inputs: getattr}}
---
# NB109: an attribute of torch's modules
input: [4]
layers: {forward: ReLU}
---
# accepted: names by their index
input: [4]
layers: {a$index: {Linear: 4, repeat: 2}}
---
# accepted: a stack that reads only a Parameter
input: [4]
layers: [{Parameter: {shape: [4], batch_axis: false}}, [{Parameter: [4]}], ReLU]
---
# NB210: groups of one value
input: [4]
layers: [{GroupNorm: 4}]
---
# NB204: a tensor without values
input: [4, 1, 1]
layers: [{ConvTranspose2d: {out_channels: 1, kernel_size: 2, padding: 1}}]
---
# accepted: what is an output of its stack is computed
input: [4, 4]
layers:
  a:
    layers: {b: {MatMul, inputs: [input, input]}, c: {ReLU, inputs: input}}
    outputs: [c, b]
outputs: a
---
# accepted: a stack is called, though nothing reads its result
input: [4, 4]
layers: {a: [{MatMul: , inputs: [input, input]}]}
outputs: input
---
# accepted: an operation whose result nothing reads is left out
input: [4, 4]
layers: {a: {MatMul, inputs: [input, input]}}
outputs: input
---
# accepted: two products
input: [4]
layers: {a: {Bilinear: 3, inputs: [input, input]}}
---
# accepted: fused attention with a mask
input: [6, 4]
layers:
- MultiheadAttention: {num_heads: 2, need_weights: false, is_causal: true, add_zero_attn: true}
---
# accepted: masks of a decoder
input: [6, 4]
layers:
- TransformerDecoderLayer: {nhead: 2, dropout: 0.0, dim_feedforward: 4, memory_is_causal: true}
  inputs: [input, input]
---
# accepted: indices into the size of the result
input: [2, 4]
layers:
- MaxPool1d: {kernel_size: 2, return_indices: true}
- {MaxUnpool1d: 2, inputs: [0, 0.indices]}
---
# NB212: indices into another size
input: [2, 5]
layers:
- MaxPool1d: {kernel_size: 2, return_indices: true}
- {MaxUnpool1d: 2, inputs: [0, 0.indices]}
---
# accepted: masks of padding and of each head, by name
inputs:
  x: [4, 4]
  pad: {shape: [4], dtype: bool}
  seen: {shape: [2, 4, 4]}
layers:
  a: {MultiheadAttention: 2, inputs: {query: x, key_padding_mask: pad, attn_mask: seen}}
  b:
    TransformerEncoderLayer: {nhead: 2, dim_feedforward: 4, dropout: 0.0}
    inputs: {src: a, src_mask: seen, src_key_padding_mask: pad}
---
# accepted: lengths of each sample
inputs: {x: [4, 3], n: {shape: [], dtype: int64}}
layers:
  ends: {Formula: "clamp(x + 2, 1, 4)", inputs: n}
  r: {LSTM: 5, inputs: {input: x, lengths: ends}}
outputs: [r, r.h_n, r.c_n]
---
# NB106: a mask beside is_causal
inputs: {x: [4, 4], seen: {shape: [4, 4], dtype: bool}}
layers:
  a: {MultiheadAttention: {num_heads: 2, is_causal: true}, inputs: {query: x, attn_mask: seen}}
---
# accepted: a formula, a tie, a parametrization, and a stack that is computed again
input: [4]
layers:
  a: {Linear: 4, parametrize: spectral_norm}
  b: {layers: [{BatchNorm1d: , freeze: true}, {Linear: 4}, Tanh], checkpoint: true}
  c: {Formula: "where(x > 0, x, m) * exp(-x)", inputs: {x: a, m: b}}
  d: {Linear: 4, tie: {weight: b.1.weight}, inputs: c}
---
# NB219: another shape than that of the other weight
input: [4]
layers: {a: {Linear: 5}, b: {Linear: 4, tie: {weight: a.weight}}}
---
# NB211: what is computed again is overwritten
input: [4]
layers:
  a: {Linear: 4}
  b: {layers: [{Linear: 4}], checkpoint: true}
  c: {ReLU: {inplace: true}, inputs: a}
  d: {Add, inputs: [b, c]}
---
# accepted: a stack that is computed again is called, though nothing reads its result
input: [4]
layers:
  a: {Linear: 4}
  b: {layers: {n: BatchNorm1d, p: {Parameter: [4]}}, checkpoint: true}
outputs: a
---
# accepted: such a stack keeps nothing for a Parameter alone
input: [4]
layers:
  a: {layers: {p: {Parameter: [4]}}, checkpoint: true}
  b: {Add, inputs: [a, input]}
---
# accepted: a Parameter knows the shape before it, also as a copy
input: [4]
layers: {a: {Parameter: $in_shape, repeat: 2}}
---
# accepted: a member that is left out hides the input of its name
inputs: {x: [4], y: [6]}
layers:
  s:
    inputs: {a: x, b: y}
    layers: {b: {SELU: , inputs: a, when: false}, c: {Linear: 2, inputs: b}}
---
# accepted: the only input of a stack needs no name
input: [4]
layers: [{layers: [{Linear: 4, inputs: x}], inputs: {x: input}}, {Reuse: 0}]
"""


@pytest.mark.parametrize("text", [rule.strip() for rule in RULES.split("---")])
def test_rules_of_the_page(text: str) -> None:
    """Both readings follow the page, and count the same; the page says what is refused."""
    comparison = Comparison(text)
    assert comparison.run() == []
    outcome = text[2:].partition(":")[0]
    said = "accepted by both" if outcome == "accepted" else f"refused with {outcome}"
    assert comparison.counts[said] == 1


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        pytest.param(m[2], m[3], id=m[1])
        for m in LISTED.finditer((ROOT / "docs/language.md").read_text())
    ],
)
def test_the_reader_reads_the_page(text: str, listed: str) -> None:
    """The reader finds the layers that stand below the examples of the page."""
    steps = [f"{step.path}: {step.kind}" for step in read(text).every_step]
    assert steps == [" ".join(line.split()[:2]) for line in listed.splitlines()]


def test_a_wrong_rule_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that is off by one is found, and shown by a file of one layer."""
    rule = Linear.output_shape

    def off_by_one(self: Linear, x: Shape) -> Shape:
        y = rule(self, x)
        return (*y[:-1], y[-1] + 1)

    monkeypatch.setattr(Linear, "output_shape", off_by_one)
    monkeypatch.setattr("netbuild.graph.inference._results", {})  # what is inferred is cached
    text = "input: [4]\nvars: {w: 2}\nlayers:\n- ReLU\n- - {Linear: $w}\n  - Sigmoid\n"
    assert "shapes" in [one.kind for one in Comparison(text).run()]
    assert smaller(text, "shapes").count("\n") <= 4
    assert "Sigmoid" not in smaller(text, "shapes")


def test_the_reader_shares_no_code_with_netbuild() -> None:
    """Only the comparison, and this test, import netbuild."""
    importing = set()
    for path in Path(__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if any(name.partition(".")[0] == "netbuild" for name in names):
                importing.add(path.name)
    assert importing == {"compare.py", Path(__file__).name}
