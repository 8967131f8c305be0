"""The comparison of a config with its module in training: outputs, buffers and gradients."""

from __future__ import annotations

import contextlib
import copy
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

import torch
from torch.nn import functional

from netbuild.builder import module as builder
from netbuild.exchange.importer.recording.recording import call
from netbuild.exchange.importer.recording.sampling import batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import nn

    from netbuild.graph.graph import Graph

#: The largest difference, as a part of the largest value of a tensor. Sums of gradients may have
#: another order.
TOLERANCE = 1e-3
#: Values below this are rounding.
_NOTHING = 1e-6
_SAMPLES = 5
#: A seed that no module is likely to use itself.
SEED = 2_654_435_769
_DROPOUTS = (
    *("dropout", "dropout1d", "dropout2d", "dropout3d"),
    *("alpha_dropout", "feature_alpha_dropout"),
)


class _Step(NamedTuple):
    """What a pass in training gives: outputs, buffers, and gradients of what learns, by name."""

    outputs: list[torch.Tensor]
    buffers: dict[str, torch.Tensor]
    gradients: dict[str, torch.Tensor | None]


def differs_in_training(
    graph: Graph, built: nn.Module, module: nn.Module, given: Mapping[str, torch.Tensor]
) -> tuple[str | None, bool]:
    """Compare both in training mode, on copies.

    Random numbers have the same seed. If a config draws them in another order, both are compared
    again without their dropouts.

    Returns:
        Why they differ, or None; and whether training was compared.
    """

    def one(of: nn.Module, seed: int = SEED) -> _Step:
        trained = copy.deepcopy(of)
        mine = of is built
        trained = builder.train(trained, graph) if mine else trained.train()
        return _step(trained, batch(given, _SAMPLES, seed=0), seed, by_name=not mine)

    try:
        theirs, again = one(module), one(module, SEED + 1)
    except Exception:  # noqa: BLE001  it may refuse copies, or ask for more in training
        return None, False
    ours = one(built)
    why = _difference(ours, theirs, graph)
    if why is None:
        return None, True
    fixed = all(map(torch.equal, theirs.outputs, again.outputs))
    if not any(row.layer.draws for row in graph.rows if row.is_built):
        drawn = "in training the module draws random numbers that the config does not have"
        return why if fixed else drawn, True
    if fixed:
        return "in training the module draws no random numbers, and the config does", True
    with _no_dropout():
        return _difference(one(built), one(module), graph), True


def _step(module: nn.Module, x: dict[str, torch.Tensor], seed: int, *, by_name: bool) -> _Step:
    """Go forward and backward with a batch, from a weighted sum of all outputs."""
    torch.manual_seed(seed)
    with torch.enable_grad():
        outputs = flat(call(module, x) if by_name else module(*x.values()))
        weights = torch.Generator().manual_seed(SEED)
        terms = [
            (one.double() * torch.randn(one.shape, generator=weights)).sum()
            for one in outputs
            if one.requires_grad and one.isfinite().all()
        ]
    if terms:
        torch.autograd.backward(terms)
    learned = module.named_parameters(remove_duplicate=False)
    gradients = {name: p.grad for name, p in learned if p.requires_grad}
    buffers = dict(module.named_buffers(remove_duplicate=False))
    return _Step([one.detach() for one in outputs], buffers, gradients)


def flat(value: Any) -> list[torch.Tensor]:
    """Return the tensors of what a module gives, in their order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [one for part in value.values() for one in flat(part)]
    if isinstance(value, (list, tuple)):
        return [one for part in value for one in flat(part)]
    return []


def _difference(ours: _Step, theirs: _Step, graph: Graph) -> str | None:
    outputs = list(zip(ours.outputs, theirs.outputs, strict=False))
    if len(ours.outputs) != len(theirs.outputs):
        return "in training the module has other outputs"
    for number, (one, other) in enumerate(outputs, start=1):
        if not _equal(one, other):
            return f"in training the module computes something else: output {number} differs"
    for name, other in theirs.buffers.items():
        if name in ours.buffers and not _equal(ours.buffers[name], other):
            return f"training changes the buffer {name}, and a config has no such step"
    for name, gradient in theirs.gradients.items():
        own = graph.ties.get(name, name)
        if own in ours.gradients and not _same_gradient(ours.gradients[own], gradient):
            return f"in training the gradient of {name} differs: the module cuts or changes it"
    return None


def _same_gradient(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    if one is None or other is None:
        there = one if other is None else other
        return there is None or bool((there.abs() <= _NOTHING).all())
    return _equal(one, other)


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are equal but for rounding."""
    if one.shape != other.shape:
        return False
    one, other = one.double(), other.double()
    finite = other[other.isfinite()]
    scale = float(finite.abs().max()) if finite.numel() else 0.0
    return torch.allclose(one, other, rtol=0, atol=TOLERANCE * scale + _NOTHING, equal_nan=True)


@contextlib.contextmanager
def _no_dropout() -> Iterator[None]:
    """Let torch's dropouts drop nothing."""

    def same(x: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        return x

    with contextlib.ExitStack() as stack:
        for name in _DROPOUTS:
            stack.enter_context(mock.patch.object(functional, name, same))
        attention = functional.scaled_dot_product_attention

        def whole(
            q: Any,
            k: Any,
            v: Any,
            mask: Any = None,
            dropout_p: float = 0.0,
            *rest: Any,
            **given: Any,
        ) -> torch.Tensor:
            del dropout_p
            return attention(q, k, v, given.pop("attn_mask", mask), 0.0, *rest, **given)

        stack.enter_context(mock.patch.object(functional, attention.__name__, whole))
        yield
