"""Recurrent layers against torch step by step, and their memory over many samples."""

import itertools
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from netbuild.components.layers import LAYERS
from tests.components.layers.contract import Case, Tensor, results, torch_layer, torch_may_warn
from tests.components.layers.recurrent import FAMILY, ROWS
from tests.components.layers.test_layers import bytes_kept, learning
from tests.torch_release import of_new_torch

BATCH = 2
CELLS = ("RNNCell", "LSTMCell", "GRUCell")


def cell(kind: str, weights: dict[str, torch.Tensor], x: torch.Tensor, *states: Any) -> Any:
    """Take one step by the formulas of torch's pages, each matrix a `torch.mm` of its own."""
    of_x, of_h = (
        torch.mm(t, weights[f"weight_{n}"].t()) for t, n in ((x, "ih"), (states[0], "hh"))
    )
    if "bias_ih" in weights:
        of_x, of_h = of_x + weights["bias_ih"], of_h + weights["bias_hh"]
    if kind.startswith("LSTM"):
        i, f, g, o = (of_x + of_h).chunk(4, dim=1)
        c = f.sigmoid() * states[1] + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (torch.mm(h, weights["weight_hr"].t()) if "weight_hr" in weights else h), c
    if kind.startswith("GRU"):
        (r, z, n), (r_h, z_h, n_h) = of_x.chunk(3, dim=1), of_h.chunk(3, dim=1)
        n = (n + (r + r_h).sigmoid() * n_h).tanh()
        z = (z + z_h).sigmoid()
        return ((1 - z) * n + z * states[0],)
    return (torch.tanh(of_x + of_h),)


