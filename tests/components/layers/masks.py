"""Masks by name, in the tables and for torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from hypothesis import strategies as st

from tests.components.layers.contract import Case, Row, Shape, Strictness, Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def masked(row: Row, names: str, **masks: Tensor) -> Row:
    """Return a row that also reads masks; `names` are those of its inputs."""
    all_names = (*names.split()[: 1 + len(row.others)], *masks)
    return row._replace(others=(*row.others, *masks.values()), names=all_names)


def bools(*shape: int) -> Tensor:
    """Return a mask of bools."""
    return Tensor(shape, "bool")


def masked_data(case: Case, batch: int) -> list[torch.Tensor]:
    """Return random inputs; a mask of bools hides some positions, never the first or the last."""
    found = []
    names = case.names or ("",) * len(case.inputs)
    for name, x in zip(names, case.inputs, strict=True):
        y = torch.rand(batch, *x.shape)
        if x.dtype == "bool" and x.shape:
            y = y < 0.4
            y[..., 0] = y[..., -1] = False
        found.append(y if name and x.floating else y.to(getattr(torch, x.dtype)))
    return found


def laid_out(mask: torch.Tensor, heads: int) -> torch.Tensor:
    """Return a mask of scores for each sample and head, as torch's documentation wants it."""
    if mask.dim() == 3:
        return mask.repeat_interleave(heads, dim=0)
    return mask.reshape(-1, *mask.shape[2:])


def numbers(mask: torch.Tensor) -> torch.Tensor:
    """Return the numbers that torch adds to the scores for a mask of bools."""
    return mask if mask.is_floating_point() else torch.where(mask, -torch.inf, 0.0)


def of_torch(
    pairs: Sequence[tuple[str, str]], masks: Mapping[str, torch.Tensor], heads: int
) -> dict[str, Any]:
    """Return masks as arguments of torch's `forward`, from pairs of their names."""
    found: dict[str, Any] = {}
    for mask, padding in pairs:
        given = {name: masks[name] for name in (mask, padding) if name in masks}
        if mask in given and given[mask].dim() > 2:
            given[mask] = laid_out(given[mask], heads)
        if len({one.dtype for one in given.values()}) > 1:
            given = {name: numbers(one) for name, one in given.items()}
        found |= given
    return found


@st.composite
def some_masks(
    draw: st.DrawFn, wanted: Mapping[str, tuple[Shape, ...]], *, any_: bool
) -> dict[str, Tensor]:
    """Draw some of these masks, of one of their shapes; with `any_` sometimes of another one."""
    found = {}
    for name, shapes in wanted.items():
        if draw(st.integers(0, 2)):
            continue
        odd = [(2,), (3, 2), ()] if any_ else []
        dtypes = ["bool", "float32"] * 3 + (["int64"] if any_ else [])
        shape = draw(st.sampled_from([*shapes] * 3 + odd))
        found[name] = Tensor(shape, draw(st.sampled_from(dtypes)))
    return found


#: The mask that each field makes, for attention and transformers.
MADE = {
    "is_causal": {"attn_mask", "mask", "src_mask"},
    "src_is_causal": {"src_mask"},
    "tgt_is_causal": {"tgt_mask"},
    "memory_is_causal": {"memory_mask"},
}


def two_masks(example: Case) -> Strictness:
    """Return why a causal field beside a mask is refused."""
    return Strictness(
        "torch lets the hint win over a mask, in some of its ways to compute",
        lambda case: any(case.fields.get(f) and masks & {*case.names} for f, masks in MADE.items()),
        example,
    )


def with_masks(case: Case, names: Sequence[str], masks: Mapping[str, Tensor]) -> Case:
    """Return a case that also reads masks."""
    if not masks:
        return case
    return case._replace(
        others=(*case.others, *masks.values()),
        names=(*names[: 1 + len(case.others)], *masks),
    )
