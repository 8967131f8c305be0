"""Transformers, by hand and by chance."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from torch import nn

from tests.components.layers.attention import (
    BATCH_SECOND,
    LENGTHS,
    WITHOUT_BATCH,
    among,
    attention,
    future,
    heads,
    sequences,
)
from tests.components.layers.contract import (
    BOOLS,
    NUMBERS,
    Case,
    Family,
    Row,
    Shape,
    Strictness,
    Tensor,
    Weights,
    affine,
    torch_may_warn,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

ENCODER, DECODER = "TransformerEncoderLayer", "TransformerDecoderLayer"


def _inside(name: str, weights: Weights) -> Weights:
    return {f"{name}.{weight}": shape for weight, shape in weights.items()}


def _norm(features: int, *, bias: bool) -> Weights:
    return affine(features) if bias else {"weight": (features,)}


def _layer(features: int, *attentions: str, bias: bool = True) -> Weights:
    """Return the weights of a layer with these attentions, and 8 hidden values."""
    weights: Weights = {}
    for name in attentions:
        weights |= _inside(name, attention(features, bias=bias))
    for name, out, of in (("linear1", 8, features), ("linear2", features, 8)):
        weights |= {f"{name}.weight": (out, of)} | ({f"{name}.bias": (out,)} if bias else {})
    for number in range(len(attentions) + 1):
        weights |= _inside(f"norm{number + 1}", _norm(features, bias=bias))
    return weights


def _encoder(features: int, *, bias: bool = True) -> Weights:
    return _layer(features, "self_attn", bias=bias)


def _decoder(features: int, *, bias: bool = True) -> Weights:
    return _layer(features, "self_attn", "multihead_attn", bias=bias)


def _stack(number: int, layer: Weights, norm: Weights | None = None) -> Weights:
    weights: Weights = {}
    for index in range(number):
        weights |= _inside(f"layers.{index}", layer)
    return weights | _inside("norm", norm or {})


def _both(encoder: int, decoder: int, features: int, *, bias: bool = True) -> Weights:
    norm = _norm(features, bias=bias)
    weights = _inside("encoder", _stack(encoder, _encoder(features, bias=bias), norm))
    return weights | _inside("decoder", _stack(decoder, _decoder(features, bias=bias), norm))


def _row(
    kind: str, fields: dict[str, Any], macs: int, weights: Weights, x: Shape, *others: Shape
) -> Row:
    given = tuple(Tensor(shape) for shape in others)
    output = others[0] if kind == "Transformer" else x
    return Row({kind: fields}, x, output, weights, macs, given)


#: Two heads, and 8 hidden values.
SMALL = {"nhead": 2, "dim_feedforward": 8}
FIRST = {"norm_first": True}
GELU = {"activation": "gelu"}
#: All values are kept.
ALL = {"dropout": 0.0}


def _of(kind: str, **fields: Any) -> dict[str, Any]:
    return {kind: {**SMALL, **fields}}


def _times(encoder: int, decoder: int) -> dict[str, int]:
    return {"num_encoder_layers": encoder, "num_decoder_layers": decoder}


ROWS = [
    # 4·5·6² to project, 2·5²·6 to attend, 2·5·6·8 behind.
    _row(ENCODER, SMALL, 1_500, _encoder(6), (5, 6)),
    _row(ENCODER, {**SMALL, **ALL}, 1_500, _encoder(6), (5, 6)),
    _row(ENCODER, {**SMALL, **FIRST, **ALL}, 1_500, _encoder(6), (5, 6)),
    _row(ENCODER, {**SMALL, "is_causal": True}, 1_500, _encoder(6), (5, 6)),
    _row(ENCODER, {**SMALL, **ALL, "is_causal": True}, 1_500, _encoder(6), (5, 6)),
    _row(ENCODER, {**SMALL, **GELU, **ALL, "dropout": 0}, 1_500, _encoder(6), (5, 6)),
    _row(ENCODER, {**SMALL, **GELU, **FIRST, "dropout": 0.5}, 1_500, _encoder(6), (5, 6)),
    _row(ENCODER, {**SMALL, **GELU, "dropout": 1.0}, 1_500, _encoder(6), (5, 6)),
    _row(
        ENCODER,
        {**SMALL, "nhead": 3, "bias": False, "d_model": 6},
        1_500,
        _encoder(6, bias=False),
        (5, 6),
    ),
    # A length of 1: 4·4² + 2·4 + 2·4·8.
    _row(ENCODER, {**SMALL, **ALL}, 136, _encoder(4), (1, 4)),
    _row(ENCODER, {**SMALL, **FIRST, "dropout": 1.0}, 136, _encoder(4), (1, 4)),
    # 4·3·4² + 2·3²·4 + 2·3·4·8 as in an encoder, 2·3·4² + 2·5·4² + 2·3·5·4 for the memory.
    _row(DECODER, SMALL, 832, _decoder(4), (3, 4), (5, 4)),
    _row(DECODER, {**SMALL, **FIRST, **ALL}, 832, _decoder(4), (3, 4), (5, 4)),
    _row(DECODER, {**SMALL, "tgt_is_causal": True}, 832, _decoder(4), (3, 4), (5, 4)),
    _row(DECODER, {**SMALL, **ALL, "memory_is_causal": True}, 832, _decoder(4), (3, 4), (5, 4)),
    _row(DECODER, {**SMALL, **GELU, **ALL}, 832, _decoder(4), (3, 4), (5, 4)),
    # A memory of length 1: 456 as in an encoder, 2·3·4² + 2·4² + 2·3·4.
    _row(DECODER, {**SMALL, "bias": False}, 608, _decoder(4, bias=False), (3, 4), (1, 4)),
    # Both of length 1: 136 as in an encoder, 4·4² + 2·4.
    _row(DECODER, {**SMALL, **ALL, "layer_norm_eps": 0.1}, 208, _decoder(4), (1, 4), (1, 4)),
    _row(
        "TransformerEncoder",
        {"encoder_layer": _of(ENCODER), "num_layers": 2},
        2 * 1_500,
        _stack(2, _encoder(6)),
        (5, 6),
    ),
    _row(
        "TransformerEncoder",
        {"encoder_layer": _of(ENCODER, **ALL), "num_layers": 2, "is_causal": True},
        2 * 1_500,
        _stack(2, _encoder(6)),
        (5, 6),
    ),
    _row(
        "TransformerEncoder",
        {
            "encoder_layer": _of(ENCODER, **ALL, **FIRST, **GELU),
            "num_layers": 2,
            "norm": "LayerNorm",
            "mask_check": False,
        },
        2 * 1_500,
        _stack(2, _encoder(6), affine(6)),
        (5, 6),
    ),
    _row(
        "TransformerEncoder",
        {
            "encoder_layer": {ENCODER: {"nhead": 1, "dim_feedforward": 8, "bias": False}},
            "num_layers": 1,
            "norm": {"RMSNorm": {"eps": 0.001}},
            "enable_nested_tensor": False,
        },
        136,
        _stack(1, _encoder(4, bias=False), {"weight": (4,)}),
        (1, 4),
    ),
    _row(
        "TransformerDecoder",
        {"decoder_layer": _of(DECODER), "num_layers": 2, "norm": {"LayerNorm": {"bias": False}}},
        2 * 832,
        _stack(2, _decoder(4), {"weight": (4,)}),
        (3, 4),
        (5, 4),
    ),
    _row(
        "TransformerDecoder",
        {"decoder_layer": _of(DECODER, **ALL), "num_layers": 2, "tgt_is_causal": True},
        2 * 832,
        _stack(2, _decoder(4)),
        (3, 4),
        (5, 4),
    ),
    _row(
        "TransformerDecoder",
        {"decoder_layer": _of(DECODER, **ALL, bias=False), "num_layers": 3},
        3 * 608,
        _stack(3, _decoder(4, bias=False)),
        (3, 4),
        (1, 4),
    ),
    _row(
        "TransformerDecoder",
        {"decoder_layer": _of(DECODER, **FIRST), "num_layers": 2, "norm": "RMSNorm"},
        2 * 208,
        _stack(2, _decoder(4), {"weight": (4,)}),
        (1, 4),
        (1, 4),
    ),
    # 4·5·4² + 2·5²·4 + 2·5·4·8 for an encoder layer, 832 for a decoder layer.
    _row("Transformer", {**SMALL, **_times(2, 1)}, 2 * 840 + 832, _both(2, 1, 4), (5, 4), (3, 4)),
    _row(
        "Transformer",
        {**SMALL, **_times(2, 1), **ALL, "tgt_is_causal": True, "src_is_causal": True},
        2 * 840 + 832,
        _both(2, 1, 4),
        (5, 4),
        (3, 4),
    ),
    _row(
        "Transformer",
        {**SMALL, **_times(1, 1), **ALL, "memory_is_causal": True, "src_is_causal": True},
        840 + 832,
        _both(1, 1, 4),
        (5, 4),
        (3, 4),
    ),
    # A source of length 1: 136 for an encoder layer, 608 for a decoder layer.
    _row(
        "Transformer",
        {**SMALL, **_times(1, 2), **ALL, **GELU, **FIRST, "bias": False},
        136 + 2 * 608,
        _both(1, 2, 4, bias=False),
        (1, 4),
        (3, 4),
    ),
]

EDGES = [
    *[
        Case(ENCODER, {"dim_feedforward": 3, **fields}, x)
        for fields, x in (
            ({"nhead": 4}, (3, 6)),
            ({"nhead": 2, "d_model": 4}, (3, 6)),
            ({"nhead": 2}, (2, 3, 6)),
            ({"nhead": 2, "activation": "tanh"}, (3, 6)),
            ({"nhead": 2, "dropout": 1.5}, (3, 6)),
            ({"nhead": 1}, (1, 1)),
        )
    ],
    *[
        Case(DECODER, {"nhead": 2, "dim_feedforward": 3}, x, (Tensor(memory),))
        for x, memory in (((3, 4), (3, 6)), ((3, 4), (4,)), ((4,), (3, 4)), ((3, 4), (2, 3, 4)))
    ],
    *[
        Case("TransformerEncoder", {"encoder_layer": _of(ENCODER, **fields), **stack}, (3, 6))
        for fields, stack in (
            ({}, {"num_layers": 0}),
            ({"nhead": 4}, {"num_layers": 1}),
            ({"d_model": 4}, {"num_layers": 1}),
            ({}, {"num_layers": 1, "norm": {"LayerNorm": {"normalized_shape": 4}}}),
            ({}, {"num_layers": 1, "norm": {"LayerNorm": {"normalized_shape": [3, 6]}}}),
            ({}, {"num_layers": 1, "norm": {"RMSNorm": {"elementwise_affine": False}}}),
        )
    ],
    *[
        Case("Transformer", {**SMALL, **fields}, x, (Tensor(tgt),))
        for fields, x, tgt in (
            (_times(0, 1), (3, 4), (3, 4)),
            (_times(1, 0), (3, 4), (3, 4)),
            (_times(1, 1), (3, 4), (3, 6)),
            (_times(1, 1), (3, 4), (4,)),
            ({**_times(1, 1), "nhead": 4}, (3, 6), (3, 6)),
        )
    ],
]

FEATURES = st.sampled_from([4, 6, 6, 8])
HIDDEN = st.integers(3, 8)


#: The masks by the fields that ask for them: the number of the input with the queries, the number
#: of the one with the keys, and the argument of `forward`.
MASKS = {
    ENCODER: {"is_causal": (0, 0, "src_mask")},
    "TransformerEncoder": {"is_causal": (0, 0, "mask")},
    DECODER: {"tgt_is_causal": (0, 0, "tgt_mask"), "memory_is_causal": (0, 1, "memory_mask")},
    "Transformer": {
        "src_is_causal": (0, 0, "src_mask"),
        "tgt_is_causal": (1, 1, "tgt_mask"),
        "memory_is_causal": (1, 0, "memory_mask"),
    },
}
MASKS["TransformerDecoder"] = MASKS[DECODER]


def _layers(features: int, *, any_: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the fields of a layer."""
    return st.fixed_dictionaries(
        {"nhead": heads(features, any_=any_), "dim_feedforward": HIDDEN},
        optional={
            "d_model": among([None, features], [5], any_=any_),
            "dropout": among([0.0, 0.1, 0.5, 1.0], [-0.5, 1.5], any_=any_),
            "activation": among(["relu", "gelu"], ["tanh"], any_=any_),
            "layer_norm_eps": NUMBERS,
            "batch_first": among([True], [False], any_=any_),
            "norm_first": BOOLS,
            "bias": BOOLS,
        },
    )