def step_by_step(case: Case, module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Compute what a layer gives with Python's loops over layers, directions and steps."""
    state, hidden = module.state_dict(), case.fields["hidden_size"]
    sizes = (case.fields.get("proj_size", 0) or hidden, hidden)[: 1 + ("LSTM" in case.kind)]
    zeros = [torch.zeros(len(x), size) for size in sizes]
    if case.kind in CELLS:
        return cell(case.kind, state, x, *zeros)[0]  # type: ignore[no-any-return]
    for layer in range(case.fields.get("num_layers", 1)):
        both = []
        for direction in ("", "_reverse")[: 1 + case.fields.get("bidirectional", False)]:
            suffix = f"_l{layer}{direction}"
            weights = {n.removesuffix(suffix): w for n, w in state.items() if n.endswith(suffix)}
            steps = x.unbind(1)[:: -1 if direction else 1]
            h, given = zeros, []
            for step in steps:
                h = cell(case.kind, weights, step, *h)
                given.append(h[0])
            both.append(torch.stack(given[:: -1 if direction else 1], dim=1))
        x = torch.cat(both, dim=2)
    return x


def layer_of(case: Case) -> Any:
    """Return netbuild's layer."""
    return LAYERS[case.kind](**case.fields)


COUNTED = [
    row.case for row in ROWS if not row.others and row.fields.get("nonlinearity") != "relu"
] + [
    Case("LSTM", {"hidden_size": 3, "num_layers": 2, "bidirectional": True}, (4, 5)),
    Case(
        "LSTM",
        {
            "hidden_size": 4,
            "num_layers": 3,
            "bias": False,
            "bidirectional": True,
            "proj_size": 2,
        },
        (3, 6),
    ),
    Case("GRU", {"hidden_size": 4, "num_layers": 3, "bidirectional": True}, (3, 2)),
]


@pytest.mark.parametrize("case", COUNTED, ids=str)
def test_macs_are_those_of_the_steps(case: Case) -> None:
    """A loop of single matrix products gives what torch gives, by the declared multiplications."""
    with torch_may_warn():
        module = torch_layer(FAMILY, case)
        x = torch.rand(BATCH, *case.x)
        expected = results(FAMILY, case.kind, module, [x])[0]
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            y = step_by_step(case, module, x)
    torch.testing.assert_close(y, expected)
    assert layer_of(case).macs(case.x) * 2 * BATCH == counter.get_total_flops()


def given_states(kind: str, fields: dict[str, Any]) -> tuple[Tensor, ...]:
    """Return the states that a layer can be given."""
    hidden = fields["hidden_size"]
    sizes = (fields.get("proj_size", 0) or hidden, hidden)[: 1 + ("LSTM" in kind)]
    if kind in CELLS:
        return tuple(Tensor((size,)) for size in sizes)
    cells = fields["num_layers"] * (1 + fields["bidirectional"])
    return tuple(Tensor((cells, size)) for size in sizes)


def remembering() -> list[Case]:
    """Return every combination of what the memory of a layer depends on."""
    cases = []
    for kind, bias, first in itertools.product(CELLS, (True, False), (True, False)):
        fields: dict[str, Any] = {"hidden_size": 5, "bias": bias}
        others = given_states(kind, fields) if first else ()
        cases.append(Case(kind, fields, (3,), others))
    for kind, layers, both, dropout, length, first in itertools.product(
        ("RNN", "GRU", "LSTM", "projected"),
        (1, 2),
        (False, True),
        (0.0, 0.5, 1.0),
        (1, 3),
        (False, True),
    ):
        if layers == 1 and dropout:
            continue
        fields = {
            "hidden_size": 3,
            "num_layers": layers,
            "dropout": dropout,
            "bidirectional": both,
        }
        if kind == "projected":
            fields["proj_size"] = 2
        name = "LSTM" if kind == "projected" else kind
        cases.append(Case(name, fields, (length, 21), given_states(name, fields) if first else ()))
    # oneDNN keeps rows apart by other than multiples of 1,024 bytes.
    cases.extend(Case("LSTM", {"hidden_size": 64}, (2, size)) for size in (17, 256))
    return cases


def samples(case: Case) -> int:
    """Return after how many samples memory comes out even.

    oneDNN, which computes an LSTM without projection, counts in pages of 1,024 numbers.
    """
    return 1024 if case.kind == "LSTM" and "proj_size" not in case.fields else 1


@of_new_torch
@pytest.mark.parametrize("case", remembering(), ids=str)
def test_activation_memory_is_what_torch_keeps(case: Case) -> None:
    """More samples cost that many times the declared bytes."""
    layer = layer_of(case)
    named = dict(zip((*layer.inputs, *layer.optional_inputs), case.inputs, strict=False))
    named |= layer.apply(*case.inputs)
    shapes = [tensor.shape for tensor in case.inputs]
    expected = sum(named[name].nbytes for name in set(layer.saved(*shapes)))
    expected += layer.workspace(*shapes)
    with torch_may_warn():
        module = torch_layer(FAMILY, case)

    def kept(batch: int) -> int:
        x = [torch.rand(batch, *shape) for shape in shapes]
        return bytes_kept(
            module, lambda module, x: results(FAMILY, case.kind, module, x)[0], learning(x)
        )

    more = samples(case)
    assert kept(BATCH + more) - kept(BATCH) == more * expected


def test_gradients_reach_the_first_states() -> None:
    """States that are given are used, in torch's order of the cells, and learn."""
    fields = {"hidden_size": 2, "num_layers": 2, "bidirectional": True}
    case = Case("LSTM", fields, (4, 3), (Tensor((4, 2)), Tensor((4, 2))))
    module = torch_layer(FAMILY, case)
    x = [torch.rand(BATCH, *t.shape, requires_grad=True) for t in case.inputs]
    y = layer_of(case).run(module, *x)
    theirs = module(x[0], tuple(state.transpose(0, 1).contiguous() for state in x[1:]))
    torch.testing.assert_close(y["output"], theirs[0])
    torch.testing.assert_close(y["h_n"][1], theirs[1][0][:, 1])
    torch.testing.assert_close(y["c_n"][0], theirs[1][1][:, 0])
    y["c_n"].sum().backward()
    assert all(leaf.grad is not None and leaf.grad.abs().sum() > 0 for leaf in x)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (
            Case("LSTM", {"hidden_size": 2}, (4, 3), (Tensor((1, 2)),)),
            "h_0 comes without c_0: write both or neither",
        ),
        (
            Case("GRU", {"hidden_size": 2, "num_layers": 2}, (4, 3), (Tensor((1, 2)),)),
            "h_0 is 1×2, and the first state must be 2×2",
        ),
        (
            Case("GRUCell", {"hidden_size": 2}, (3,), (Tensor(()),)),
            "hx is scalar, and the first state must be 2",
        ),
    ],
)
def test_states_that_do_not_fit_are_named(case: Case, message: str) -> None:
    """A message says which state is wrong, and how."""
    with pytest.raises(ValueError, match=r"both|state") as refusal:
        layer_of(case).apply(*case.inputs)
    assert str(refusal.value) == message
