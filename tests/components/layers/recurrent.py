"""Recurrent layers, by hand and by chance."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import rnn

from tests.components.layers.contract import BOOLS, Case, Family, Row, Strictness, Tensor, cases

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = [
    # A step multiplies each matrix once: gates · hidden · (input + hidden), for 7 steps or for one.
    Row(
        {"RNN": {"hidden_size": 5}},
        (7, 3),
        (7, 5),
        {"weight_ih_l0": (5, 3), "weight_hh_l0": (5, 5), "bias_ih_l0": (5,), "bias_hh_l0": (5,)},
        280,  # 7 · 5 · (3 + 5)
    ),
    Row(
        {
            "RNN": {
                "hidden_size": 4,
                "num_layers": 2,
                "nonlinearity": "relu",
                "bias": False,
                "dropout": 0.5,
                "bidirectional": True,
            }
        },
        (7, 3),
        (7, 8),
        {
            "weight_ih_l0": (4, 3),
            "weight_hh_l0": (4, 4),
            "weight_ih_l0_reverse": (4, 3),
            "weight_hh_l0_reverse": (4, 4),
            "weight_ih_l1": (4, 8),
            "weight_hh_l1": (4, 4),
            "weight_ih_l1_reverse": (4, 8),
            "weight_hh_l1_reverse": (4, 4),
        },
        1064,  # 7 · 2 · (4 · (3 + 4) + 4 · (8 + 4))
    ),
    Row(
        {"RNN": {"hidden_size": 2, "bias": False}},
        (1, 3),  # a single step, which torch reads where it lies
        (1, 2),
        {"weight_ih_l0": (2, 3), "weight_hh_l0": (2, 2)},
        10,
        (Tensor((1, 2)),),
    ),
    # The third sample takes as many pages of oneDNN's workspace as it fills, which is rare: see
    # `tests/components/layers/test_recurrent.py` for other sizes.
    Row(
        {"LSTM": {"hidden_size": 10}},
        (7, 33),
        (7, 10),
        {
            "weight_ih_l0": (40, 33),
            "weight_hh_l0": (40, 10),
            "bias_ih_l0": (40,),
            "bias_hh_l0": (40,),
        },
        12040,  # 7 · 4 · 10 · (33 + 10)
    ),
    Row(
        {"LSTM": {"hidden_size": 3, "num_layers": 2, "proj_size": 2}},
        (7, 5),
        (7, 2),
        {
            "weight_ih_l0": (12, 5),
            "weight_hh_l0": (12, 2),
            "bias_ih_l0": (12,),
            "bias_hh_l0": (12,),
            "weight_hr_l0": (2, 3),
            "weight_ih_l1": (12, 2),
            "weight_hh_l1": (12, 2),
            "bias_ih_l1": (12,),
            "bias_hh_l1": (12,),
            "weight_hr_l1": (2, 3),
        },
        1008,  # 7 · (12 · (5 + 2) + 6 + 12 · (2 + 2) + 6)
    ),
    Row(
        {"LSTM": {"hidden_size": 3, "bias": False, "bidirectional": True, "proj_size": 1}},
        (4, 5),
        (4, 2),
        {
            "weight_ih_l0": (12, 5),
            "weight_hh_l0": (12, 1),
            "weight_hr_l0": (1, 3),
            "weight_ih_l0_reverse": (12, 5),
            "weight_hh_l0_reverse": (12, 1),
            "weight_hr_l0_reverse": (1, 3),
        },
        600,  # 4 · 2 · (12 · (5 + 1) + 3)
        (Tensor((2, 1)), Tensor((2, 3))),
    ),
    Row(
        {"GRU": {"hidden_size": 4}},
        (6, 3),
        (6, 4),
        {
            "weight_ih_l0": (12, 3),
            "weight_hh_l0": (12, 4),
            "bias_ih_l0": (12,),
            "bias_hh_l0": (12,),
        },
        504,  # 6 · 3 · 4 · (3 + 4)
    ),
    Row(
        {"GRU": {"hidden_size": 2, "num_layers": 2, "bias": False, "dropout": 1.0}},
        (5, 3),
        (5, 2),
        {
            "weight_ih_l0": (6, 3),
            "weight_hh_l0": (6, 2),
            "weight_ih_l1": (6, 2),
            "weight_hh_l1": (6, 2),
        },
        270,  # 5 · (6 · (3 + 2) + 6 · (2 + 2))
        (Tensor((2, 2)),),
    ),
    Row(
        {"RNNCell": {"hidden_size": 5}},
        (3,),
        (5,),
        {"weight_ih": (5, 3), "weight_hh": (5, 5), "bias_ih": (5,), "bias_hh": (5,)},
        40,  # 5 · (3 + 5)
    ),
    Row(
        {"RNNCell": {"hidden_size": 2, "bias": False, "nonlinearity": "relu"}},
        (3,),
        (2,),
        {"weight_ih": (2, 3), "weight_hh": (2, 2)},
        10,
        (Tensor((2,)),),
    ),
    Row(
        {"LSTMCell": {"hidden_size": 5}},
        (3,),
        (5,),
        {"weight_ih": (20, 3), "weight_hh": (20, 5), "bias_ih": (20,), "bias_hh": (20,)},
        160,  # 4 · 5 · (3 + 5)
    ),
    Row(
        {"LSTMCell": {"input_size": 3, "hidden_size": 2, "bias": False}},
        (3,),
        (2,),
        {"weight_ih": (8, 3), "weight_hh": (8, 2)},
        40,  # 4 · 2 · (3 + 2)
        (Tensor((2,)), Tensor((2,))),
    ),
    Row(
        {"GRUCell": {"hidden_size": 5}},
        (3,),
        (5,),
        {"weight_ih": (15, 3), "weight_hh": (15, 5), "bias_ih": (15,), "bias_hh": (15,)},
        120,  # 3 · 5 · (3 + 5)
    ),
    Row(
        {"GRUCell": {"hidden_size": 2, "bias": False}},
        (3,),
        (2,),
        {"weight_ih": (6, 3), "weight_hh": (6, 2)},
        30,  # 3 · 2 · (3 + 2)
        (Tensor((2,)),),
    ),
]

EDGES = [
    Case("RNN", {"hidden_size": 2, "nonlinearity": "sigmoid"}, (4, 3)),
    Case("GRU", {"hidden_size": 2, "dropout": 1.5, "num_layers": 2}, (4, 3)),
    Case("GRU", {"hidden_size": 2}, (3,)),
    Case("GRU", {"hidden_size": 2}, (2, 4, 3)),
    Case("LSTM", {"hidden_size": 2, "proj_size": 2}, (4, 3)),
    Case("LSTM", {"hidden_size": 2, "proj_size": 1}, (1, 1)),
    # Both states or neither; with a projection they differ in size.
    Case("LSTM", {"hidden_size": 2}, (4, 3), (Tensor((1, 2)),)),
    Case("LSTM", {"hidden_size": 2, "num_layers": 2}, (4, 3), (Tensor((2, 2)),)),
    Case("LSTM", {"hidden_size": 3, "proj_size": 1}, (4, 3), (Tensor((1, 1)), Tensor((1, 3)))),
    Case("LSTM", {"hidden_size": 3, "proj_size": 1}, (4, 3), (Tensor((1, 3)), Tensor((1, 3)))),
    Case("LSTMCell", {"hidden_size": 2}, (3,), (Tensor((2,)),)),
    Case("RNN", {"hidden_size": 2}, (4, 3), (Tensor((2,)),)),
    Case("RNN", {"hidden_size": 2}, (4, 3), (Tensor((1, 2), "int64"),)),
    Case("LSTM", {"hidden_size": 2}, (4, 3), (Tensor((1, 2)), Tensor((1, 2), "int64"))),
    Case("GRUCell", {"hidden_size": 2}, (3,), (Tensor((2,), "int64"),)),
    Case("RNNCell", {"hidden_size": 2}, (4, 3)),
]

COUNTS = st.sampled_from([1, 1, 2, 3])
#: What the input has, mostly.
WRITTEN = st.sampled_from([None, None, None, 3])
DTYPES = st.sampled_from(["float32"] * 12 + ["int64", "bool"])


def documented(kind: str) -> Callable[..., Any]:
    """Return how a stack is made, with the arguments of torch's page: its constructor takes any.

    They are those of its base, but for proj_size, which is for LSTM, and RNN's nonlinearity.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html, and LSTM and GRU beside it.
    """

    def make(**arguments: Any) -> Any:
        return getattr(nn, kind)(**{"batch_first": True, **arguments})

    parameters = dict(inspect.signature(nn.RNNBase).parameters)
    del parameters["mode"]
    if kind != "LSTM":
        del parameters["proj_size"]
    named = list(parameters.values())
    if kind == "RNN":
        nonlinearity = parameters["bias"].replace(name="nonlinearity", default="tanh")
        named.insert(list(parameters).index("bias"), nonlinearity)
    make.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    return make


def with_lengths(case: Case, dtype: str = "int64", shape: tuple[int, ...] = ()) -> Case:
    """Return a case that also reads lengths."""
    names = ("input", "h_0", "c_0")[: 1 + len(case.others)]
    others = (*case.others, Tensor(shape, dtype))
    return case._replace(others=others, names=(*names, "lengths"))


def call_stack(module: Any, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Call an RNN, GRU or LSTM; its states have the batch in the second place."""
    if "lengths" in getattr(module, "names", ()):
        return _call_packed(module, x, states[-1], *states[:-1])
    first = tuple(state.transpose(0, 1).contiguous() for state in states)
    y, last = module(x, *([first if len(first) > 1 else first[0]] if first else []))
    return (y, *(state.transpose(0, 1) for state in (last if isinstance(last, tuple) else [last])))


