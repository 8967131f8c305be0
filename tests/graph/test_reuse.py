"""`Reuse`: the same module for other inputs, or a fault where it would have to be another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

import netbuild as package
from netbuild.checks.trace import infer, trace
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Diagnostic

TWO = "inputs: {x: [4], y: [4]}\n"
DIFFERENCE = "{inputs: {a: x, b: y}, layers: {c: {Subtract, inputs: [a, b]}}}"


def built(text: str) -> torch.nn.Module:
    """Return the module of a text."""
    return package.build(read(from_bytes("net.yaml", text.encode())))


def faults(text: str) -> tuple[Diagnostic, ...]:
    """Return what is wrong with a text."""
    return infer(read(from_bytes("net.yaml", text.encode()))).diagnostics


@pytest.mark.parametrize("inputs", ["{a: x, b: y}", "{b: y, a: x}"])
def test_inputs_go_by_their_names(inputs: str) -> None:
    """In whatever order they are written, as in the stack that is called again."""
    again = f"{{Reuse: s, inputs: {inputs}}}"
    text = f"{TWO}layers: {{s: {DIFFERENCE}, t: {again}}}\noutputs: {{s: s, t: t}}\n"
    x, y = torch.randn(2, 3, 4)
    first, second = built(text)(x, y)
    assert torch.equal(first, x - y)
    assert torch.equal(second, x - y)


def test_a_block_of_several_inputs_too() -> None:
    """And with the inputs swapped it computes the other difference."""
    text = f"""
{TWO}blocks: {{Minus: {{layers: {{c: {{Subtract, inputs: [a, b]}}}}}}}}
layers:
  s: {{Minus, inputs: {{a: x, b: y}}}}
  t: {{Reuse: s, inputs: {{b: x, a: y}}}}
outputs: {{s: s, t: t}}
"""
    x, y = torch.randn(2, 3, 4)
    first, second = built(text)(x, y)
    assert torch.equal(first, -second)


@pytest.mark.parametrize(
    ("inputs", "code", "said"),
    [
        ("[y, x]", "NB208", "s has the inputs a, b"),
        ("x", "NB208", "s has the inputs a, b"),
        ("{a: x}", "NB208", "s has the inputs a, b"),
        ("{a: x, b: y, c: x}", "NB104", "unknown input"),
        ("{a: x, d: y}", "NB104", "unknown input"),
    ],
)
def test_other_inputs_than_it_has(inputs: str, code: str, said: str) -> None:
    """Too few, too many, without names, or by names that it does not have."""
    text = f"{TWO}layers: {{s: {DIFFERENCE}, t: {{Reuse: s, inputs: {inputs}}}}}\n"
    (fault,) = faults(text)
    assert (fault.code, fault.label) == (code, said)


@pytest.mark.parametrize(
    ("layers", "label"),
    [
        (
            "{c: {MaxPool2d: {kernel_size: 2, stride: $(in_shape[1] // 4)}}, d: {Reuse: c}}",
            "c has stride 2, and the input 3×4×4 needs 1",
        ),
        (
            "{c: {AvgPool2d: $(in_channels // 2)}, r: {Reshape: [4, 6, 8]}, d: {Reuse: c}}",
            "c has kernel_size 1, and the input 4×6×8 needs 2",
        ),
        (
            "{s: [{Reshape: [$(in_shape[1]), -1]}], r: {Reshape: [4, 6, 8]}, t: {Reuse: s}}",
            "s.0 has shape [8, -1], and the input 4×6×8 needs [6, -1]",
        ),
        (
            "{s: [{MaxPool2d: 2, when: $(in_shape[1] == 8)}, ReLU], t: {Reuse: s}}",
            "s has 2 layers, and these inputs need 1",
        ),
        (
            "{s: [{ReLU, repeat: $(in_shape[1])}], m: {MaxPool2d: 2}, t: {Reuse: s}}",
            "s has 8 layers, and these inputs need 4",
        ),
        (
            "{n: {LayerNorm: {elementwise_affine: false}}, l: {Linear: 6}, m: {Reuse: n}}",
            "n has normalized_shape 8, and the input 3×8×6 needs 6",
        ),
        (
            "{n: InstanceNorm2d, c: {Conv2d: {out_channels: 5, kernel_size: 1}}, m: {Reuse: n}}",
            "n has num_features 3, and the input 5×8×8 needs 5",
        ),
    ],
)
def test_what_would_have_to_be_another_module(layers: str, label: str) -> None:
    """Its arguments, or its layers, depend on inputs that it does not get again."""
    for quoted in ("$(in_shape[1] // 4)", "$(in_shape[1] == 8)", "$(in_shape[1])"):
        layers = layers.replace(quoted, f'"{quoted}"')
    (fault,) = [f for f in faults(f"input: [3, 8, 8]\nlayers: {layers}\n") if f.code == "NB215"]
    assert (fault.label, fault.span.document.lines[1][fault.span.column - 1 :][:5]) == (
        label,
        "Reuse",
    )


def test_a_repeated_layer_that_does_not_fit_again() -> None:
    """Where the last repetition does not fit, the Reuse is at fault, and says why."""
    found = faults("input: [1, 8]\nlayers:\n  p: {MaxPool1d: 2, repeat: 2}\n  q: {Reuse: p}\n")
    assert found[0].code == "NB204"
    assert (found[0].span.line, found[0].span.column) == (4, 7)


def test_a_layer_that_is_repeated() -> None:
    """All of its repetitions are called again, one behind the other."""
    text = f"""
{TWO}layers:
  three: {{Linear: 4, repeat: 3, inputs: x}}
  more: {{Reuse: three, inputs: y}}
