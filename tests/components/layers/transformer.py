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
    future,
    heads,
    sequences,
)
from tests.components.layers.contract import (
    BOOLS,
    NUMBERS,
    Case,
    Family,
    Strictness,
    Tensor,
    torch_may_warn,
)
from tests.components.layers.masks import masked_data, of_torch, some_masks, two_masks, with_masks
from tests.components.layers.transformer_rows import DECODER, EDGES, ENCODER, ROWS, SMALL
from tests.components.layers.transformer_rows import times as _times

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


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


PREFIXES = ("src_", "tgt_", "memory_")


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
    case = Case(kind, {**draw(fields(features, any_=any_)), **hidden}, x, tuple(others))
    if draw(st.booleans()) or not all(len(t.shape) == 2 for t in case.inputs):
        return case
    masks = draw(some_masks(_wanted(case), any_=any_))
    if not any_:
        masks = {name: m for name, m in masks.items() if name not in _made_for(case)}
    return with_masks(case, ("tgt", "memory") if "Decoder" in kind else ("src", "tgt"), masks)


def _made_for(case: Case) -> set[str]:
    """Return the masks that fields already ask for."""
    return {MASKS[case.kind][field][2] for field in MASKS[case.kind] if field in case.fields}


def _wanted(case: Case) -> dict[str, tuple[Any, ...]]:
    """Return the shapes of all masks of a module."""
    found: dict[str, tuple[Any, ...]] = {}
    paddings: dict[str, tuple[Any, ...]] = {}
    heads = _of_all(case)["nhead"]
    for queries, keys, mask in MASKS[case.kind].values():
        scores = tuple(case.inputs[n].shape[0] for n in (queries, keys))
        found[mask] = (scores, (heads, *scores))
        padding = "src_mask" if mask == "mask" else mask
        paddings[padding.replace("mask", "key_padding_mask")] = (scores[1:],)
    return {**found, **paddings}


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
    two_masks(
        Case(
            ENCODER,
            {**SMALL, "is_causal": True},
            (3, 4),
            (Tensor((3, 3), "bool"),),
            names=("src", "src_mask"),
        )
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
    names = getattr(module, "names", ())
    masks = {name: t for name, t in zip(names, x, strict=False) if "mask" in name}
    x = x[: len(x) - len(masks)]
    hints = {}
    for field, queries, keys, mask in module.hidden:
        masks[mask] = future(x[queries], x[keys])
        hints[field] = False
    pairs = [(f"{of}mask", f"{of or 'src_'}key_padding_mask") for of in ("", *PREFIXES)]
    layers = [part for part in module.modules() if isinstance(part, nn.TransformerEncoderLayer)]
    for layer in layers if names else ():
        layer.activation_relu_or_gelu = 0  # as in training: its fused form misreads masks
    attentions = [m for m in module.modules() if isinstance(m, nn.MultiheadAttention)]
    heads = attentions[0].num_heads if attentions else 1
    return (module(*x, **hints, **of_torch(pairs, masks, heads)),)


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
    data=dict.fromkeys(CASES, masked_data),
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
