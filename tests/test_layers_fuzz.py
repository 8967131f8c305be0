"""Any layer with any fields on any input: netbuild accepts it if and only if torch runs it.

Torch's side is its own constructor and a forward pass of two samples in training mode, on the CPU:
the meta device leaves some checks out. Fields have the declared types, for a file is stricter than
Python about those, and any value: kernels larger than the input, groups that do not divide.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layer_table import DECIDED, DECIDED_BY_LAYER, Shape, graph_of, torch_arguments
from torch import nn

from netbuild.builder import module as build
from netbuild.layers import LAYERS
from netbuild.layers.spatial import Spatial

BATCH = 2
#: What torch raises for fields and inputs that it does not take.
REFUSALS = (
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
    AssertionError,
    ZeroDivisionError,
    OverflowError,
)
Case = tuple[str, dict[str, Any], Shape]


class Strictness(NamedTuple):
    """A reason for which netbuild refuses what torch runs, with one case of it."""

    reason: str
    applies: Callable[[str, dict[str, Any], Shape], bool]
    example: Case


def _spatial_rank(kind: str) -> int | None:
    """Return the number of spatial axes that a layer is made for."""
    return int(kind[-2]) if kind[-1] == "d" else None


def _has_no_batch(kind: str, fields: dict[str, Any], x: Shape) -> bool:
    del fields
    takes_unbatched = issubclass(LAYERS[kind], Spatial) or kind.startswith("InstanceNorm")
    return takes_unbatched and len(x) == _spatial_rank(kind)


def _crosses_the_batch(kind: str, fields: dict[str, Any], x: Shape) -> bool:
    rank = len(x) + 1
    if kind in {"Softmax", "LogSoftmax"}:
        dim = fields.get("dim")
        return len(x) == 2 if dim is None else dim % rank == 0
    if kind == "Flatten":
        ends = fields.get("start_dim", 1), fields.get("end_dim", -1)
        return any(end % rank == 0 for end in ends)
    if kind == "LayerNorm":
        sizes = fields.get("normalized_shape")
        return isinstance(sizes, list) and len(sizes) == rank
    return kind == "Unflatten" and fields["dim"] % rank == 0


def _lists_another_number_of_axes(kind: str, fields: dict[str, Any], x: Shape) -> bool:
    del x
    return issubclass(LAYERS[kind], Spatial) and any(
        isinstance(value, list) and len(value) != _spatial_rank(kind) for value in fields.values()
    )


def _has_size_zero(kind: str, fields: dict[str, Any], x: Shape) -> bool:
    del kind, x
    sizes = ("out_channels", "out_features", "kernel_size", "output_size", "num_parameters")
    values = [fields.get(name) for name in sizes]
    return any(value == 0 or (isinstance(value, list) and 0 in value) for value in values)


def _gives_two_results(kind: str, fields: dict[str, Any], x: Shape) -> bool:
    del kind, x
    return bool(fields.get("return_indices"))


def _drops_no_channels(kind: str, fields: dict[str, Any], x: Shape) -> bool:
    del fields
    return kind == "Dropout2d" and len(x) != 3


def _contradicts_the_input_in_vain(kind: str, fields: dict[str, Any], x: Shape) -> bool:
    decided = DECIDED_BY_LAYER.get(kind, "")
    written = fields.get(decided)
    makes_weights = fields.get("affine", not kind.startswith("InstanceNorm"))
    return (
        kind.startswith(("BatchNorm", "InstanceNorm", "GroupNorm"))
        and written not in {None, DECIDED[decided](x)}
        and not makes_weights
    )


def _is_a_mean_of_the_last_axes(kind: str, fields: dict[str, Any], x: Shape) -> bool:
    sizes = fields.get("output_size")
    ones = sizes == 1 or (isinstance(sizes, list) and set(sizes) <= {1, None})
    return kind.startswith("AdaptiveAvgPool") and ones and len(x) - 1 != _spatial_rank(kind)


def _overwrites_a_negative_slope(kind: str, fields: dict[str, Any], x: Shape) -> bool:
    del x
    slope = fields.get("negative_slope", fields.get("alpha", 1))
    return kind in {"LeakyReLU", "ELU", "CELU"} and bool(fields.get("inplace")) and slope < 0


def _pools_nothing_but_padding(kind: str, fields: dict[str, Any], x: Shape) -> bool:
    rank = _spatial_rank(kind)
    if not kind.startswith("MaxPool") or rank is None or len(x) != rank + 1:
        return False

    def each(name: str, default: Any) -> list[int]:
        value = fields.get(name, default)
        return value if isinstance(value, list) else [value] * rank

    kernels = each("kernel_size", 1)
    strides = each("stride", None) if fields.get("stride") is not None else kernels
    axes = zip(x[1:], kernels, strides, each("padding", 0), each("dilation", 1), strict=False)
    return any(
        not any(0 <= start + tap * d < n for tap in range(k))
        for n, k, s, p, d in axes
        for start in range(-p, 0, s)
    )


STRICTNESS = [
    Strictness(
        "torch runs forward, and could not go backward from an overwritten input",
        _overwrites_a_negative_slope,
        ("ELU", {"alpha": -1.0, "inplace": True}, (4,)),
    ),
    Strictness(
        "torch runs forward, and writes outside of its memory going backward",
        _pools_nothing_but_padding,
        ("MaxPool1d", {"kernel_size": 2, "padding": 1, "dilation": 3}, (1, 2)),
    ),
    Strictness(
        "an input without its batch axis: torch takes the two samples for channels",
        _has_no_batch,
        ("MaxPool2d", {"kernel_size": 2}, (8, 8)),
    ),
    Strictness(
        "an operation over the batch axis mixes samples, which stay apart in a network",
        _crosses_the_batch,
        ("Flatten", {"start_dim": 0}, (3, 4)),
    ),
    Strictness(
        "a list of sizes has one for each axis; torch repeats a single one, or reads some only",
        _lists_another_number_of_axes,
        ("MaxPool2d", {"kernel_size": [2]}, (1, 8, 8)),
    ),
    Strictness(
        "a size of 0 makes an empty tensor",
        _has_size_zero,
        ("Linear", {"out_features": 0}, (4,)),
    ),
    Strictness(
        "a layer of a stack passes one result on",
        _gives_two_results,
        ("MaxPool1d", {"kernel_size": 2, "return_indices": True}, (1, 8)),
    ),
    Strictness(
        "torch warns that Dropout2d of anything but (C, H, W) is a mistake, and goes on",
        _drops_no_channels,
        ("Dropout2d", {}, (4,)),
    ),
    Strictness(
        "a written number of channels is checked, even where torch makes nothing of it",
        _contradicts_the_input_in_vain,
        ("BatchNorm1d", {"num_features": 3, "affine": False, "track_running_stats": False}, (4,)),
    ),
    Strictness(
        "an output of one value is a mean to torch, which forgets to look at the number of axes",
        _is_a_mean_of_the_last_axes,
        ("AdaptiveAvgPool2d", {"output_size": 1}, (3, 4, 5, 6)),
    ),
]

#: Cases at the edge of a rule, on either side, which a random draw seldom meets.
EDGES: list[Case] = [
    # With ceil_mode a last window may begin at the last value, but not behind it.
    *[
        (f"{kind}Pool{rank}d", {"kernel_size": 2, "stride": 3, "ceil_mode": True}, (1, *[n] * rank))
        for kind in ("Max", "Avg")
        for rank in (1, 2, 3)
        for n in (3, 4)
    ],
    ("MaxPool1d", {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True}, (1, 5)),
    ("MaxPool1d", {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True}, (1, 6)),
    ("AvgPool2d", {"kernel_size": 3, "padding": 1}, (1, 2, 2)),
    ("AvgPool3d", {"kernel_size": 3, "padding": 1}, (1, 3, 3, 3)),
    ("AvgPool3d", {"kernel_size": 3, "padding": 1}, (1, 2, 2, 2)),
    ("AvgPool3d", {"kernel_size": 2, "ceil_mode": True}, (1, 1, 4, 4)),
    ("MaxPool3d", {"kernel_size": 3, "padding": 1}, (1, 2, 2, 2)),
    ("MaxPool3d", {"kernel_size": 2, "ceil_mode": True}, (1, 1, 4, 4)),
    ("MaxPool2d", {"kernel_size": 2, "padding": 1}, (1, 1, 1)),
    ("MaxPool2d", {"kernel_size": 3, "padding": 2}, (1, 8, 8)),
    ("MaxPool2d", {"kernel_size": 2, "padding": 1, "dilation": 3}, (1, 2, 2)),
    ("Conv2d", {"out_channels": 2, "kernel_size": 5, "padding": 1}, (1, 3, 3)),
    ("Conv2d", {"out_channels": 2, "kernel_size": 5, "padding": 1}, (1, 2, 2)),
    ("Conv1d", {"out_channels": 2, "kernel_size": 8, "padding": "same"}, (1, 2)),
    ("Conv1d", {"out_channels": 2, "kernel_size": 2, "padding": "same", "stride": 2}, (1, 8)),
    ("BatchNorm1d", {"eps": 0.0}, (4,)),
    ("BatchNorm2d", {}, (4, 1, 1)),
    ("InstanceNorm1d", {"eps": 0.0}, (4, 5)),
    ("InstanceNorm2d", {"eps": -1.0}, (4, 5, 5)),
    ("InstanceNorm2d", {}, (4, 1, 1)),
    ("InstanceNorm2d", {"track_running_stats": True, "momentum": None}, (4, 1, 2)),
    ("GroupNorm", {"num_groups": 4}, (4,)),
    ("GroupNorm", {"num_groups": 4}, (4, 1, 1)),
    ("LayerNorm", {"eps": 0.0}, (1,)),
    ("LocalResponseNorm", {"size": 9}, (4, 2)),
    ("LocalResponseNorm", {"size": 9}, (4,)),
    ("RReLU", {"lower": 0.5}, (4,)),
    ("RReLU", {"upper": 0.1}, (4,)),
    ("RReLU", {"lower": -1.0, "upper": -1.0}, (4,)),
    ("CELU", {"alpha": 0.0}, (4,)),
    ("Softplus", {"beta": 0.0}, (4,)),
    ("Flatten", {"start_dim": 2, "end_dim": 1}, (3, 4)),
    ("Flatten", {"start_dim": 1, "end_dim": 1}, (3,)),
    ("Unflatten", {"dim": 1, "unflattened_size": [-1]}, (4,)),
    ("Unflatten", {"dim": -1, "unflattened_size": [-1, -1]}, (4,)),
    ("Unflatten", {"dim": 1, "unflattened_size": []}, (4,)),
    ("Unflatten", {"dim": 1, "unflattened_size": [0, -1]}, (4,)),
]


class Outcome(NamedTuple):
    """What comes of a layer: its output's shape and the shapes in its `state_dict()`."""

    shape: Shape
    state: dict[str, Shape]