def _call_packed(
    module: Any, x: torch.Tensor, lengths: torch.Tensor, *states: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Call it with a packed sequence, as torch's page shows."""
    packed = rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    y, *last = call_stack(_Plain(module), packed, *states)
    return rnn.pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])[0], *last


class _Plain:
    """A module that says nothing of its inputs."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def __call__(self, *x: Any) -> Any:
        """Call the module."""
        return self.module(*x)


def _data(case: Case, batch: int) -> list[torch.Tensor]:
    """Return random inputs; all samples have all steps, as netbuild counts them."""
    found = [torch.rand(batch, *x.shape) for x in case.inputs]
    pairs = zip(found, case.inputs, strict=True)
    found = [y.to(getattr(torch, x.dtype)) for y, x in pairs]
    if "lengths" in case.names:
        found[-1] = torch.full_like(found[-1], case.x[0])
    return found


def call_lstm_cell(module: Any, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Call an LSTMCell, which takes its states as a pair."""
    y: tuple[torch.Tensor, ...] = module(x, states) if states else module(x)
    return y


def states(kind: str, fields: dict[str, Any]) -> st.SearchStrategy[tuple[Tensor, ...]]:
    """Draw no states, or all that the fields ask for, or some that are wrong in one way."""
    hidden, cell = fields["hidden_size"], kind.endswith("Cell")
    size = fields.get("proj_size", 0) or hidden
    cells = fields.get("num_layers", 1) * (2 if fields.get("bidirectional", False) else 1)
    sizes = (size, hidden) if "LSTM" in kind else (hidden,)
    right = [(size,) if cell else (cells, size) for size in sizes]
    odd = st.lists(st.integers(1, 3), min_size=1 if cell else 2, max_size=3).map(tuple)
    shape = st.sampled_from(right)
    return st.one_of(
        st.just(()),
        st.just(tuple(Tensor(shape) for shape in right)),
        st.tuples(*[st.builds(Tensor, st.just(shape), DTYPES) for shape in right]),
        st.lists((shape | odd).map(Tensor), min_size=1, max_size=len(right)).map(tuple),
    )


