"""One process or several: how they share values, gradients and weights.

torch's launcher sets the rank of each process in its environment. A single process shares nothing:
all functions here return their arguments unchanged.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed as dist

from netbuild.diagnostics.exceptions import TrainingError
from netbuild.training.errors import OTHER_ENDED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torch import Tensor, nn

    from netbuild.config.train import Train


class World:
    """The processes of a training, seen from one of them.

    Raises:
        TrainingError: the environment does not say which of how many processes this is.
    """

    def __init__(self, device: torch.device, strategy: str = "ddp") -> None:
        self.device, self.strategy = device, strategy
        self.rank, self.size = _number("RANK", 0), _number("WORLD_SIZE", 1)
        if self.rank >= self.size:
            message = f"RANK is {self.rank} and WORLD_SIZE is {self.size}; ranks count from 0"
            raise TrainingError(message)

    @property
    def writes(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.rank == 0

    @property
    def sharded(self) -> bool:
        """Whether each process has only a part of the weights."""
        return self.size > 1 and self.strategy == "fsdp"

    def distributed(self, module: nn.Module) -> Any:
        """Return a module whose gradients are averaged over all processes.

        A module of `units.divided` does this itself.
        """
        whole = self.size == 1 or self.sharded
        if whole or not any(p.requires_grad for p in module.parameters()):
            return module
        from torch.nn.parallel import DistributedDataParallel

        devices = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices)

    def gradients_stay(self, forward: Any, *, last: bool) -> Any:
        """Return the context of a batch: only the last batch of a step shares its gradients."""
        if last or self.size == 1 or self.sharded:
            return contextlib.nullcontext()
        return forward.no_sync() if hasattr(forward, "no_sync") else contextlib.nullcontext()

    def watched(self, loss: Tensor) -> Callable[[], float]:
        """Return a function that waits for a loss. Meanwhile the device continues to compute."""
        if self.device.type != "cuda":
            return loss.item
        host = torch.empty((), dtype=loss.dtype, pin_memory=True)
        host.copy_(loss, non_blocking=True)
        there: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
        there.record()

        def wait() -> float:
            there.synchronize()
            return float(host)

        return wait

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of the values of all processes."""
        if self.size == 1:
            return value
        value = value.to(self.device)
        with _others():
            dist.all_reduce(value)
        return value

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Average the gradients of parameters that are complete in every process.

        A parameter without a gradient in any process stays without one, as in a single process:
        an optimizer would step a weight whose gradient is 0.
        """
        learning = [parameter for parameter in parameters if parameter.requires_grad]
        if self.size == 1 or not learning:
            return
        reached = self.sum(torch.tensor([float(p.grad is not None) for p in learning])).tolist()
        for parameter, processes in zip(learning, reached, strict=True):
            if processes:
                own = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = self.sum(own) / self.size

    def share_buffers(self, module: nn.Module) -> None:
        """Give all processes the buffers of the process that writes, such as the running means.

        Each process updates its own from its own samples. A checkpoint has those of one process.
        """
        if self.size == 1:
            return
        with _others():
            for buffer in module.buffers():
                dist.broadcast(buffer, src=0)

    def clip_norm(self, parameters: Iterable[nn.Parameter], norm: float) -> None:
        """Clip the norm of the gradients of all parameters together."""
        if not self.sharded:
            torch.nn.utils.clip_grad_norm_(parameters, norm)
            return
        from netbuild.training.parallel import units

        units.clip_norm(parameters, norm)

    def any(self, flag: bool) -> bool:  # noqa: FBT001  a value, not an option
        """Return whether the flag is true in any process."""
        return flag if self.size == 1 else bool(self.sum(torch.tensor(float(flag))) > 0)

    def share(self, value: Any) -> Any:
        """Return the value of the process that writes, in all processes."""
        if self.size == 1:
            return value
        values = [value]
        with _others():
            dist.broadcast_object_list(values, src=0)
        return values[0]

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, in the order of their ranks."""
        if self.size == 1:
            return [value]
        values = [None] * self.size
        with _others():
            dist.all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            with _others():
                dist.barrier()

    def leave(self) -> None:
        """Wait for all processes and end the group, which also ends torch's threads."""
        if self.size > 1 and dist.is_initialized():
            self.wait()
            dist.destroy_process_group()
            self.size = 1  # from here on this process is alone

    def load_optimizers(
        self,
        learning: nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        states: Sequence[Any],
    ) -> None:
        """Load a whole `state_dict()` into each optimizer of some modules."""
        for optimizer, state in zip(optimizers, states, strict=True):
            if self.sharded:
                self._load_parts(learning, optimizer, state)
            else:
                optimizer.load_state_dict(state)

    def _load_parts(
        self, learning: nn.Module, optimizer: torch.optim.Optimizer, state: Any
    ) -> None:
        """Load a whole state into an optimizer of which each process has a part."""
        from torch.distributed.checkpoint import state_dict

        from netbuild.training.parallel import shards

        if not state["state"]:
            shards.set_options(optimizer, state["param_groups"])
            return
        names = {p: name for name, p in learning.named_parameters()}
        by_number = [names[p] for group in optimizer.param_groups for p in group["params"]]
        named: Any = {
            "state": {by_number[number]: kept for number, kept in state["state"].items()},
            "param_groups": [
                {**group, "params": [by_number[number] for number in group["params"]]}
                for group in state["param_groups"]
            ],
        }
        whole = state_dict.StateDictOptions(full_state_dict=True, cpu_offload=True)
        state_dict.set_optimizer_state_dict(learning, optimizer, named, options=whole)


@contextlib.contextmanager
def _others() -> Iterator[None]:
    """Turn torch's exceptions about a lost process into one sentence.

    Raises:
        TrainingError: another process has ended.
    """
    try:
        yield
    except RuntimeError as error:
        raise TrainingError(OTHER_ENDED) from error


def _number(name: str, default: int) -> int:
    """Return a number that torch's launcher sets in the environment of its processes.

    Raises:
        TrainingError: it is not a number. Another program may use the same name.
    """
    text = os.environ.get(name, str(default))
    if not re.fullmatch("[0-9]{1,9}", text):
        message = f"{name} is {text[:40]!r} in the environment, and must be a whole number"
        raise TrainingError(f"{message}: unset it to train in one process")
    return int(text)


def join(train: Train) -> World:
    """Wait until all processes are there, and return their world.

    Raises:
        TrainingError: the device or the other processes cannot be reached.
    """
    device = device_of(train.device)
    world = World(device, train.strategy)
    if world.size == 1:
        return world
    if device.type == "cuda":
        device = torch.device("cuda", _number("LOCAL_RANK", 0))
        torch.cuda.set_device(device)
        world.device = device
    if not dist.is_initialized():
        try:
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        except (RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())[:200]
            message = f"the processes cannot reach each other: {said}"
            raise TrainingError(message) from error
    return world


def device_of(name: str) -> torch.device:
    """Return the device of a name; `auto` is the fastest device of this machine.

    Raises:
        TrainingError: the machine has no such device.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, there in available.items() if there)
    if not available[name]:
        message = f"train.device is {name}, but torch finds no such device"
        raise TrainingError(message)
    return torch.device(name)