outputs: {{first: three, second: more}}
"""
    x, module = torch.randn(2, 4), built(text)
    first, second = module(x, x)
    assert torch.equal(first, second)
    assert len(list(module.parameters())) == 6


def test_a_function_has_no_module_to_fit() -> None:
    """It is called with what these inputs ask for."""
    text = """
input: [4, 8]
layers:
  s: {Reshape: {shape: [2, -1]}}
  p: {Linear: 6, inputs: input}
  t: {Reuse: s}
outputs: {s: s, t: t}
"""
    first, second = built(text)(torch.zeros(5, 4, 8))
    assert (first.shape, second.shape) == ((5, 2, 16), (5, 2, 12))


def test_faults_point_at_the_reuse() -> None:
    """It is the call that does not fit, and a note says where the layer is written."""
    text = """
input: [3, 8, 8]
layers:
  s:
    - Conv2d: {out_channels: 3, kernel_size: 5}
  t: {Reuse: s}
"""
    (fault,) = faults(text)
    assert (fault.code, fault.span.line, fault.layer) == ("NB204", 6, "t.0")
    assert ("there", "t.0 is in line 5") in fault.notes


def test_a_fault_is_not_repeated_by_each_reuse() -> None:
    """What is called again has its fault where it stands, and nowhere else."""
    conv = "Conv2d: {out_channels: 3, kernel_size: 9}"
    text = f"input: [3, 8, 8]\nlayers: {{s: [{conv}], t: {{Reuse: s}}}}\n"
    assert [fault.span.line for fault in faults(text)] == [2]
    assert len(faults(text)) == 1


def test_repeated_and_unread_parameters() -> None:
    """Both are in `state_dict()`, as the summary counts them."""
    text = """
input: [4]
layers:
  p: {Parameter: {shape: [4]}, repeat: 2}
  unread: {Parameter: {shape: [3]}}
  a: {Add, inputs: [p, input]}
"""
    graph = trace(read(from_bytes("net.yaml", text.encode())))
    state = package.build(graph.config).state_dict()
    assert {name: tuple(t.shape) for name, t in state.items()} == graph.tensors
    assert set(graph.tensors) == {"p.0", "p.1", "unread"}


def test_a_parameter_without_a_batch_axis() -> None:
    """It joins what has more axes, as in torch, and each sample gets it as an output."""
    text = """
