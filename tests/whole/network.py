"""The network that the reader makes: modules of torch, and the steps that call them in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tests.whole.weights import Tie

#: What torch raises for fields and inputs that it does not take, or that it only warns of.
REFUSALS = (
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    Warning,
)


#: The functions that netbuild builds as modules: `docs/language.md`, "Masks".
MODULES = {"ScaledDotProductAttention"}
_WITHOUT_GRADIENT = {"Argmax", "OneHot", "To", "Detach"}
#: In evaluation they return their input itself.
DROPOUTS = {"Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"}


class Value(NamedTuple):
    """A tensor of the network: its number, and whether all samples share it."""

    number: int
    shared: bool = False


class Step(NamedTuple):
    """One call: what it reads, what it gives, and the module it belongs to, if there is one."""

    kind: str
    path: str
    call: Callable[..., tuple[torch.Tensor, ...]]
    module: nn.Module | None
    reads: tuple[int, ...]
    gives: tuple[int, ...]
    whole: bool = False


class Network(nn.Module):
    """Runs the steps. Names of modules and parameters are the paths in the file."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.every_step: list[Step] = []
        self.reads: list[int] = []
        self.gives: dict[str, Value] = {}
        self.of_stacks: set[int] = set()
        self.kinds: set[str] = set()
        self.ties: list[Tie] = []
        #: What stacks read that are computed again, and the numbers of what they give.
        self.checkpoints: list[tuple[set[int], range]] = []

    def pruned(self) -> None:
        """Leave out functions whose results nobody reads.

        A module is always called, and so is a stack: `of_stacks` holds what stacks read and give.
        """
        needed = {value.number for value in self.gives.values()} | self.of_stacks
        self.every_step = self.steps
        kept = []
        for step in reversed(self.steps):
            is_module = step.module is not None or step.kind in MODULES
            if is_module or needed.intersection(step.gives):
                kept.append(step)
                needed.update(step.reads)
        self.steps = kept[::-1]

    def dropping(self) -> set[str]:
        """Return the paths of the dropouts that have a result of their own in training."""
        self.train()
        return {
            step.path
            for step in self.steps
            if step.kind in DROPOUTS and isinstance(step.module, nn.Module)
            if step.module.training and step.module.p  # p of 0 drops nothing
        }

    def overwritten(self, *x: torch.Tensor, copied: Collection[str] = ()) -> set[str]:
        """Return who reads which value in evaluation after another layer has overwritten it.

        In evaluation, a dropout returns its input itself; those at the paths `copied` return a copy
        here. A parameter that is overwritten counts as read.
        """
        own = {name: weight._version for name, weight in self.named_parameters()}
        values: dict[int, torch.Tensor] = dict(zip(self.reads, x, strict=True))
        versions = {number: value._version for number, value in values.items()}
        found = set()
        for step in self.steps:
            late = [n for n in step.reads if values[n]._version != versions[n]]
            found |= {f"{step.path} reads {n}" for n in late}
            given = [values[number] for number in step.reads]
            results = step.call(*given)
            if step.path in copied:
                results = tuple(y.clone() for y in results)
            for number, y in zip(step.gives, results, strict=True):
                values[number], versions[number] = y, y._version
        ends = (value.number for value in self.gives.values())
        found |= {f"output {n}" for n in ends if values[n]._version != versions[n]}
        return found | {n for n, w in self.named_parameters() if w._version != own[n]}

    def stricter(self, code: str, path: str) -> str:
        """Return why netbuild may refuse a network that torch runs; an empty text if it may not."""
        # A layer of floats takes whole numbers in torch's CPU code here and there.
        if code == "NB207" and any(step.path == path and step.whole for step in self.every_step):
            return "whole numbers in a layer of floats"
        # Nothing is missing where no gradient comes back, or not to a stack that is computed again.
        if code == "NB211" and (self.checkpoints or self.kinds & _WITHOUT_GRADIENT):
            return "overwritten where no gradient comes back"
        return ""

    def spoiled(self, *x: torch.Tensor) -> set[int]:
        """Return what a stack reads that is computed again, if a layer overwrites it."""
        values: dict[int, torch.Tensor] = dict(zip(self.reads, x, strict=True))
        begun: dict[int, dict[int, int]] = {}
        learned: set[int] = set()
        alive = {value.number for value in self.gives.values()}
        for step in reversed(self.steps):
            alive.update(step.reads if alive.intersection(step.gives) else ())
        for step in self.steps:
            for at, (reads, inside) in enumerate(self.checkpoints):
                if at not in begun and alive.intersection(inside, step.gives):
                    begun[at] = {n: values[n]._version for n in reads if n in values}
            results = step.call(*[values[number] for number in step.reads])
            values.update(zip(step.gives, results, strict=True))
            if any(y.requires_grad for y in results):
                learned.update(step.gives)
        return {
            number
            for at, versions in begun.items()
            for number, version in versions.items()
            if values[number]._version != version and learned.intersection(self.checkpoints[at][1])
        }

    def forward(self, *x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return all results of the network."""
        values: dict[int, Any] = dict(zip(self.reads, x, strict=True))
        for step in self.steps:
            results = step.call(*[values[number] for number in step.reads])
            values.update(zip(step.gives, results, strict=True))
        return tuple(values[value.number] for value in self.gives.values())
