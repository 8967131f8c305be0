"""What is a part of a picture: stacks, repeats, wires, marks, and the fault at which it ends."""

from __future__ import annotations

import pytest

from netbuild.components.layers import LAYERS
from netbuild.components.layers.layer import Layer
from netbuild.reports.drawing.frames import frame_of
from netbuild.reports.drawing.kinds import KINDS, kind_of
from netbuild.reports.drawing.labels import label_of, tooltip
from tests import ROOT
from tests.reports.drawing.networks import each, graph_at, graph_of, named, parts_of

REPEATED = """
input: [8]
blocks:
  Twice: {params: {width}, layers: [{Linear: $width}, ReLU]}
layers:
  same: {Twice: 8, repeat: 3}
  other: [{Twice: 8}, {Twice: 8}, {Twice: 6}, {Twice: 6}]
  drops: [{Dropout: 0.1}, {Dropout: 0.1}, {Dropout: 0.2}]
  first: {Linear: 6}
  second: {Linear: 6, freeze: true}
  both: {Add, inputs: [first, second]}
"""


def test_equal_parts_in_a_row_are_one() -> None:
    """Parts repeat if their types, arguments and shapes are equal, and nothing else reads them."""
    found = parts_of(graph_of(REPEATED))
    counts = {part.path: part.repeats for part in each(found.root) if part.repeats > 1}
    # other.3 has the shapes 6 to 6, and other.2 has 8 to 6; first is read by both.
    assert counts == {"same.0": 3, "other.0": 2, "drops.0": 2}
    same = named(found, "same.0")
    assert (same.params, same.macs, same.layers) == (3 * 72, 3 * 64, 2)
    assert same.gives[0].path == "same.2.1"
    assert found.root.params == found.graph.params == sum(p.params for p in found.root.members)


def test_what_is_shared_is_no_repeat() -> None:
    """A reuse of a layer stays a box of its own, and tells whose weights it has."""
    layers = "a: {Linear: 4}, b: {Reuse: a}, c: {Reuse: a}, d: ReLU, e: {Reuse: d}"
    text = f"input: [4]\nlayers: {{{layers}}}\n"
    found = parts_of(graph_of(text))
    assert [part.path for part in found.root.members[1:-1]] == ["a", "b", "c", "d"]
    assert named(found, "d").repeats == 2  # a ReLU has no weights to share
    notes = {part.path: label_of(part, found).note for part in found.root.members}
    assert (notes["b"], notes["c"], notes["d"]) == ("weights of a", "weights of a", "")


def test_a_reused_stack() -> None:
    """A stack that is used again is named, and is closed."""
    found = parts_of(graph_at(ROOT / "configs/siamese.yaml"))
    assert named(found, "same").reuses == named(found, "other").reuses == "encoder"
    assert named(found, "encoder").reuses is None
    assert [part.name for part in found.root.members if part.kind == "input"] == [
        *("anchor", "positive", "negative")
    ]


def test_marks() -> None:
    """Frozen layers and tied weights are marked; a frozen stack too."""
    text = """
input: {shape: [5], dtype: int64}
layers:
  embed: {Embedding: {num_embeddings: 9, embedding_dim: 4}}
  body: {layers: [{Linear: 4}, ReLU], freeze: true}
  head: {Linear: {out_features: 9, bias: false}, tie: {weight: embed.weight}}
"""
    found = parts_of(graph_of(text))
    assert label_of(named(found, "body"), found).note == "frozen"
    assert label_of(named(found, "body.0"), found).note == "frozen"
    assert label_of(named(found, "head"), found).note == "tied to embed.weight"


def test_texts() -> None:
    """A box tells what its shapes do not tell; the rest is shown by the mouse."""
    text = """
input: [3, 8, 8]
layers:
  c: {Conv2d: {out_channels: 6, kernel_size: 3, stride: 2, groups: 3, bias: false}}
  p: {MaxPool2d: {kernel_size: 2, ceil_mode: true}}
  f: Flatten
  d: {Dropout: 0.25}
  t: {Unflatten: {dim: 1, unflattened_size: [2, 12]}}
  g: {Formula: "x * 2"}
"""
    found = parts_of(graph_of(text))
    labels = [label_of(part, found)[:3] for part in found.root.members]
    assert labels == [
        ("input", "3×8×8", ""),
        ("Conv2d", "3×3, /2, groups 3", "c"),
        ("MaxPool2d", "2×2, ceil_mode", "p"),
        ("Flatten", "", "f"),
        ("Dropout", "0.25", "d"),
        ("Unflatten", "dim 1, unflattened_size 2×12", "t"),
        ("x · 2", "", "g"),
        ("output", "2×12", ""),
    ]
    shown = tooltip(named(found, "c"), found).splitlines()
    assert (shown[0], shown[2], shown[3]) == ("c", "3×8×8 to 6×3×3", "54 parameters, 486 MACs")
    assert shown[1].startswith("Conv2d(in_channels=3, out_channels=6")


