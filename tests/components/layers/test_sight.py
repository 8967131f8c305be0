"""What sees what: each layer is asked, and torch's layer is tried value by value."""

from __future__ import annotations

from itertools import product
from math import inf
from typing import TYPE_CHECKING

import pytest
import torch

from netbuild.components.layers.sight import Sight, regrouped
from tests.components.layers import READERS
from tests.components.layers.test_traits import Case, cases

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Padding that brings in values from elsewhere; a sight leaves these borders out.
_COPYING = ("Circular", "Reflection", "Replication", "Roll", "Pad")
#: Layers that do not say what they see along some axis.
_UNCLEAR = {"Fold", "Unfold", "Reshape", "Flatten", "Unflatten"}
#: Random windows, and values that only a large one moves, show less than all that they may see.
_HIDING = {"FractionalMaxPool2d", "FractionalMaxPool3d", "Upsample", "UpsamplingBilinear2d"}
#: What is added to the values of a position, times a random number: much either way, and little.
_BY = (100.0, -100.0, 0.37)


def changes(case: Case, source: int, axis: int) -> Iterator[tuple[int, list[torch.Tensor]]]:
    """Yield each position of an axis, and for each result which values change with it.

    Each change is a sample of one batch: no layer here computes from several samples.
    """
    train = case.layer.normalises == "sample"  # without statistics of a batch, and nothing drops
    alone = case.inputs(batch=1)
    size = alone[source].shape[axis + 1]
    batch = [torch.cat([one] * (size * len(_BY) + 1)) for one in alone]
    for number, (position, by) in enumerate(product(range(size), _BY)):
        place = batch[source][number].select(axis, position)
        draw = torch.rand(place.shape, dtype=torch.float64) * by
        place.copy_(place + draw if place.is_floating_point() else 1 - place.clamp(0, 1))
    if case.layer.draws:  # each sample has random numbers of its own in a batch
        parts = [
            case.run(*(x[n : n + 1] for x in batch), train=train) for n in range(len(batch[0]))
        ]
        after = [torch.cat(one) for one in zip(*parts, strict=True)]
    else:
        after = list(case.run(*batch, train=train))
    # The last sample is unchanged. A sum over a larger batch may round otherwise.
    differ = [~y.isclose(y[-1:], 1e-12, 1e-14, equal_nan=True)[:-1] for y in after]
    parted = [one.unflatten(0, (size, len(_BY))).any(1) for one in differ]
    for position in range(size):
        yield position, [one[position] for one in parted]


def is_clear(case: Case) -> bool:
    """Whether a layer computes from one sample, without copies at its borders."""
    fields = case.layer.model_dump()
    zeros = fields.get("padding_mode", "zeros") == "zeros"
    return zeros and (case.layer.normalises != "batch" or fields["track_running_stats"])


def check(case: Case, source: int, axis: int) -> None:
    """Compare what changes with what each result of a layer says."""
    shapes = case.row.shapes
    name, n = type(case.layer).__name__, shapes[source][axis]
    sights = [case.layer.sees(axis, *shapes, source=source, port=port) for port in case.ports]
    unseen = [True] * len(sights)
    for position, changed in changes(case, source, axis):
        for number, (sight, there) in enumerate(zip(sights, changed, strict=True)):
            if sight is None:
                assert name in _UNCLEAR
                continue
            assert sight.axis is None or sight.axis < there.dim()
            size = 1 if sight.axis is None else there.shape[sight.axis]
            for place in range(size):
                part = there if sight.axis is None else there.select(sight.axis, place)
                first, last = sight.seen(place)
                if name.startswith(_COPYING) and not 0 <= first < n:
                    continue
                assert not part.any() or first <= position <= last, (case.row.id, sight, place)
                ahead = min(last, n - 1)
                unseen[number] &= not (part.any() and position == ahead)
    if n > 1 and not any(1 in shape for shape in shapes) and name not in _HIDING:
        loose = [s is None or s.loose or s.first > s.last for s in sights]
        assert not any(u and not free for u, free in zip(unseen, loose, strict=True)), case.row.id


#: The indices of these cases come from no pool, so they lead to any place.
_LED = {"MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"}


#: One layer for each way of seeing; the other layers are tried in the full run.
_QUICK = {"Linear", "Conv1d", "ConvTranspose1d", "MaxPool1d", "GRU", "MultiheadAttention"}
_QUICK |= {"GroupNorm", "Softmax", "Reshape", "Permute", "Concat", "MatMul", "Mean", "Narrow"}


@pytest.mark.parametrize(
    "kind",
    [
        kind if kind in _QUICK else pytest.param(kind, marks=pytest.mark.slow)
        for kind in sorted(set(READERS) - _LED)
    ],
)
def test_sees_what_torch_computes_from(kind: str) -> None:
    """No value depends on a position that its layer says it does not see; the last one counts."""
    for case in filter(is_clear, cases(kind)):
        for source, x in enumerate(case.row.inputs):
            for axis in range(len(x.shape)):
                check(case, source, axis)


def test_what_follows() -> None:
    """A sight after another one composes their steps and offsets."""
    shifted = Sight(0, 1, -1, -1)
    strided = Sight(0, 2, 0, 1)
    assert strided.after(shifted) == Sight(0, 2, -1, 0)
    assert Sight(0, 1, -inf, 0).after(shifted) == Sight(0, 1, -inf, -1)
    assert Sight(None, 1, 0, 4).after(shifted) == Sight(None, 1, -1, 3)


def test_axes_that_are_merged_and_split() -> None:
    """A merged axis that is split again is what it was; an axis cut into parts is unclear."""
    merged = regrouped(0, (6, 4), (24,))
    split = regrouped(0, (24,), (6, 4))
    assert merged is not None
    assert split is not None
    assert split.after(merged) == Sight(0, 1, 0, split.last * merged.stride)
    assert [split.after(merged).seen(t) for t in range(6)] == [(t, t) for t in range(6)]
    assert not split.after(merged).loose
    parts = regrouped(0, (6, 4), (2, 3, 4))
    assert parts is not None
    assert parts.loose
    assert regrouped(1, (6, 4), (24,)) is None