def recurrent(
    kind: str, x: st.SearchStrategy[tuple[int, ...]], optional: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Case]:
    """Draw a layer with its fields and an input, then states that may fit."""
    fields = st.fixed_dictionaries(
        {"hidden_size": st.sampled_from([1, 2, 2, 3, 3, 4, 0])},
        optional={"input_size": WRITTEN, "bias": BOOLS, **optional},
    )

    def with_states(fields: dict[str, Any]) -> st.SearchStrategy[Case]:
        others = states(kind, fields)
        given = {n: st.just(fields[n]) for n in fields}
        drawn = cases(kind, x, given, others=others, dtype=DTYPES)
        return drawn if kind.endswith("Cell") else drawn | drawn.map(with_lengths)

    return fields.flatmap(with_states)


SEQUENCES = st.one_of(
    *[st.tuples(st.integers(1, 5), st.sampled_from([1, 3, 3, 3]))] * 8,
    st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple),
)
VECTORS = st.one_of(
    *[st.sampled_from([(1,), (3,), (3,)])] * 8,
    st.lists(st.integers(1, 3), min_size=1, max_size=2).map(tuple),
)
OPTIONS = {
    "num_layers": COUNTS,
    "batch_first": st.sampled_from([True, True, True, False]),
    "dropout": st.sampled_from([0, 0.0, 0.0, 0.5, 1.0, -0.1]),
    "bidirectional": BOOLS,
}
NONLINEARITY = {"nonlinearity": st.sampled_from(["tanh", "relu"])}