def test_wires_of_a_residual_block() -> None:
    """What passes by is a skip; a branch with a layer of its own is none."""
    found = parts_of(graph_at(ROOT / "configs/resnet18.yaml"))
    plain, wider = (frame_of(named(found, path)) for path in ("stage2.1", "stage2.0"))
    assert [edge.skips for edge in plain.edges].count(True) == 1
    assert [edge.skips for edge in wider.edges].count(True) == 0
    # conv1, bn1, relu, conv2, bn2, add, out are one below the other; shortcut is beside conv1
    assert [node.rank for node in plain.nodes if node.what == "part"] == list(range(1, 8))
    assert [node.rank for node in wider.nodes if node.what == "part"] == [1, 2, 3, 4, 5, 1, 6, 7]


def test_tensors_stand_above_their_reader() -> None:
    """A learned tensor is drawn next to what reads it, and not at the top."""
    found = parts_of(graph_at(ROOT / "configs/bert.yaml"))
    frame = frame_of(found.root)
    ranks = {found.root.members[n.number].path: n.rank for n in frame.nodes if n.what == "part"}
    assert ranks["places"] == ranks["embed"] - 1
    assert ranks["<padding"] == ranks["encode"] - 1 > ranks["<tokens"]


FAULTY = """
input: [3, 32, 32]
layers:
  stem: {Conv2d: {out_channels: 8, kernel_size: 3}}
  body: [{Conv2d: {out_channels: 16, kernel_size: 3}}, BatchNorm1d, ReLU]
  head: [Flatten, {Linear: 10}]
"""


def test_a_network_with_a_fault() -> None:
    """It is drawn up to its first fault, which reads the last value before it."""
    found = parts_of(graph_of(FAULTY))
    assert [part.path for part in each(found.root)] == [
        "<input",
        "stem",
        "body",
        "body.0",
        "body.1",
    ]
    stop = named(found, "body.1")
    assert (stop.kind, stop.reads[0].path) == ("fault", "body.0")
    label = label_of(stop, found)
    assert label[:2] == ("body.1", "NB201, line 5")
    assert label.note.startswith("BatchNorm1d does not fit its input: it needs 1 or 2 axes")


@pytest.mark.parametrize(
    ("layers", "path"),
    [
        ("[{Lineer: 2}, ReLU]", "0"),
        ("[{Linear: 2}, {Add, inputs: [nowhere, 0]}]", "1"),
        ("{a: {layers: [{Linear: 2}, {Linear: x}]}}", "a.1"),
    ],
)
def test_places_of_faults(layers: str, path: str) -> None:
    """The fault is the box behind the last layer whose shape is known."""
    found = parts_of(graph_of(f"input: [4]\nlayers: {layers}\n"))
    assert [part.path for part in each(found.root) if part.kind == "fault"] == [path]


def test_kinds() -> None:
    """Each layer has a kind; traits decide, and families where no trait does."""
    rows = {
        "convolution": ("Conv1d", "ConvTranspose2d", "LazyConv3d"),
        "linear": ("Linear", "Bilinear"),
        "norm": ("BatchNorm2d", "GroupNorm", "RMSNorm", "Normalize"),
        "activation": ("ReLU", "PReLU", "Softmax", "GLU"),
        "pooling": ("MaxPool2d", "AdaptiveAvgPool1d", "Mean", "MaxUnpool2d"),
        "attention": ("MultiheadAttention", "TransformerEncoder", "ScaledDotProductAttention"),
        "recurrent": ("LSTM", "GRUCell"),
        "embedding": ("Embedding", "EmbeddingBag"),
        "dropout": ("Dropout2d", "StochasticDepth"),
        "join": ("Add", "Concat", "MatMul", "CosineSimilarity"),
        "shape": ("Flatten", "Permute", "Upsample", "ZeroPad2d"),
        "operation": ("Cumsum", "Topk", "Einsum"),
        "tensor": ("Parameter", "Constant", "Randn"),
    }
    for kind, names in rows.items():
        assert {name: kind_of(LAYERS[name].model_construct()) for name in names} == dict.fromkeys(
            names, kind
        )
    formula = {name for name in LAYERS if name != "Formula"}
    assert {kind_of(LAYERS[name].model_construct()) for name in formula} <= set(KINDS)


def test_kinds_of_other_layers() -> None:
    """A layer of a plug-in has the kind of its traits."""

    class Bend(Layer):
        activates = True

    class Share(Layer):
        inputs = ("a", "b")

    assert kind_of(Bend()) == "activation"
    assert kind_of(Share()) == "join"
