"""Scaled dot product attention, by hand and by chance."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from tests.components.layers.contract import BOOLS, Case, Family, Row, Shape, Strictness, Tensor
from tests.components.layers.masks import bools, masked, masked_data, some_masks, with_masks

KIND = "ScaledDotProductAttention"
NAMES = ("query", "key", "value")


def _row(macs: int, output: Shape, *x: Shape, **fields: Any) -> Row:
    return Row({KIND: fields}, x[0], output, {}, macs, tuple(map(Tensor, x[1:])))


#: 2 heads of 4 queries and 5 keys: 2·4·5·(8 + 8).
_HEADS = _row(640, (2, 4, 8), (2, 4, 8), (2, 5, 8), (2, 5, 8))
#: Without heads: 4·5·(8 + 6).
_PLAIN = _row(280, (4, 6), (4, 8), (5, 8), (5, 6))

ROWS = [
    _HEADS,
    _PLAIN,
    _row(640, (2, 4, 8), (2, 4, 8), (2, 5, 8), (2, 5, 8), is_causal=True, scale=0.5),
    _row(280, (4, 6), (4, 8), (5, 8), (5, 6), is_causal=True),
    _row(560, (2, 4, 6), (2, 4, 8), (2, 5, 8), (2, 5, 6)),
    _row(640, (2, 4, 8), (2, 4, 8), (2, 5, 8), (2, 5, 8), dropout_p=0.3),
    _row(640, (2, 4, 8), (2, 4, 8), (2, 5, 8), (2, 5, 8), dropout_p=1.0),
    _row(768, (3, 2, 4, 8), (3, 2, 4, 8), (3, 2, 2, 8), (3, 2, 2, 8)),
    # 4 heads of queries for 2 of keys: 4·4·5·16.
    _row(1280, (4, 4, 8), (4, 4, 8), (2, 5, 8), (2, 5, 8), enable_gqa=True),
    _row(1280, (4, 4, 8), (4, 4, 8), (2, 5, 8), (2, 5, 8), enable_gqa=True, dropout_p=0.5),
    masked(_HEADS, " ".join(NAMES), attn_mask=bools(4, 5)),
    masked(_HEADS, " ".join(NAMES), attn_mask=Tensor((4, 5))),
    masked(_HEADS, " ".join(NAMES), attn_mask=bools(2, 4, 5)),
    masked(_HEADS, " ".join(NAMES), attn_mask=Tensor((1, 1, 5))),
    masked(_PLAIN, " ".join(NAMES), attn_mask=bools(4, 5)),
    masked(_PLAIN, " ".join(NAMES), attn_mask=Tensor((4, 5))),
]

EDGES = [
    Case(KIND, fields, x[0], tuple(map(Tensor, x[1:])))
    for fields, x in (
        ({}, ((4, 8), (5, 6), (5, 8))),
        ({}, ((4, 8), (5, 8), (3, 8))),
        ({}, ((8,), (8,), (8,))),
        ({}, ((2, 4, 8), (3, 5, 8), (3, 5, 8))),
        ({"enable_gqa": True}, ((4, 4, 8), (3, 5, 8), (3, 5, 8))),
        ({"enable_gqa": True}, ((2, 4, 8), (4, 5, 8), (4, 5, 8))),
        ({"dropout_p": 1.5}, ((4, 8), (5, 8), (5, 8))),
    )
]


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    any_ = draw(st.integers(0, 9)) > 6
    sizes = st.integers(1, 4)
    heads = draw(st.lists(sizes, max_size=2))
    queries, keys, features, values = (draw(sizes) for _ in range(4))
    shared = draw(st.integers(1, 2))
    own = [*heads[:-1], heads[-1] * shared] if heads else []
    fields = draw(
        st.fixed_dictionaries(
            {"enable_gqa": st.just(True)} if shared > 1 and heads else {},
            optional={
                "dropout_p": st.sampled_from([0.0, 0.5, 1.0]),
                "is_causal": BOOLS,
                "scale": st.sampled_from([None, 0.5, 2, -1.0]),
            },
        )
    )
    x = [(*own, queries, features), (*heads, keys, features), (*heads, keys, values)]
    if any_:
        place = draw(st.integers(0, 2))
        x[place] = draw(st.sampled_from([x[place][1:], (*x[place][:-1], 5), (2, *x[place])]))
    case = Case(KIND, fields, x[0], tuple(map(Tensor, x[1:])))
    if fields.get("is_causal") or draw(BOOLS):
        return case
    scores = (*own, queries, keys)
    wanted = {"attn_mask": (scores[-2:], scores, (*[1] * len(own), 1, keys))}
    return with_masks(case, NAMES, draw(some_masks(wanted, any_=any_)))


class _Attention(nn.Module):
    def __init__(
        self,
        dropout_p: float = 0.0,
        is_causal: bool = False,  # noqa: FBT001, FBT002
        scale: float | None = None,
        enable_gqa: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        super().__init__()
        self.fields = {"is_causal": is_causal, "scale": scale, "enable_gqa": enable_gqa}
        self.dropout_p = dropout_p

    def forward(self, *x: torch.Tensor) -> torch.Tensor:
        """A mask of fewer axes than the scores holds for all heads."""
        q, k, v, *masks = x
        for mask in masks:
            if mask.dim() < q.dim() and mask.dim() > 1:
                masks = [mask.reshape(len(mask), *(1,) * (q.dim() - mask.dim()), *mask.shape[1:])]
        p = self.dropout_p if self.training else 0.0
        return functional.scaled_dot_product_attention(q, k, v, *masks, dropout_p=p, **self.fields)


def _repeats(case: Case) -> bool:
    """Tell inputs of different axes before the length that broadcast."""
    x = [tensor.shape for tensor in case.inputs[:3]]
    return len({shape[:-2] for shape in x}) > 1 or len({shape[-2:-1] for shape in x[1:]}) > 1


STRICTNESS = [
    Strictness(
        "torch repeats heads of size 1; enable_gqa says that heads are shared",
        _repeats,
        Case(KIND, {}, (2, 4, 8), (Tensor((1, 5, 8)), Tensor((1, 5, 8)))),
    ),
    Strictness(
        "an input without its batch axis: torch takes the samples for positions",
        lambda case: len(case.x) < 2,
        Case(KIND, {}, (8,), (Tensor((8,)), Tensor((8,)))),
    ),
    Strictness(
        "enable_gqa needs an axis of heads",
        lambda case: bool(case.fields.get("enable_gqa")) and len(case.x) < 3,
        Case(KIND, {"enable_gqa": True}, (4, 8), (Tensor((5, 8)), Tensor((5, 8)))),
    ),
]

FAMILY = Family(
    ROWS,
    {KIND: _cases()},
    EDGES,
    STRICTNESS,
    make={KIND: _Attention},
    data={KIND: masked_data},
    uncounted={KIND: "torch's counter knows its functions on the meta device only"},
)
