"""The section `train:`: how long, how fast and on what a network is trained.

train: {epochs: 20, batch_size: 128, precision: bf16, clip_grad_norm: 1.0, patience: 5}
"""

import re
from math import ceil
from typing import Annotated, Any, Literal

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.component import Component
from netbuild.components.fields import (
    Bool,
    NaturalInt,
    OptionalCount,
    PositiveInt,
    Wants,
    either,
    one_of,
    optional,
    real,
    switch,
    unwanted,
    whole,
)

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = r"^[0-9]{1,9}[hms]( ?[0-9]{1,9}[hms])*$"


def _seconds(text: str) -> float:
    return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9]+)([hms])", text))


_Limit = Annotated[
    float | None, Wants("a number greater than 0, or null for no limit", optional(real(gt=0)))
]
_Decay = Annotated[
    float | None, Wants("a number between 0 and 1, such as 0.999", optional(real(gt=0, lt=1)))
]
_Duration = Annotated[
    float | None,
    Wants(
        "a number of seconds greater than 0, or a time such as 1h30m",
        optional(
            either(
                real(gt=0),
                core_schema.no_info_after_validator_function(
                    _seconds, core_schema.str_schema(strict=True, pattern=_DURATION)
                ),
            )
        ),
    ),
]
_Workers = Annotated[
    int | None, Wants("a whole number of at least 0, or null for one a core", optional(whole(0)))
]

_Layout = Annotated[bool | None, switch("true, false or null for the faster one")]


class Train(Component):
    """`train:` how a network is trained."""

    epochs: PositiveInt = 10
    """How often training goes through all samples."""
    batch_size: PositiveInt = 64
    """Samples of a step, of all processes together; with accumulate, of each part of it."""
    seed: NaturalInt = 0
    """Number that all that is random follows from: the same seed trains the same."""
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], one_of("auto", "cpu", "cuda", "mps")
    ] = "auto"
    """Where it computes: auto takes a GPU where there is one, else the CPU."""
    precision: Annotated[Literal["fp32", "bf16", "fp16"], one_of("fp32", "bf16", "fp16")] = "fp32"
    """Numbers to compute with: bf16 and fp16 are faster and coarser on GPUs; weights stay fp32."""
    compile: Bool = False
    """Whether torch compiles the network first: a slow start, then faster steps."""
    channels_last: _Layout = None
    """Whether images lie in memory pixel by pixel; null takes the faster layout."""
    deterministic: Bool = False
    """Whether only operations run that give the same twice; slower."""
    accumulate: PositiveInt = 1
    """Batches whose gradients make one step: as a larger batch, in less memory."""
    clip_grad_norm: _Limit = None
    """Largest length of all gradients together; longer ones are shortened. null has no limit."""
    clip_grad_value: _Limit = None
    """Largest size of each single gradient; null has no limit."""
    ema: _Decay = None
    """Share of the weights' average that stays at a step; the average is validated. null: none."""
    patience: OptionalCount = None
    """Epochs without a lower validation loss after which training ends; null goes on."""
    max_steps: OptionalCount = None
    """Steps after which training ends; null has no limit."""
    max_time: _Duration = None
    """Time after which training ends, in seconds or as 1h30m; null has no limit."""
    limit_batches: OptionalCount = None
    """Most batches of an epoch and of a validation, to try out; null takes all."""
    overfit_batches: OptionalCount = None
    """Batches that it trains on and validates with, to see if it learns them; null: all."""
    workers: _Workers = None
    """Processes that read samples from files; 0 is the main one, null one a core, up to 4."""
    tensorboard: Bool = False
    """Whether the run's folder gets events for TensorBoard."""
    strategy: Annotated[Literal["ddp", "fsdp"], one_of("ddp", "fsdp")] = "ddp"
    """How several processes share the network: each a whole copy (ddp), or a part (fsdp)."""

    @field_validator("overfit_batches")
    @classmethod
    def _one_limit(cls, value: Any, info: Any) -> Any:
        if value is not None and info.data.get("limit_batches") is not None:
            raise unwanted("to stand without limit_batches: its batches are all that there is")
        return value

    @field_validator("strategy")
    @classmethod
    def _whole_weights(cls, value: Any, info: Any) -> Any:
        if value == "fsdp" and info.data.get("ema") is not None:
            raise unwanted("ddp beside an ema")
        if value == "fsdp" and info.data.get("channels_last"):
            raise unwanted("ddp beside channels_last")
        return value

    def batches(self, samples: int) -> int:
        """Return the number of batches of an epoch, the last perhaps smaller."""
        count = ceil(samples / self.batch_size)
        return min(count, self.limit_batches or self.overfit_batches or count)

    def steps(self, samples: int) -> int:
        """Return the number of steps of an epoch, the last perhaps of fewer batches."""
        return ceil(self.batches(samples) / self.accumulate)