def _norms(features: int, *, any_: bool) -> st.SearchStrategy[Any]:
    fields = st.fixed_dictionaries(
        {},
        optional={
            "normalized_shape": among([None, features, [features]], [3, [2, features]], any_=any_),
            "eps": NUMBERS,
            "elementwise_affine": BOOLS,
        },
    )
    kinds = st.sampled_from(["LayerNorm", "RMSNorm"])
    return st.none() | kinds | st.builds(lambda kind, fields: {kind: fields}, kinds, fields)


def _stacks(field: str, kind: str) -> Callable[..., st.SearchStrategy[dict[str, Any]]]:
    flags = {"enable_nested_tensor": BOOLS, "mask_check": BOOLS} if kind == ENCODER else {}

    def draw(features: int, *, any_: bool) -> st.SearchStrategy[dict[str, Any]]:
        item = _layers(features, any_=any_).map(lambda fields: {kind: fields})
        return st.fixed_dictionaries(
            {field: item, "num_layers": among([1, 1, 2], [0], any_=any_)},
            optional={"norm": _norms(features, any_=any_), **flags},
        )

    return draw


def _transformers(features: int, *, any_: bool) -> st.SearchStrategy[dict[str, Any]]:
    times = st.builds(_times, among([1, 1, 2], [0], any_=any_), among([1, 1, 2], [0], any_=any_))
    drawn = st.tuples(_layers(features, any_=any_), times)
    return drawn.map(lambda parts: {**parts[0], **parts[1]})


