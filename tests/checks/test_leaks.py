"""A network must not see what it has to tell; a similar network that does not see it is silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from netbuild.checks.trace import infer
from netbuild.components.datasets.array_files import read_arrays, shift_between
from netbuild.config.load import load, read
from netbuild.syntax.parser import from_bytes
from netbuild.syntax.repair import Repair
from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.syntax.parser import Source

STUDY = ROOT / "benchmarks/leaks"

HEAD = """input: {shape: [16], dtype: int64}
layers:
  embed: {Embedding: {num_embeddings: 9, embedding_dim: 8}}
"""
TAIL = """  head: {Linear: 9}
  classes: {Transpose: {dim0: 1, dim1: 2}}
loss: CrossEntropyLoss
data: {Text: {file: nothing.txt, length: 16, vocabulary: 9}}
"""


def found(*members: str, head: str = HEAD, tail: str = TAIL) -> list[tuple[str, str | None]]:
    """Return the codes and layers of what is wrong with a network of tokens."""
    text = head + "".join(f"  {member}\n" for member in members) + tail
    return [(d.code, d.layer) for d in diagnostics(text)]


def check(source: Source) -> tuple[Diagnostic, ...]:
    """Return the diagnostics of a source."""
    return infer(read(source)).diagnostics


def diagnostics(text: str) -> tuple[Diagnostic, ...]:
    """Return the diagnostics of a text."""
    return check(from_bytes("network.yaml", text.encode()))


@pytest.mark.parametrize("path", sorted(STUDY.glob("*/*.yaml")), ids=lambda path: path.stem)
def test_the_study(path: Path) -> None:
    """Of the twelve networks that `benchmarks/leaks.py` trains, the six that see are told."""
    codes = {fault.code for fault in infer(load(path)).diagnostics}
    assert codes == ({"NB410"} if path.parent.name == "sees" else set())


@pytest.mark.parametrize(
    ("members", "layers"),
    [
        (["a: {GRU: {hidden_size: 8, bidirectional: true}}"], ["a"]),
        (["a: {LSTM: {hidden_size: 8, num_layers: 2}}"], []),
        (["a: {MultiheadAttention: 2}"], ["a"]),
        (["a: {MultiheadAttention: {num_heads: 2, is_causal: true}}"], []),
        (["n: {LayerNorm: {normalized_shape: [16, 8]}}"], ["n"]),
        (["n: LayerNorm"], []),
        (["g: {GroupNorm: 2}"], ["g"]),
        (["b: BatchNorm1d"], []),
        (["s: {Softmax: 1}"], ["s"]),
        (["s: {Softmax: -1}"], []),
        (["m: {Mean: {dim: 1, keepdim: true}}", "j: {Add, inputs: [embed, m]}"], ["m"]),
        # The first place is no secret to the places behind it.
        (["f: {Narrow: {dim: 1, start: 0, length: 1}}", "j: {Add, inputs: [embed, f]}"], []),
        (["l: {Narrow: {dim: 1, start: 15, length: 1}}", "j: {Add, inputs: [embed, l]}"], ["j"]),
        # Places that move on by one see the place before, and may then look one place ahead.
        (
            [
                "zero: {Parameter: {shape: [1, 8]}}",
                "all: {Narrow: {dim: 1, start: 0, length: 15}, inputs: embed}",
                "later: {Concat: {dim: 1}, inputs: [zero, all]}",
            ],
            [],
        ),
        (
            [
                "all: {Narrow: {dim: 1, start: 1, length: 15}, inputs: embed}",
                "zero: {Parameter: {shape: [1, 8]}}",
                "ahead: {Concat: {dim: 1}, inputs: [all, zero]}",
            ],
            ["all"],
        ),
        # Axes that are merged and split again.
        (["f: Flatten", "u: {Unflatten: {dim: 1, unflattened_size: [16, 8]}}"], []),
        (["f: Flatten", "m: {Linear: 128}", "u: {Unflatten: {dim: 1, unflattened_size: [16, 8]}}",
          "t: Tanh"], ["m"]),
    ],
)  # fmt: skip
def test_layers_that_mix_places(members: list[str], layers: list[str]) -> None:
    """Each layer that shows a later place is told, and no other one."""
    assert found(*members) == [("NB410", layer) for layer in layers]


@pytest.mark.parametrize(("before", "leaks"), [((2, 0), False), ((1, 1), True), ((0, 2), True)])
def test_windows(before: tuple[int, int], *, leaks: bool) -> None:
    """A convolution of three places may see its own place and the two before it."""
    members = [
        "channels: {Transpose: {dim0: 1, dim1: 2}}",
        f"pad: {{ZeroPad1d: [{before[0]}, {before[1]}]}}",
        "conv: {Conv1d: {out_channels: 8, kernel_size: 3}}",
        "places: {Transpose: {dim0: 1, dim1: 2}}",
    ]
    assert bool(found(*members)) == leaks


def test_deep_residual_networks() -> None:
    """The 2⁴⁰ ways through forty residual blocks are looked at together."""
    block = """
    repeat: 40
    layers:
      a: {MultiheadAttention: {num_heads: 2, is_causal: true}}
      j: {Add, inputs: [a, input]}"""
    mean = ["m: {Mean: {dim: 1, keepdim: true}}", "all: {Add, inputs: [embed, m]}"]
    assert found(*mean, f"blocks:{block}") == [("NB410", "m")]


def test_attention_weights_by_hand() -> None:
    """The weights of a causal attention are 0 for later places: a product with them shows none."""
    product = "product: {MatMul, inputs: [own.weights, embed]}"
    assert not found("own: {MultiheadAttention: {num_heads: 2, is_causal: true}}", product)
    assert found("own: {MultiheadAttention: 2}", product) == [("NB410", "own")]


def test_one_target_a_sample() -> None:
    """A network that tells the one token behind its input may see all of the input."""
    tail = TAIL.replace("  classes: {Transpose: {dim0: 1, dim1: 2}}\n", "").replace(
        "  head", "  last: {Select: {dim: 1, index: -1}}\n  head"
    )
    assert not found("a: {GRU: {hidden_size: 8, bidirectional: true}}", tail=tail)


def test_every_fix_makes_it_causal() -> None:
    """The fixes of all layers together leave a network without faults."""
    members = [
        "body: {TransformerEncoderLayer: {nhead: 2, dim_feedforward: 8}}",
        "more: {TransformerEncoder: {encoder_layer: {TransformerEncoderLayer: 2}, num_layers: 2}}",
        "own: {MultiheadAttention: 4}",
        "read: {TransformerDecoderLayer: 2, inputs: [own, embed]}",
        "both: {Transformer: {nhead: 2}, inputs: [embed, read]}",
        "gru: {GRU: {hidden_size: 8, bidirectional: true}}",
    ]
    text = HEAD + "".join(f"  {member}\n" for member in members) + TAIL
    source = from_bytes("network.yaml", text.encode())
    faults = check(source)
    assert [fault.layer for fault in faults] == ["body", "more", "own", "read", "both", "gru"]
    repair = Repair(check, lambda fault: next(iter(fault.fixes), None), lambda _: None)
    assert [list(left) for left in repair.run([source])] == [[]]


def save(path: Path, x: np.ndarray, y: np.ndarray) -> int | None:
    """Save two arrays, and return the shift between them."""
    np.savez(path, x=x, y=y)
    arrays = read_arrays(path)
    return shift_between(arrays["x"], arrays["y"])


def test_arrays_that_repeat(tmp_path: Path) -> None:
    """A target is a later input only if it is so at every place of every sample."""
    draw = np.random.default_rng(0)
    path = tmp_path / "a.npz"
    x = draw.integers(0, 12, (40, 8))
    ahead = np.roll(x, -1, 1)
    ahead[:, -1] = draw.integers(0, 12, 40)
    assert save(path, x, ahead) == 1
    assert save(path, x.astype("i2"), ahead.astype("i4")) == 1
    assert save(path, x.astype("f4"), ahead.astype("f4")) == 1
    assert save(path, x.astype(">i8"), ahead) == 1
    ignored = np.where(draw.random(ahead.shape) < 0.3, -100, ahead)
    assert save(path, x, ignored) == 1
    assert save(path, x, x) is None
    assert save(path, x, np.where(draw.random(x.shape) < 0.1, 0, ahead)) is None
    assert save(path, np.zeros_like(x), np.zeros_like(x)) is None
    assert save(path, x[:, :4], ahead) is None
    assert save(path, np.stack([x, x + 1], -1), np.stack([ahead, ahead + 1], -1)) == 1
    assert save(path, np.stack([x, x + 1], -1), ahead) == 1
    assert save(path, np.stack([x, x * x], -1), ahead[..., None] ** 2) == 1
    assert save(path, np.stack([x, x * x], -1), ahead + 1) is None


def test_padded_samples(tmp_path: Path) -> None:
    """A sample ends where its padding begins, and its last target is not in the input."""
    draw = np.random.default_rng(0)
    text = draw.integers(2, 12, (40, 9))
    text[np.arange(9) > draw.integers(3, 9, (40, 1))] = -1
    x = np.where(text[:, 1:] < 0, 0, text[:, :-1])
    for padding in (-100, 0):
        y = np.where(text[:, 1:] < 0, padding, text[:, 1:])
        assert save(tmp_path / "a.npz", x, y) == 1
    tags = np.where(x == 0, -100, x % 3)
    assert save(tmp_path / "a.npz", x, tags) is None


@pytest.mark.parametrize(("padding", "leaks"), [("[2, 0]", False), ("[1, 1]", True)])
def test_channels_first(padding: str, *, leaks: bool, tmp_path: Path) -> None:
    """The places of channels×length are axis 1."""
    series = np.random.default_rng(0).random((40, 1, 17), "f4")
    np.savez(tmp_path / "series.npz", x=series[:, :, :-1], y=series[:, :, 1:])
    text = f"""input: [1, 16]