CASES = {
    "RNN": recurrent("RNN", SEQUENCES, OPTIONS | NONLINEARITY),
    "LSTM": recurrent(
        "LSTM", SEQUENCES, OPTIONS | {"proj_size": st.sampled_from([0, 0, 1, 1, 2, -1])}
    ),
    "GRU": recurrent("GRU", SEQUENCES, OPTIONS),
    "RNNCell": recurrent("RNNCell", VECTORS, NONLINEARITY),
    "LSTMCell": recurrent("LSTMCell", VECTORS, {}),
    "GRUCell": recurrent("GRUCell", VECTORS, {}),
}


def _is_stack(case: Case) -> bool:
    return not case.kind.endswith("Cell")


STRICTNESS = [
    Strictness(
        "a size of 0 makes an empty tensor",
        lambda case: case.fields["hidden_size"] == 0,
        Case("GRUCell", {"hidden_size": 0}, (3,)),
    ),
    Strictness(
        "the state c of whole numbers: torch takes it on a CPU, and on no other device",
        lambda case: "LSTM" in case.kind and any(not x.floating for x in case.others[1:]),
        Case("LSTMCell", {"hidden_size": 2}, (3,), (Tensor((2,)), Tensor((2,), "int64"))),
    ),
    Strictness(
        "axis 0 is the batch, and not the steps",
        lambda case: case.fields.get("batch_first") is False,
        Case("LSTM", {"hidden_size": 2, "batch_first": False}, (4, 3)),
    ),
    Strictness(
        "a sequence without its batch axis: torch takes the samples for steps",
        lambda case: _is_stack(case) and len(case.x) == 1,
        Case("GRU", {"hidden_size": 2}, (3,)),
    ),
    Strictness(
        "a dropout between the layers of a single one: torch warns that it does nothing",
        lambda case: (
            _is_stack(case)
            and case.fields.get("num_layers", 1) == 1
            and case.fields.get("dropout", 0) > 0
        ),
        Case("RNN", {"hidden_size": 2, "dropout": 0.5}, (4, 3)),
    ),
]

DECIDED = {kind: {"input_size": lambda x, *_: x[-1]} for kind in CASES}
STACKS = ("RNN", "LSTM", "GRU")

FAMILY = Family(
    ROWS,
    CASES,
    EDGES,
    STRICTNESS,
    DECIDED,
    make={kind: documented(kind) for kind in STACKS},
    data=dict.fromkeys(CASES, _data),
    call={**dict.fromkeys(STACKS, call_stack), "LSTMCell": call_lstm_cell},
    fields={
        (kind, "batch_first"): "true by default, and nothing else: axis 0 is the batch"
        for kind in STACKS
    },
)
