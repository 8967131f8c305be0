"""Two recordings with batches of 2 and 3 samples, as one: what differs is the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from netbuild.diagnostics.exceptions import ImportedError
from netbuild.exchange.importer.recording.recording import Call, Leaf, Place, Recording, Ref

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The sizes of the two batches.
BATCHES = (2, 3)
#: The end of a sentence about a call that drops values in evaluation.
DROPS = "and a layer of a config drops in training only: the call needs self.training"


class Times(NamedTuple):
    """A whole number: this many times the number of samples."""

    factor: int


class Varying(NamedTuple):
    """A value that depends on the number of samples in another way."""

    values: tuple[Any, Any]


class Fixed(NamedTuple):
    """A tensor that depends on nothing. `batch` is an axis with a copy for each sample, if any."""

    tensor: torch.Tensor
    batch: int | None = None


class Recorded(NamedTuple):
    """The calls of a module for any batch; sizes are whole numbers or `Times`."""

    calls: list[Call]
    leaves: Mapping[Ref, Leaf]
    shapes: list[tuple[Any, ...]]
    dtypes: list[str]
    places: Mapping[str, Place]
    outputs: Any


def merged(two: Recording, three: Recording, training: Recording | None = None) -> Recorded:
    """Return both recordings as one.

    A recording in training mode tells what its functions drop, if it has the same ones.

    Raises:
        ImportedError: the steps of the module depend on the number of samples.
    """
    if len(two.calls) != len(three.calls):
        message = "the module takes other steps for 2 samples than for 3: it cannot be read"
        raise ImportedError(message)
    drops = _drops(two, training) | _attention_drops(two, training)
    calls: list[Call] = []
    for one, other in zip(two.calls, three.calls, strict=True):
        if _mark(one) != _mark(other):
            message = f"for 2 samples the module calls {_mark(one)[0]}, for 3 {_mark(other)[0]}"
            raise ImportedError(message)
        args, kwargs = (
            _both(a, b) for a, b in ((one.args, other.args), (one.kwargs, other.kwargs))
        )
        known = drops.get(len(calls), (None, {}))
        args, kwargs = (known[0] or args, known[1] if known[0] else kwargs | known[1])
        calls.append(one._replace(args=args, kwargs=kwargs, drops=_drops_always(one)))
    shapes = [
        tuple(_number(a, b) for a, b in zip(one, other, strict=True))
        for one, other in zip(two.shapes, three.shapes, strict=True)
    ]
    dtypes = [str(dtype).removeprefix("torch.") for dtype in two.dtypes]
    outputs = _both(two.outputs, three.outputs)
    return Recorded(calls, two.leaves, shapes, dtypes, two.places, outputs)


def _drops(two: Recording, training: Recording | None) -> dict[int, tuple[Any, Any]]:
    """Return the arguments of functions that drop values in training, by the number of the call."""
    if training is None:
        return {}
    ours, theirs = _dropping(two), _dropping(training)
    if [_mark(call) for _, call in ours] != [_mark(call) for _, call in theirs]:
        return {}
    return {
        number: (
            tuple(_plain_of(*pair) for pair in zip(call.args, other.args, strict=False)),
            {key: _plain_of(one, other.kwargs.get(key)) for key, one in call.kwargs.items()},
        )
        for (number, call), (_, other) in zip(ours, theirs, strict=True)
    }


def _attention_drops(
    two: Recording, training: Recording | None
) -> dict[int, tuple[None, dict[str, float]]]:
    """Return `dropout_p` of each attention that drops weights in training alone."""
    if training is None:
        return {}
    ours, theirs = _attending(two), _attending(training)
    if [_mark(call) for _, call in ours] != [_mark(call) for _, call in theirs]:
        return {}
    return {
        number: (None, {"dropout_p": _dropout_p(other)})
        for (number, call), (_, other) in zip(ours, theirs, strict=True)
        if not _dropout_p(call) and "dropout_p" in other.kwargs
    }


def _attending(recording: Recording) -> list[tuple[int, Call]]:
    calls = enumerate(recording.calls)
    return [(n, call) for n, call in calls if _mark(call)[0] == "scaled_dot_product_attention"]


def _dropout_p(call: Call) -> float:
    return float(call.kwargs.get("dropout_p", call.args[4] if len(call.args) > 4 else 0))


def _drops_always(call: Call) -> bool:
    """Whether a call in evaluation drops values: `training` is true unless the author gives it."""
    if _mark(call)[0] == "scaled_dot_product_attention":
        return _dropout_p(call) > 0
    if call.path is not None or "dropout" not in _mark(call)[0]:
        return False
    _, p, training = (*call.args, *(None, 0.5, True)[len(call.args) :])[:3]
    return bool(call.kwargs.get("training", training)) and call.kwargs.get("p", p) != 0


def _dropping(recording: Recording) -> list[tuple[int, Call]]:
    """Return the functions that drop values, with the numbers of their calls."""
    return [
        (number, call)
        for number, call in enumerate(recording.calls)
        if call.path is None and "dropout" in _mark(call)[0]
    ]


def _plain_of(ours: Any, theirs: Any) -> Any:
    """Return what training gives a function, but the tensors of evaluation."""
    return ours if isinstance(ours, Ref) else theirs


def _mark(call: Call) -> tuple[str, str | None, str]:
    name = getattr(call.target, "__name__", type(call.target).__name__)
    return name, call.path, call.place.path


def _number(a: Any, b: Any) -> Any:
    """Return a number of both recordings as one."""
    if a == b:
        return a
    small, large = BATCHES
    if type(a) is int and type(b) is int and a % small == 0 and a * large == b * small:
        return Times(a // small)
    return Varying((a, b))


def _both(a: Any, b: Any) -> Any:  # noqa: PLR0911  one for each kind of value
    """Return a value of both recordings as one."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return _fixed(a, b)
    if type(a) is not type(b):
        return Varying((a, b))
    if isinstance(a, Ref):
        return a if a == b else Varying((a, b))
    if isinstance(a, (list, tuple)):
        if len(a) != len(b):
            return Varying((a, b))
        parts = [_both(one, other) for one, other in zip(a, b, strict=True)]
        return type(a)(*parts) if hasattr(a, "_fields") else type(a)(parts)
    if isinstance(a, dict):
        return {key: _both(a[key], b.get(key)) for key in a}
    if isinstance(a, slice):
        bounds = ("start", "stop", "step")
        return slice(*(_both(getattr(a, n), getattr(b, n)) for n in bounds))
    if isinstance(a, (int, float)) and not isinstance(a, bool):
        return _number(a, b)
    return a


def _fixed(a: torch.Tensor, b: torch.Tensor) -> Any:
    """Return a tensor of both recordings as one: the same, or a copy for each sample."""
    if a.dtype != b.dtype or a.dim() != b.dim():
        return Varying((a, b))
    if a.shape == b.shape:
        return Fixed(a) if torch.equal(a, b) else Varying((a, b))
    axes = [d for d in range(a.dim()) if a.shape[d] != b.shape[d]]
    small, large = BATCHES
    if len(axes) != 1 or (a.shape[axes[0]], b.shape[axes[0]]) != (small, large):
        return Varying((a, b))
    axis = axes[0]
    row = a.narrow(axis, 0, 1)
    same = torch.equal(row.expand_as(a), a) and torch.equal(row.expand_as(b), b)
    return Fixed(row, axis) if same else Varying((a, b))
