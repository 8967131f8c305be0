"""Names of members: types, `self`, and keys that begin with a capital."""

from __future__ import annotations

import copy

import pytest
import torch

from netbuild.builder.module import module as build
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.config.modifiers import LayerModifiers, StackModifiers
from netbuild.syntax.names import MODIFIERS
from netbuild.syntax.overlay import apply_setting, merge
from netbuild.syntax.parser import from_bytes
from tests.graph.blocks import graph

BERT = """
input: [16, 32]
layers:
  attention:
    inputs: {x: input}
    layers:
      self:
        query: {Linear: 32}
        key: {Linear: 32, inputs: input}
        all: {Add, inputs: [query, key]}
      output:
        inputs: {x: self, y: x}
        layers:
          dense: {Linear: 32, inputs: x}
          add: {Add, inputs: [dense, y]}
          LayerNorm: {LayerNorm: {eps: 1e-12}}
  tail:
    - {Linear: 8, name: self}
    - {LayerNorm, name: LayerNorm}
    - {Linear: 8, name: Self, inputs: self}
    - {Add, inputs: [Self, LayerNorm], name: Add}
"""


def _faults(text: str) -> list[tuple[str, str, str | None]]:
    found = infer(read(from_bytes("net.yaml", text.encode()))).diagnostics
    errors = [fault for fault in found if fault.severity == "error"]
    return [(fault.code, fault.label, fault.help) for fault in errors]


def test_names_of_bert() -> None:
    """`self` and `LayerNorm` are names in a list and as keys, and the built forward calls them."""
    module = build(graph(BERT)).eval()
    paths = dict.fromkeys(name.rpartition(".")[0] for name in module.state_dict())
    expected = ["attention.self.query", "attention.self.key", "attention.output.dense"]
    expected += ["attention.output.LayerNorm", "tail.self", "tail.LayerNorm", "tail.Self"]
    assert list(paths) == expected
    x = torch.randn(2, 16, 32)
    y = module(x)
    tail, attended = module.tail, module.attention
    a = attended.self.query(x) + attended.self.key(x)
    z = attended.output.LayerNorm(attended.output.dense(a) + x)
    z = tail.self(z)
    torch.testing.assert_close(y, tail.Self(z) + tail.LayerNorm(z))
    torch.testing.assert_close(copy.deepcopy(module)(x), y)
    torch.testing.assert_close(torch.fx.symbolic_trace(module)(x), y)
    torch.testing.assert_close(torch.export.export(module, (x,)).module()(x), y)


def test_a_parameter_called_self() -> None:
    """Its variable in `forward` has another name than the module itself."""
    text = "input: [4]\nlayers: {self: {Parameter: [4]}, a: {Linear: 4, inputs: input},"
    module = build(graph(f"{text} b: {{Add, inputs: [a, self]}}}}"))
    assert "self" in module.state_dict()
    assert module(torch.ones(3, 4)).shape == (3, 4)


@pytest.mark.parametrize(
    "layers",
    [
        "{dense: {Linear: 4}, LayerNorm: {LayerNorm: }}",
        "{Mixed_5b: {Linear: 4}, Mixed_5c: {Linear: 4, freeze: true}}",
        "{a: ReLU, Linear: {Linear: 4, repeat: 2}, c: [ReLU]}",
        "{a: {Linear: 4}, B$index: {Linear: 4, repeat: 2}, c: {Add, inputs: [B0, B1]}}",
    ],
)
def test_keys_with_a_capital_are_names(layers: str) -> None:
    """In a mapping of several keys without modifiers, a Capitalised key with an item is a name."""
    assert _faults(f"input: [4]\nlayers: {layers}\n") == []
    assert _faults(f"input: [4]\nlayers: [{layers}]\n") == []


MISTAKES = [
    ("[{Linear: 8, ReLU: }]", "NB108", "a layer has one type, and this one has Linear and ReLU"),
    ("[{ReLU: {Linear: 8}}]", "NB104", "unknown field"),
    ("{Conv2d: {out_channels: 8, kernel_size: 3}, ReLU: }", "NB108", "these layers need dashes"),
    ("[{Linear: {out_features: 8, ReLU: }, act: ReLU}]", "NB104", "unknown field"),
    ("[{Linear: {ReLU: }, bias: false}]", "NB105", "out_features is missing"),
    ("[{Sequential: {Linear: 8}}]", "NB103", "unknown type"),
    ("[{Linear: 8, name: Two words}]", "NB109", "Two words is not a name"),
    ("[{Linear: 8, name: torch}]", "NB109", "torch has another meaning in Python code"),
    ("[{Linear: 8, name: T_destination}]", "NB109", "T_destination is a method or attribute"),
]


@pytest.mark.parametrize(("layers", "code", "label"), MISTAKES)
def test_mistakes_stay_faults(layers: str, code: str, label: str) -> None:
    """A capital in the wrong place is the fault of an item."""
    found = _faults(f"input: [1, 8, 8]\nlayers: {layers}\n")
    assert found[0][0] == code
    assert found[0][1].startswith(label)


def test_a_key_with_its_own_name_as_value() -> None:
    """`LayerNorm: LayerNorm` says what to write."""
    found = _faults("input: [4]\nlayers: [{dense: {Linear: 4}, LayerNorm: LayerNorm}]\n")
    label = "LayerNorm is read as a type here, and not as a name"
    assert found == [("NB108", label, "write LayerNorm: {LayerNorm: }")]


def test_a_name_with_a_capital_is_reached() -> None:
    """`--set` and `extends` go through such a name, and change the item behind it."""
    text = "input: [4]\nlayers: {dense: {Linear: 4}, LayerNorm: {LayerNorm: }}\n"
    root = from_bytes("net.yaml", text.encode()).root
    assert root is not None
    changed, faults = apply_setting(root, "layers.LayerNorm.LayerNorm.eps=0.5", ["layers"])
    assert not faults
    over = from_bytes("o.yaml", b"layers: {LayerNorm: {LayerNorm: {bias: false}}}\n").root
    assert over is not None
    merged = merge(changed, over)
    layers = merged.get("layers")
    assert layers is not None
    assert list(layers.entries) == ["dense", "LayerNorm"]
    assert list(layers.entries["LayerNorm"].value.get("LayerNorm").entries) == ["eps", "bias"]
    _, faults = apply_setting(root, "layers.Dense=ReLU", ["layers"])
    assert [fault.code for fault in faults] == ["NB112"]


def test_all_modifiers_are_known() -> None:
    """A key that is a modifier never is a name beside a Capitalised name."""
    fields = {*LayerModifiers.model_fields, *StackModifiers.model_fields, "layers"}
    assert set(MODIFIERS) == fields