@st.composite
def _cases(
    draw: st.DrawFn,
    kind: str,
    fields: Callable[..., st.SearchStrategy[dict[str, Any]]],
    inputs: int,
) -> Case:
    """Draw a module with sequences that mostly have as many features."""
    any_ = draw(st.integers(0, 9)) > 5
    features = draw(FEATURES)
    x = draw(sequences(features, any_=any_))
    others: list[Tensor] = []
    if inputs == 2:
        other = (draw(LENGTHS), draw(among([features], [3], any_=any_)))
        odd = draw(among([False], [True], any_=any_))
        others.append(Tensor(other[1:] if odd or len(x) == 1 else other))
    hidden = {field: True for field in MASKS[kind] if draw(st.integers(0, 3)) == 0}
    return Case(kind, {**draw(fields(features, any_=any_)), **hidden}, x, tuple(others))


CASES = {
    ENCODER: _cases(ENCODER, _layers, 1),
    DECODER: _cases(DECODER, _layers, 2),
    "TransformerEncoder": _cases("TransformerEncoder", _stacks("encoder_layer", ENCODER), 1),
    "TransformerDecoder": _cases("TransformerDecoder", _stacks("decoder_layer", DECODER), 2),
    "Transformer": _cases("Transformer", _transformers, 2),
}