input: [4, 3]
layers:
  scale: {Parameter: {shape: [3], batch_axis: false}, init: ones_}
  a: {Add, inputs: [input, scale]}
  b: {Multiply, inputs: [scale, a]}
"""
    x = torch.randn(2, 4, 3)
    torch.testing.assert_close(built(text)(x), x + 1)
    alone = text.partition("  a:")[0]
    torch.testing.assert_close(built(alone)(x), torch.ones(2, 3))


@pytest.mark.parametrize("shape", ["[8, -1]", "[-1, 8]", "[2, -1, 4]"])
def test_a_reshape_keeps_its_open_size(shape: str) -> None:
    """The -1 belongs to the module: a smaller input gives fewer values."""
    text = f"""
inputs: {{big: [4, 16], small: [4, 4]}}
layers:
  s: {{inputs: big, layers: [{{Reshape: {shape}}}, {{Mean: 2}}]}}
  t: {{Reuse: s, inputs: small}}
outputs: [s, t]
"""
    big, small = torch.randn(3, 4, 16), torch.randn(3, 4, 4)
    sizes = [int(size) for size in shape[1:-1].split(",")]
    for result, x in zip(built(text)(big, small), (big, small), strict=True):
        torch.testing.assert_close(result, x.reshape(3, *sizes).mean(2))


@pytest.mark.parametrize(
    ("members", "label"),
    [
        ("[{Add: {alpha: $in_features}, inputs: [input, input]}]", ""),
        (
            "[{Add: {alpha: $in_features}, inputs: [input, input]}, NARROW]",
            "s.0 has alpha 6, and the input 3 needs 3",
        ),
        (
            "{a: {ReLU, when: IS_SIX}, b: {ReLU, when: NOT_SIX}, c: NARROW}",
            "s has a layer a, and these inputs need b",
        ),
        (
            "[\"$('ReLU' if in_features == 6 else 'Tanh')\", NARROW]",
            "s.0 is ReLU, and the input 3 needs Tanh",
        ),
        (
            "{b: NARROW, a: {Parameter: {shape: $in_shape}}, c: {Add, inputs: [b, a]}}",
            "",
        ),
        (
            "[{Parameter: {shape: $in_shape}}, {Add, inputs: [0, input]}, NARROW]",
            "s.0 is 1×6, and these inputs need 1×3",
        ),
    ],
)
def test_what_a_module_holds(members: str, label: str) -> None:
    """Its layers, their types, and the arguments of the functions that its `forward` calls."""
    for word, text in {
        "NARROW": "{Narrow: {dim: 1, start: 0, length: 3}}",
        "IS_SIX": '"$(in_features == 6)"',
        "NOT_SIX": '"$(in_features != 6)"',
    }.items():
        members = members.replace(word, text)
    found = faults(f"input: [6]\nlayers: {{s: {{layers: {members}}}, t: {{Reuse: s}}}}\n")
    found = tuple(fault for fault in found if fault.code[2] != "3")
    assert [(fault.code, fault.label) for fault in found] == ([("NB215", label)] if label else [])


def test_a_reuse_of_a_fault() -> None:
    """The fault is said once: at the input, or in the layer that is called again."""
    wrong = "{Linear: {in_features: 3, out_features: 4}"
    right = "{Linear: 4, inputs: y}"
    text = f"{TWO}layers: {{bad: {wrong}, inputs: x}}, m: {right}, r: {{Reuse: m, inputs: bad}}}}\n"
    assert [fault.code for fault in faults(text)] == ["NB202"]
    text = (
        f"{TWO}layers: {{m: {wrong}, inputs: x}}, r: {{Reuse: m, inputs: y}}, s: {{Reuse: r}}}}\n"
    )
    assert [fault.code for fault in faults(text)] == ["NB202"]
    stack = f"{{inputs: x, layers: {{a: ReLU, b: {wrong}}}}}, outputs: a}}"
    text = f"{TWO}layers: {{m: {stack}, r: {{Reuse: m, inputs: y}}}}\n"
    assert [fault.code for fault in faults(text)] == ["NB202"]


def test_calls_with_numbers_in_a_named_stack() -> None:
    """A key with an index names each call; without one the calls cannot have one name."""
    text = """