def outcome(module: nn.Module, x: Shape, *, backward: bool) -> Outcome:
    """Run two samples through a module in training mode, forward and perhaps backward."""
    batch = torch.rand(BATCH, *x, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torch warns of, it runs
        result = module.train()(batch.clone())
    tensor = result[0] if isinstance(result, tuple) else result
    if backward:
        tensor.sum().backward()
    state = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    return Outcome(tuple(tensor.shape), state)


def by_torch(kind: str, fields: dict[str, Any], x: Shape, *, backward: bool) -> Outcome | Exception:
    """Return what torch makes of a layer, or how it refuses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = getattr(nn, kind)(**torch_arguments(kind, fields, x))
        return outcome(module, x, backward=backward)
    except REFUSALS as error:
        return error


def check(kind: str, fields: dict[str, Any], x: Shape) -> None:
    """Assert that netbuild and torch agree about a layer: whether it runs, and what it gives."""
    graph = graph_of([{kind: fields}], x)
    # Backward is tried where netbuild promises it: elsewhere torch may even bring the process down.
    theirs = by_torch(kind, fields, x, backward=graph.output is not None)
    if graph.output is None:
        assert graph.diagnostics
        if isinstance(theirs, Outcome):
            excused = [strict for strict in STRICTNESS if strict.applies(kind, fields, x)]
            assert excused, f"refused, and torch runs it: {graph.diagnostics[0].label}"
        return
    assert isinstance(theirs, Outcome), f"accepted, and torch refuses it: {theirs}"
    row = graph.rows[0]
    tensors = {**row.weights, **{name: buffer.shape for name, buffer in row.buffers.items()}}
    assert Outcome((BATCH, *row.output.shape), tensors) == theirs
    built = outcome(build(graph)[0], x, backward=True)
    assert built == theirs


#: Every example is the same on every run.
fuzzed = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)

BOOLS = st.booleans()
NUMBERS = st.sampled_from([0.0, 1e-5, 0.1, 1.0, -1.0, 2, 30.0])


def shapes(rank: int, *, most: int = 9) -> st.SearchStrategy[Shape]:
    """Draw inputs of channels and `rank` axes mostly, and of one axis more or less sometimes."""
    ranks = st.sampled_from([rank] * 8 + [rank - 1, rank + 1])
    sizes = st.integers(1, most if rank < 3 else min(most, 6))
    return ranks.flatmap(
        lambda axes: (
            st.tuples(st.sampled_from([1, 2, 3, 4, 6]), *[sizes] * axes)
            if axes >= 0
            else st.tuples(sizes)
        )
    )


def per_axis(rank: int, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw one value, or one for each axis; now and then for another number of axes."""
    lengths = st.sampled_from([rank] * 12 + [rank + 1, max(rank - 1, 1)])
    return values | lengths.flatmap(lambda n: st.lists(values, min_size=n, max_size=n))


def sizes(rank: int, least: int, most: int) -> st.SearchStrategy[Any]:
    """Draw whole numbers per axis, the larger ones less often, and sometimes one too small."""
    usual = st.integers(least, most)
    return per_axis(rank, st.one_of(*[usual] * 15, st.integers(least - 1, most + 6)))


def cases(
    kind: str,
    x: st.SearchStrategy[Shape],
    required: dict[str, st.SearchStrategy[Any]] | None = None,
    optional: dict[str, st.SearchStrategy[Any]] | None = None,
) -> st.SearchStrategy[Case]:
    """Draw a layer with its fields, of which the optional ones may be left out, and an input."""
    fields = st.fixed_dictionaries(required or {}, optional=optional or {})
    return st.tuples(st.just(kind), fields, x)


def convolutions(rank: int) -> st.SearchStrategy[Case]:
    """Draw convolutions over `rank` axes."""
    counts = st.sampled_from([1, 2, 3, 4, 6])
    return cases(
        f"Conv{rank}d",
        shapes(rank),
        {"out_channels": counts | st.sampled_from([0, 4, 6]), "kernel_size": sizes(rank, 1, 4)},
        {
            "in_channels": st.none() | counts,
            "stride": sizes(rank, 1, 3),
            "padding": sizes(rank, 0, 3) | st.sampled_from(["same", "valid"]),
            "dilation": sizes(rank, 1, 2),
            "groups": st.sampled_from([1, 1, 2, 3, 0]),
            "bias": BOOLS,
            "padding_mode": st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
        },
    )


def max_pools(rank: int) -> st.SearchStrategy[Case]:
    """Draw max pools over `rank` axes."""
    return cases(
        f"MaxPool{rank}d",
        shapes(rank),
        {"kernel_size": sizes(rank, 1, 4)},
        {
            "stride": st.none() | sizes(rank, 1, 4),
            "padding": sizes(rank, 0, 2),
            "dilation": sizes(rank, 1, 3),
            "ceil_mode": BOOLS,
            "return_indices": st.sampled_from([False, False, False, True]),
        },
    )


def average_pools(rank: int) -> st.SearchStrategy[Case]:
    """Draw average pools over `rank` axes."""
    divisor = {"divisor_override": st.none() | st.integers(-2, 4)} if rank > 1 else {}
    return cases(
        f"AvgPool{rank}d",
        shapes(rank),
        {"kernel_size": sizes(rank, 1, 4)},
        {
            "stride": st.none() | sizes(rank, 1, 4),
            "padding": sizes(rank, 0, 2),
            "ceil_mode": BOOLS,
            "count_include_pad": BOOLS,
            **divisor,
        },
    )


def adaptive_pools(mean_or_max: str, rank: int) -> st.SearchStrategy[Case]:
    """Draw pools to a given size over `rank` axes."""
    size = st.none() | st.integers(1, 9) | st.integers(0, 9)
    indices = {"return_indices": st.sampled_from([False, False, True])}
    return cases(
        f"Adaptive{mean_or_max}Pool{rank}d",
        shapes(rank),
        {"output_size": per_axis(rank, size)},
        indices if mean_or_max == "Max" else {},
    )


def channel_norms(family: str, rank: int) -> st.SearchStrategy[Case]:
    """Draw batch norms and instance norms over `rank` axes."""
    inputs = shapes(rank, most=3)
    return cases(
        f"{family}{rank}d",
        inputs,
        {},
        {
            "num_features": st.none() | st.sampled_from([1, 2, 4]),
            "eps": NUMBERS,
            "momentum": st.none() | NUMBERS,
            "affine": BOOLS,
            "track_running_stats": BOOLS,
            "bias": BOOLS,
        },
    )


SMALL = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
AXES = st.integers(-6, 6)
ROUND = st.sampled_from([1, 2, 3, 4, 6, 8, 12, 24])
FAMILIES: dict[str, st.SearchStrategy[Case]] = {
    **{f"Conv{rank}d": convolutions(rank) for rank in (1, 2, 3)},
    **{f"MaxPool{rank}d": max_pools(rank) for rank in (1, 2, 3)},
    **{f"AvgPool{rank}d": average_pools(rank) for rank in (1, 2, 3)},
    **{
        f"Adaptive{kind}Pool{rank}d": adaptive_pools(kind, rank)
        for kind in ("Avg", "Max")
        for rank in (1, 2, 3)
    },
    **{
        f"{family}{rank}d": channel_norms(family, rank)
        for family in ("BatchNorm", "InstanceNorm")
        for rank in (1, 2, 3)
    },
    "LayerNorm": SMALL.flatmap(
        lambda x: cases(
            "LayerNorm",
            st.just(x),
            {},
            {
                "normalized_shape": st.none()
                | st.integers(0, 4)
                | st.integers(1, len(x)).map(lambda n: list(x[-n:]))
                | st.just([BATCH, *x])
                | st.lists(st.integers(0, 4), max_size=3),
                "eps": NUMBERS,
                "elementwise_affine": BOOLS,
                "bias": BOOLS,
            },
        )
    ),
    "GroupNorm": cases(
        "GroupNorm",
        shapes(1, most=3) | shapes(2, most=3) | SMALL,
        {"num_groups": st.integers(0, 6)},
        {
            "num_channels": st.none() | st.integers(1, 6),
            "eps": NUMBERS,
            "affine": BOOLS,
            "bias": BOOLS,
        },
    ),
    "LocalResponseNorm": cases(
        "LocalResponseNorm",
        SMALL,
        {"size": st.integers(0, 9)},
        {"alpha": NUMBERS, "beta": NUMBERS, "k": NUMBERS},
    ),
    **{
        kind: cases(kind, SMALL, {}, {"dim": st.none() | AXES})
        for kind in ("Softmax", "LogSoftmax")
    },
    "Flatten": cases("Flatten", SMALL, {}, {"start_dim": AXES, "end_dim": AXES}),
    "Unflatten": st.lists(ROUND, min_size=1, max_size=3).flatmap(
        lambda x: cases(
            "Unflatten",
            st.just(tuple(x)),
            {
                "dim": st.integers(-4, 4),
                "unflattened_size": st.lists(
                    st.sampled_from([1, 2, 3, 4, 6, -1, -1]) | st.integers(-2, 6), max_size=4
                )
                | st.sampled_from([[2, n // 2] for n in x] + [[n // 3, -1] for n in x]),
            },
        )
    ),
    "Linear": cases(
        "Linear",
        SMALL,
        {"out_features": st.integers(0, 5)},
        {"in_features": st.none() | st.integers(1, 4), "bias": BOOLS},
    ),
    "PReLU": cases("PReLU", SMALL, {}, {"num_parameters": st.integers(0, 5), "init": NUMBERS}),
    "RReLU": cases("RReLU", SMALL, {}, {"lower": NUMBERS, "upper": NUMBERS, "inplace": BOOLS}),
    "CELU": cases("CELU", SMALL, {}, {"alpha": NUMBERS, "inplace": BOOLS}),
    "ELU": cases("ELU", SMALL, {}, {"alpha": NUMBERS, "inplace": BOOLS}),
    "LeakyReLU": cases("LeakyReLU", SMALL, {}, {"negative_slope": NUMBERS, "inplace": BOOLS}),
    "GELU": cases("GELU", SMALL, {}, {"approximate": st.sampled_from(["none", "tanh", "erf", ""])}),
    "Softplus": cases("Softplus", SMALL, {}, {"beta": NUMBERS, "threshold": NUMBERS}),
    **{
        kind: cases(kind, SMALL, {}, {"p": NUMBERS, "inplace": BOOLS})
        for kind in ("Dropout", "Dropout2d", "AlphaDropout")
    },
    **{
        kind: cases(kind, SMALL, {}, {"inplace": BOOLS})
        for kind in ("ReLU", "ReLU6", "SELU", "SiLU")
    },
    **{kind: cases(kind, SMALL) for kind in ("Sigmoid", "Tanh", "Identity")},
}


def test_every_layer_is_fuzzed() -> None:
    """No declared layer is left out."""
    assert set(FAMILIES) == set(LAYERS)


@pytest.mark.parametrize("kind", FAMILIES)
def test_netbuild_and_torch_agree(kind: str) -> None:
    """Netbuild accepts a layer if and only if torch runs it, and then says what torch gives."""

    @fuzzed
    @given(FAMILIES[kind])
    def agree(case: Case) -> None:
        check(*case)

    agree()


@pytest.mark.parametrize(
    ("kind", "fields", "x"), EDGES, ids=lambda value: str(value).replace(" ", "")
)
def test_netbuild_and_torch_agree_at_the_edges(kind: str, fields: dict[str, Any], x: Shape) -> None:
    """The same for chosen cases."""
    check(kind, fields, x)


@pytest.mark.parametrize("strict", STRICTNESS, ids=lambda strict: strict.reason)
def test_strictness_has_its_case(strict: Strictness) -> None:
    """Each reason to be stricter than torch applies to a case that torch does run."""
    assert strict.applies(*strict.example)
    assert isinstance(by_torch(*strict.example, backward=False), Outcome)
    kind, fields, x = strict.example
    assert graph_of([{kind: fields}], x).output is None