def _of_all(case: Case) -> dict[str, Any]:
    """Return the fields of a case, and those of the layer inside it."""
    fields = dict(case.fields)
    for field in ("encoder_layer", "decoder_layer"):
        for inner in fields.get(field, {}).values():
            fields |= inner
    return fields


STRICTNESS = [
    Strictness(
        BATCH_SECOND,
        lambda case: _of_all(case).get("batch_first") is False,
        Case(ENCODER, {**SMALL, "batch_first": False}, (3, 4)),
    ),
    Strictness(
        WITHOUT_BATCH,
        lambda case: all(len(x.shape) == 1 for x in case.inputs),
        Case(DECODER, SMALL, (4,), (Tensor((4,)),)),
    ),
    Strictness(
        "a size of 0 makes an empty tensor",
        lambda case: _of_all(case).get("dim_feedforward") == 0,
        Case(ENCODER, {"nhead": 2, "dim_feedforward": 0}, (3, 4)),
    ),
]


def _made(item: Any, **decided: Any) -> nn.Module | None:
    """Build a layer inside another, of what stands in the file."""
    if item is None:
        return None
    ((kind, fields),) = ({item: {}} if isinstance(item, str) else item).items()
    written = {n: value for n, value in fields.items() if n not in decided or value is not None}
    made: nn.Module = getattr(nn, kind)(**{**decided, **written})
    return made


