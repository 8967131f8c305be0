"""Attention, by hand and by chance."""

from __future__ import annotations

from functools import wraps
from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn

from tests.components.layers.contract import (
    BOOLS,
    Case,
    Family,
    Row,
    Shape,
    Strictness,
    Tensor,
    Weights,
)
from tests.components.layers.masks import masked_data, of_torch, some_masks, two_masks, with_masks

#: Arguments of `forward`, which a row states among the fields.
FORWARD = ("need_weights", "average_attn_weights", "is_causal")


def attention(features: int, *, bias: bool = True) -> Weights:
    """Return the weights of an attention whose inputs have equally many features."""
    if not bias:
        return {
            "in_proj_weight": (3 * features, features),
            "out_proj.weight": (features, features),
        }
    return {
        "in_proj_weight": (3 * features, features),
        "in_proj_bias": (3 * features,),
        "out_proj.weight": (features, features),
        "out_proj.bias": (features,),
    }


def separate(features: int, key: int, value: int) -> Weights:
    """Return the weights of an attention whose key or value has other features than the query."""
    return {
        "q_proj_weight": (features, features),
        "k_proj_weight": (features, key),
        "v_proj_weight": (features, value),
        "in_proj_bias": (3 * features,),
        "out_proj.weight": (features, features),
        "out_proj.bias": (features,),
    }


def _with_added(features: int) -> Weights:
    weights = attention(features)
    out = {name: weights.pop(name) for name in ("out_proj.weight", "out_proj.bias")}
    return {**weights, "bias_k": (1, 1, features), "bias_v": (1, 1, features), **out}


def _row(
    fields: dict[str, Any], macs: int, weights: Weights, x: Shape, *others: Shape, heads: int = 2
) -> Row:
    given = tuple(Tensor(shape) for shape in others)
    return Row({"MultiheadAttention": {"num_heads": heads, **fields}}, x, x, weights, macs, given)


BARE = {"need_weights": False}
ADDED = {"add_bias_kv": True, "add_zero_attn": True}
CAUSAL = {"is_causal": True}

ROWS = [
    # Of itself: 4·5·6² to project and 2·5²·6 to attend.
    _row({}, 1_020, attention(6), (5, 6)),
    _row({"dropout": 0.3}, 1_020, attention(6), (5, 6)),
    _row({**BARE}, 1_020, attention(6), (5, 6)),
    _row({**BARE, "dropout": 0.3}, 1_020, attention(6), (5, 6)),
    _row({"average_attn_weights": False, "dropout": 1.0}, 1_020, attention(6), (5, 6)),
    _row({**BARE, "bias": False, "embed_dim": 6}, 768, attention(6, bias=False), (4, 6), heads=3),
    # A length of 1: the input itself is kept. 4·4² and 2·4.
    _row({"average_attn_weights": False}, 72, attention(4), (1, 4), heads=1),
    _row({**BARE}, 72, attention(4), (1, 4), heads=4),
    # Causal: what is masked is multiplied too.
    _row({**CAUSAL}, 1_020, attention(6), (5, 6)),
    _row({**CAUSAL, **BARE}, 1_020, attention(6), (5, 6)),
    _row({**CAUSAL, **BARE, "dropout": 0.3}, 1_020, attention(6), (5, 6)),
    _row({**CAUSAL, "average_attn_weights": False}, 376, attention(4), (3, 4), (5, 4)),
    _row({**CAUSAL, **BARE}, 376, attention(4), (3, 4), (5, 4)),
    _row({**CAUSAL, **ADDED}, 192, _with_added(4), (2, 4)),
    _row({**CAUSAL, **ADDED, **BARE}, 192, _with_added(4), (2, 4)),
    # Two positions more to attend to: 4·2·4² and 2·2·4·4.
    _row({**ADDED}, 192, _with_added(4), (2, 4)),
    _row({**ADDED, **BARE}, 192, _with_added(4), (2, 4)),
    _row({**ADDED, **BARE, "dropout": 0.5}, 192, _with_added(4), (2, 4)),
    # Of another: 2·3·4² for the query and the output, 2·5·4² for the key as key and as value.
    _row({"dropout": 0.3}, 376, attention(4), (3, 4), (5, 4)),
    _row({**BARE}, 376, attention(4), (3, 4), (5, 4)),
    _row({**BARE, "dropout": 1.0}, 376, attention(4), (3, 4), (5, 4)),
    _row({**BARE, "dropout": 0.5}, 376, attention(4), (3, 4), (5, 4), (5, 4)),
    _row({**BARE, "add_bias_kv": True}, 400, _with_added(4), (3, 4), (5, 4), (5, 4)),
    # Of other features: 2·3·4², 5·6·4 for the key, 5·3·4 for the value, 2·3·6·4.
    _row({"kdim": 6}, 456, separate(4, 6, 6), (3, 4), (5, 6)),
    _row({**BARE, "dropout": 0.5}, 456, separate(4, 6, 6), (3, 4), (5, 6)),
    _row(
        {"add_zero_attn": True, "kdim": 6, "vdim": 3, "average_attn_weights": False},
        420,
        separate(4, 6, 3),
        (3, 4),
        (5, 6),
        (5, 3),
    ),
    # A length of 1 for those alone: 2·3·4² + 4·4 + 3·4 + 2·3·1·4.
    _row({**BARE}, 148, separate(4, 4, 3), (3, 4), (1, 4), (1, 3)),
]

