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
    #: Samples of a step: of all processes together, and of each of its `accumulate` parts.
    batch_size: PositiveInt = 64
    seed: NaturalInt = 0
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], one_of("auto", "cpu", "cuda", "mps")
    ] = "auto"
    precision: Annotated[Literal["fp32", "bf16", "fp16"], one_of("fp32", "bf16", "fp16")] = "fp32"
    compile: Bool = False
    #: Whether images lie in memory pixel by pixel, and not channel by channel.
    channels_last: _Layout = None
    deterministic: Bool = False
    #: Batches whose gradients make one step.
    accumulate: PositiveInt = 1
    clip_grad_norm: _Limit = None
    clip_grad_value: _Limit = None
    #: How much of their average the weights keep at a step; what is validated is the average.
    ema: _Decay = None
    #: Epochs without a lower validation loss after which the training ends.
    patience: OptionalCount = None
    max_steps: OptionalCount = None
    max_time: _Duration = None
    #: Batches of an epoch, and of a validation, at most.
    limit_batches: OptionalCount = None
    #: Batches that are all that there is, to train on and to validate with: can it learn them?
    overfit_batches: OptionalCount = None
    #: Processes that read samples which are not held in memory.
    workers: _Workers = None
    #: Events for TensorBoard, into the run's folder.
    tensorboard: Bool = False
    strategy: Annotated[Literal["ddp", "fsdp"], one_of("ddp", "fsdp")] = "ddp"

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