def _make(kind: str) -> Callable[..., Any]:
    """Return what makes a module of sequences with the batch in axis 0."""
    torchs = getattr(nn, kind)

    @wraps(torchs, updated=())
    def make(**arguments: Any) -> Any:
        hidden = [field for field in MASKS[kind] if arguments.pop(field, False)]
        module = torch_module(arguments)
        module.hidden = [(field, *MASKS[kind][field]) for field in hidden]
        return module

    def torch_module(arguments: dict[str, Any]) -> Any:
        with torch_may_warn():  # that it does without nested tensors
            if "num_layers" not in arguments:
                return torchs(**{"batch_first": True, **arguments})
            size = arguments.pop("d_model")
            for name in ("encoder_layer", "decoder_layer"):
                if name in arguments:
                    arguments[name] = _made(arguments[name], d_model=size, batch_first=True)
            if "norm" in arguments:
                arguments["norm"] = _made(arguments["norm"], normalized_shape=size)
            return torchs(**arguments)

    return make


def _call(module: Any, *x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Call a module with masks alone: torch is not told, and does not look, what they are."""
    masks: dict[str, Any] = {}
    for field, queries, keys, mask in module.hidden:
        masks |= {field: False, mask: future(x[queries], x[keys])}
    return (module(*x, **masks),)


DEFAULTS = {
    "batch_first": "true by default: axis 0 is the batch",
    "activation": "the name of torch's default, which is the function",
}

FAMILY = Family(
    ROWS,
    CASES,
    EDGES,
    STRICTNESS,
    # Stacks hand it on to their layers.
    decided={kind: {"d_model": lambda *x: x[0][-1]} for kind in CASES},
    make={kind: _make(kind) for kind in CASES},
    call=dict.fromkeys(CASES, _call),
    fields={
        **{
            (kind, field): reason
            for kind in (ENCODER, DECODER, "Transformer")
            for field, reason in DEFAULTS.items()
        },
        **{
            (kind, field): "an argument of forward"
            for kind, masks in MASKS.items()
            for field in masks
        },
        ("Transformer", "d_model"): "decided by the input; torch has 512 by default",
        ("Transformer", "custom_encoder"): "not offered: TransformerEncoder is a layer of its own",
        ("Transformer", "custom_decoder"): "not offered: TransformerDecoder is a layer of its own",
    },
)