EDGES = [
    Case("MultiheadAttention", {"num_heads": heads, **fields}, x, tuple(map(Tensor, others)))
    for heads, fields, x, others in (
        (4, {}, (3, 6), ()),
        (0, {}, (3, 6), ()),
        (2, {}, (2, 3, 6), ()),
        (2, {"embed_dim": 4}, (3, 6), ()),
        (2, {"kdim": 5}, (3, 6), ()),
        (2, {"vdim": 5}, (3, 6), ((2, 6),)),
        (2, {}, (3, 6), ((6,),)),
        (2, {}, (3, 6), ((2, 6), (3, 6))),
        (2, {}, (3, 6), ((2, 6), (2, 5))),
        (2, {"dropout": 1.5}, (3, 6), ()),
        (2, {"dropout": 1.5, **BARE}, (3, 6), ()),
        (2, {"kdim": 6, "vdim": 6}, (1, 6), ((1, 6), (1, 6))),
        (1, {}, (1, 1), ((1, 1),)),
    )
]

LENGTHS = st.integers(1, 5)


def among(usual: list[Any], odd: list[Any], *, any_: bool) -> st.SearchStrategy[Any]:
    """Draw one of the usual values, which fit, or with `any_` perhaps an odd one."""
    return st.sampled_from(usual * 3 + odd if any_ else usual)


def sequences(features: int, *, any_: bool) -> st.SearchStrategy[Shape]:
    """Draw a length with features, and with `any_` sometimes an axis more or less."""
    usual = st.tuples(LENGTHS, st.just(features))
    odd = st.just((features,)) | st.just((2, 3, features))
    return st.one_of(*[usual] * 6, odd) if any_ else usual


def heads(features: int, *, any_: bool) -> st.SearchStrategy[int]:
    """Draw numbers of heads that divide the features."""
    return among([n for n in (1, 2, 3) if features % n == 0], [0, 3, 4], any_=any_)


@st.composite
def attentions(draw: st.DrawFn) -> Case:
    """Draw attentions of one, two and three inputs."""
    any_ = draw(st.integers(0, 9)) > 5
    features = draw(st.sampled_from([1, 2, 4, 6, 6, 8]))
    x = draw(sequences(features, any_=any_))
    others: list[Tensor] = []
    length = draw(LENGTHS)
    for _ in range(draw(st.integers(0, 2))):
        other = (
            draw(among([length], [2], any_=any_)),
            draw(st.sampled_from([features] * 4 + [3, 5])),
        )
        odd = draw(among([False], [True], any_=any_))
        others.append(Tensor(other[1:] if odd or len(x) == 1 else other))
    sizes = [tensor.shape[-1] for tensor in (Tensor(x), *others)]
    key, value = sizes[min(1, len(others))], sizes[-1]
    fields = draw(
        st.fixed_dictionaries(
            {"num_heads": heads(features, any_=any_)},
            optional={
                "embed_dim": among([features, None], [4], any_=any_),
                "dropout": among([0.0, 0.3, 0.5, 1.0], [-0.5, 1.5], any_=any_),
                "bias": BOOLS,
                "add_bias_kv": BOOLS,
                "add_zero_attn": BOOLS,
                "kdim": among([None, key], [3, 4], any_=any_),
                "vdim": among([None, value], [3, 4], any_=any_),
                "batch_first": among([True], [False], any_=any_),
                "need_weights": BOOLS,
                "average_attn_weights": BOOLS,
                "is_causal": BOOLS,
            },
        )
    )
    case = Case("MultiheadAttention", fields, x, tuple(others))
    if draw(st.booleans()) or len(x) != 2:
        return case
    scores = x[0], (others[0].shape[0] if others else x[0])
    each = (fields["num_heads"], *scores)
    wanted = {"key_padding_mask": (scores[1:],), "attn_mask": (scores, each)}
    masks = draw(some_masks(wanted, any_=any_))
    return with_masks(case, ("query", "key", "value"), masks)


