"""Pools as they are drawn, and where netbuild is stricter than torch."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.components.layers.contract import (
    BOOLS,
    Case,
    Shape,
    Strictness,
    Tensor,
    another_number_of_axes,
    cases,
    shapes,
    sizes,
    without_batch,
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


def power_averages(rank: int) -> st.SearchStrategy[Case]:
    """Draw power-average pools over `rank` axes."""
    return cases(
        f"LPPool{rank}d",
        shapes(rank),
        {
            "norm_type": st.sampled_from(
                [1, 2, 2.0, 3, 0.5, 1.5, -1, -0.5, 1e-300, 0, float("inf")]
            ),
            "kernel_size": st.integers(1, 4) | sizes(rank, 1, 4),
        },
        {"stride": st.none() | sizes(rank, 1, 4), "ceil_mode": BOOLS},
        dtype=st.sampled_from(["float32"] * 6 + ["int64", "uint8"]),
    )


def unpools(rank: int) -> st.SearchStrategy[Case]:
    """Draw pools undone over `rank` axes, with an index for each value mostly."""

    def of(x: Shape) -> st.SearchStrategy[Case]:
        indices = [Tensor(x, "int64")] * 12
        indices += [Tensor(x), Tensor(x, "int32"), Tensor((*x[:-1], x[-1] + 1), "int64")]
        return cases(
            f"MaxUnpool{rank}d",
            st.just(x),
            {"kernel_size": sizes(rank, 1, 4)},
            {
                "stride": st.none() | sizes(rank, 1, 4),
                "padding": sizes(rank, 0, 2),
                "output_size": st.none() | st.none() | sizes(rank, 1, 12),
            },
            others=st.tuples(st.sampled_from(indices)),
            dtype=st.sampled_from(["float32"] * 9 + ["int64"]),
        )

    return shapes(rank, most=5).flatmap(of)


def _is_read_in_part(case: Case) -> bool:
    """Tell lists of too many or too few numbers, of which an unpool reads some."""
    lists = [value for value in case.fields.values() if isinstance(value, list)]
    return case.kind.startswith("MaxUnpool") and any(
        len(value) != int(case.kind[-2]) for value in lists
    )


def _is_of_no_pool(case: Case) -> bool:
    zero = 0 in [*_each(case, "kernel_size"), *_each(case, "stride")]
    less = any(p < 0 for p in _each(case, "padding", 0))
    return case.kind.startswith("MaxUnpool") and (zero or less)


def _each(case: Case, name: str, default: int = 1) -> list[int]:
    """Return the numbers of a field, one for each axis."""
    value = case.fields.get(name, default)
    return value if isinstance(value, list) else [value] * int(case.kind[-2])


def _is_a_maximum_of_whole_numbers(case: Case) -> bool:
    infinite = case.kind.startswith("LPPool") and abs(case.fields["norm_type"]) == float("inf")
    return infinite and case.dtype != "float32"


def _pools_nothing_but_padding(case: Case) -> bool:
    fields, rank = case.fields, int(case.kind[-2])
    if not case.kind.startswith("MaxPool") or len(case.x) != rank + 1:
        return False

    kernels, paddings = _each(case, "kernel_size"), _each(case, "padding", 0)
    strides = kernels if fields.get("stride") is None else _each(case, "stride")
    axes = zip(case.x[1:], kernels, strides, paddings, _each(case, "dilation", 1), strict=False)
    return any(
        not any(0 <= start + tap * d < n for tap in range(k))
        for n, k, s, p, d in axes
        for start in range(-p, 0, s)
    )


def _gives_nothing(case: Case) -> bool:
    rank = int(case.kind[-2])
    if not case.kind.startswith("MaxUnpool") or len(case.x) != rank + 1:
        return False
    kernels, paddings = _each(case, "kernel_size"), _each(case, "padding", 0)
    strides = kernels if case.fields.get("stride") is None else _each(case, "stride")
    axes = zip(case.x[1:], kernels, strides, paddings, strict=False)
    return any((n - 1) * s + k - 2 * p == 0 for n, k, s, p in axes)


CASES = {
    **{f"MaxPool{rank}d": max_pools(rank) for rank in (1, 2, 3)},
    **{f"AvgPool{rank}d": average_pools(rank) for rank in (1, 2, 3)},
    **{f"LPPool{rank}d": power_averages(rank) for rank in (1, 2, 3)},
    **{f"MaxUnpool{rank}d": unpools(rank) for rank in (1, 2, 3)},
}

_THREE, _FOUR = Tensor((1, 3), "int64"), Tensor((1, 4), "int64")

STRICTNESS = [
    *without_batch("MaxPool", {"kernel_size": 2}),
    *without_batch("AvgPool", {"kernel_size": 2}),
    *without_batch("LPPool", {"norm_type": 2, "kernel_size": 2}),
    *[
        strict._replace(
            example=strict.example._replace(others=(Tensor(strict.example.x, "int64"),))
        )
        for strict in without_batch("MaxUnpool", {"kernel_size": 2})
    ],
    *another_number_of_axes("MaxPool", {"kernel_size": [2]}),
    *another_number_of_axes("AvgPool", {"kernel_size": [2]}),
    *another_number_of_axes("LPPool", {"norm_type": 2, "kernel_size": 2, "stride": [1]}),
    Strictness(
        "torch runs forward, and writes outside of its memory going backward",
        _pools_nothing_but_padding,
        Case("MaxPool1d", {"kernel_size": 2, "padding": 1, "dilation": 3}, (1, 2)),
    ),
    Strictness(
        "a list for the only axis, which LPPool1d takes with an infinite norm and with no other",
        lambda case: case.kind == "LPPool1d" and isinstance(case.fields["kernel_size"], list),
        Case("LPPool1d", {"norm_type": float("inf"), "kernel_size": [2]}, (1, 4)),
    ),
    Strictness(
        "an infinite norm of whole numbers, which torch takes on a CPU and over two or three axes",
        _is_a_maximum_of_whole_numbers,
        Case("LPPool2d", {"norm_type": float("inf"), "kernel_size": 1}, (1, 1, 1), (), "int64"),
    ),
    Strictness(
        "an unpool that leaves nothing makes an empty tensor",
        _gives_nothing,
        Case("MaxUnpool1d", {"kernel_size": 2, "stride": 1, "padding": 2}, (1, 3), (_THREE,)),
    ),
    Strictness(
        "a list of too many numbers, of which an unpool reads the first",
        _is_read_in_part,
        Case("MaxUnpool1d", {"kernel_size": 2, "stride": [2, 3]}, (1, 4), (_FOUR,)),
    ),
    Strictness(
        "a window or a step of 0, or a negative padding, which no pool has",
        _is_of_no_pool,
        Case("MaxUnpool1d", {"kernel_size": 0, "stride": 2}, (1, 4), (_FOUR,)),
    ),
]