layers: [{{ZeroPad1d: {padding}}}, {{Conv1d: {{out_channels: 1, kernel_size: 3}}}}]
loss: MSELoss
data: {{Arrays: {{file: {tmp_path}/series.npz}}}}
"""
    assert [(d.code, d.layer) for d in diagnostics(text)] == [("NB410", "1")] * leaks


def test_teacher_forcing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The input of a decoder is its target, moved on by one: it must be read causally."""
    monkeypatch.chdir(tmp_path)
    told = np.random.default_rng(0).integers(2, 12, (60, 8))
    begun = np.concatenate([np.ones((60, 1), int), told[:, :-1]], 1)
    np.savez("pairs.npz", src=told[::-1], tgt=begun, y=told)
    text = """inputs: {src: {shape: [8], dtype: int64}, tgt: {shape: [8], dtype: int64}}
layers:
  a: {Embedding: {num_embeddings: 12, embedding_dim: 8}, inputs: src}
  b: {Embedding: {num_embeddings: 12, embedding_dim: 8}, inputs: tgt}
  t: {Transformer: {nhead: 2, num_encoder_layers: 1, num_decoder_layers: 1FIELD}, inputs: [a, b]}
  h: {Linear: 12}
  o: {Transpose: {dim0: 1, dim1: 2}}
loss: CrossEntropyLoss
data: {Arrays: {file: pairs.npz, inputs: [src, tgt], target: y}}
"""
    assert [d.code for d in diagnostics(text.replace("FIELD", ""))] == ["NB410"]
    assert not diagnostics(text.replace("FIELD", ", tgt_is_causal: true"))