def _is_without_batch(case: Case) -> bool:
    return all(len(x.shape) == 1 for x in case.inputs)


WITHOUT_BATCH = "an input without its batch axis: torch takes the samples for positions"
BATCH_SECOND = "axis 0 is the batch"

STRICTNESS = [
    Strictness(
        BATCH_SECOND,
        lambda case: case.fields.get("batch_first") is False,
        Case("MultiheadAttention", {"num_heads": 2, "batch_first": False}, (3, 4)),
    ),
    Strictness(
        WITHOUT_BATCH,
        _is_without_batch,
        Case("MultiheadAttention", {"num_heads": 2}, (4,)),
    ),
    two_masks(
        Case(
            "MultiheadAttention",
            {"num_heads": 2, "is_causal": True},
            (3, 4),
            (Tensor((3, 3), "bool"),),
            names=("query", "attn_mask"),
        )
    ),
    Strictness(
        "a probability below 0 is none, where torch only asks whether it is above",
        lambda case: case.fields.get("dropout", 0) < 0,
        Case("MultiheadAttention", {"num_heads": 2, "dropout": -0.5}, (3, 4)),
    ),
]


@wraps(nn.MultiheadAttention, updated=())
def _make(**arguments: Any) -> nn.Module:
    given = {name: arguments.pop(name) for name in FORWARD if name in arguments}
    module = nn.MultiheadAttention(**{"batch_first": True, **arguments})
    module.given = given  # type: ignore[assignment]
    return module


def future(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """Return torch's mask of what a query may not see: true behind its own position."""
    positions = [torch.arange(x.shape[1]) for x in (queries, keys)]
    return positions[1][None, :] > positions[0][:, None]


def _call(module: Any, *x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    names = getattr(module, "names", ("query", "key", "value"))
    masks = {name: t for name, t in zip(names, x, strict=False) if "mask" in name}
    x = x[: len(x) - len(masks)]
    query = x[0]
    key = x[1] if len(x) > 1 else query
    value = x[2] if len(x) > 2 else key
    given = dict(module.given)
    if given.pop("is_causal", False):
        masks["attn_mask"] = future(query, key)
    given |= of_torch([("attn_mask", "key_padding_mask")], masks, module.num_heads)
    output, weights = module(query, key, value, **given)
    return (output,) if weights is None else (output, weights)


FAMILY = Family(
    ROWS,
    {"MultiheadAttention": attentions()},
    EDGES,
    STRICTNESS,
    decided={
        "MultiheadAttention": {
            "embed_dim": lambda *x: x[0][-1],
            "kdim": lambda *x: x[min(1, len(x) - 1)][-1],
            "vdim": lambda *x: x[-1][-1],
        }
    },
    make={"MultiheadAttention": _make},
    call={"MultiheadAttention": _call},
    data={"MultiheadAttention": masked_data},
    fields={
        ("MultiheadAttention", "batch_first"): "true by default: axis 0 is the batch",
        ("MultiheadAttention", "need_weights"): "an argument of forward",
        ("MultiheadAttention", "average_attn_weights"): "an argument of forward",
        ("MultiheadAttention", "is_causal"): "an argument of forward",
        ("MultiheadAttention", "kdim"): "decided by the key; torch takes embed_dim for none",
        ("MultiheadAttention", "vdim"): "decided by the value; torch takes embed_dim for none",
    },
)