input: [4]
layers:
  step: [{Linear: 4}, Tanh]
  s$index: {Reuse: step, repeat: 3}
  head: {Add, inputs: [s0, s2]}
"""
    x, module = torch.randn(2, 4), built(text)
    step = module.get_submodule("step")
    first = step(step(x))
    torch.testing.assert_close(module(x), first + step(step(first)))
    (fault,) = faults(text.replace("s$index", "s").replace("s0, s2", "step, s"))
    assert (fault.code, fault.help) == ("NB213", "give each call its own name: s$index")


@pytest.mark.parametrize(("key", "names"), [("l$index", ["l0", "l1"]), ("$index", ["0", "1"])])
def test_numbered_keys(key: str, names: list[str]) -> None:
    """The copies of a layer are members of the named stack itself."""
    graph = trace(
        read(
            from_bytes("net.yaml", f"input: [4]\nlayers: {{{key}: {{ReLU, repeat: 2}}}}\n".encode())
        )
    )
    assert [row.path for row in graph.rows] == names


@pytest.mark.parametrize(
    ("layers", "codes"),
    [
        ("{l$index: {ReLU: }}", ["NB109"]),
        ("{l$index: {ReLU, repeat: 2, name: a}}", ["NB109"]),
        ("{l0: ReLU, l$index: {ReLU, repeat: 2}}", ["NB109"]),
        ("{l$index: {ReLU, repeat: two}, a: {ReLU, inputs: l1}}", ["NB106"]),
        ("[{ReLU, repeat: 2, name: $index}]", ["NB109", "NB109"]),
    ],
)
def test_numbered_names_with_faults(layers: str, codes: list[str]) -> None:
    """A number needs a repeat, another name cannot stand beside it, and each name is unique."""
    found = faults(f"input: [4]\nlayers: {layers}\n")
    assert [fault.code for fault in found if fault.code[2] != "3"] == codes


@pytest.mark.parametrize("first", ["[x, y]", "{input: x, h_0: y}", "{h_0: y, input: x}"])
@pytest.mark.parametrize("again", ["[x, y]", "{input: x, h_0: y}", "{h_0: y, input: x}"])
def test_a_repeated_layer_of_two_inputs(first: str, again: str) -> None:
    """Its inputs are named as those of the layer, whatever the first call does."""
    text = f"""
inputs: {{x: [5, 4], y: [1, 4]}}
layers:
  g: {{GRU: 4, inputs: {first}, repeat: 1}}
  h: {{Reuse: g, inputs: {again}}}
outputs: [g, h]
"""
    one, two = built(text)(torch.randn(3, 5, 4), torch.randn(3, 1, 4))
    assert torch.equal(one, two)


def test_a_name_by_an_expression() -> None:
    """The name is evaluated as every argument is, also with the index of a repetition."""
    text = """
input: [8]
vars: {which: a}
layers:
  a: {Linear: 8}
  l$index: {Linear: 8, repeat: 2}
  b: {Reuse: $which}
  r$index: {Reuse: l$index, repeat: 2}
  c: {Reuse: "l$(in_features - 7)"}
"""
    found = trace(read(from_bytes("net.yaml", text.encode())))
    assert {row.path: row.reuses for row in found.rows if row.reuses} == {
        "b": "a",
        "r0": "l0",
        "r1": "l1",
        "c": "l1",
    }
    fault = infer(read(from_bytes("net.yaml", text.replace("$which", "$lost").encode())))
    assert [one.code for one in fault.diagnostics if one.severity == "error"] == ["NB110"]
