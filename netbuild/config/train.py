"""The section `train:`: length, speed and device of the training.

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
    seconds = sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9]+)([hms])", text))
    if not seconds:
        raise unwanted("a time greater than 0")
    return seconds


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
    int | None, Wants("a whole number of at least 0, or null for one per core", optional(whole(0)))
]

_Epochs = Annotated[
    dict[str, int] | None,
    Wants(
        "layers or stacks, each with an epoch of at least 2, such as {trunk: 3}",
        optional(core_schema.dict_schema(core_schema.str_schema(min_length=1), whole(2))),
    ),
]
_Monitor = Annotated[
    str | None,
    Wants(
        "the name of a measured value, such as val_loss, or null",
        optional(core_schema.str_schema(strict=True, min_length=1)),
    ),
]
_Layout = Annotated[bool | None, switch("true, false or null for the faster one")]


class Train(Component):
    """`train:` the options of the training."""

    epochs: PositiveInt = 10
    """How often training goes through all samples."""
    batch_size: PositiveInt = 64
    """Samples per batch, of all processes together; a step has accumulate batches."""
    seed: NaturalInt = 0
    """Seed of all random numbers: the same seed gives the same training."""
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], one_of("auto", "cpu", "cuda", "mps")
    ] = "auto"
    """Device of the training; auto takes a GPU if there is one, else the CPU."""
    precision: Annotated[Literal["fp32", "bf16", "fp16"], one_of("fp32", "bf16", "fp16")] = "fp32"
    """Type of the computed numbers; bf16 and fp16 are faster and less exact; weights stay fp32."""
    compile: Bool = False
    """Whether torch compiles the network first: for a GPU. On a CPU most steps are then slower."""
    channels_last: _Layout = None
    """Whether images lie in memory pixel by pixel; null lets netbuild choose the faster layout."""
    deterministic: Bool = False
    """Whether only operations with repeatable results run. This is slower."""
    accumulate: PositiveInt = 1
    """Batches per step. Their gradients are added, like a larger batch in less memory."""
    clip_grad_norm: _Limit = None
    """Largest norm of all gradients together; larger ones are scaled down. null: no limit."""
    clip_grad_value: _Limit = None
    """Largest absolute value of each gradient; null sets no limit."""
    ema: _Decay = None
    """Part of the averaged weights that a step keeps; validation uses them. null: no average."""
    monitor: _Monitor = "val_loss"
    """The measured value that decides which epoch is best, as val_f1_score; null: none is."""
    patience: OptionalCount = None
    """Epochs without a better monitor after which training ends; null sets no limit."""
    max_steps: OptionalCount = None
    """Steps after which training ends; null sets no limit."""
    max_time: _Duration = None
    """Time after which training ends, in seconds or as 1h30m; null sets no limit."""
    unfreeze: _Epochs = None
    """Frozen layers or stacks, each with the epoch from which it learns; null: all stay frozen."""
    limit_batches: OptionalCount = None
    """The most batches of an epoch and of a validation, for a quick try; null takes all."""
    overfit_batches: OptionalCount = None
    """Number of batches for both training and validation, to see if they are learned; null: all."""
    workers: _Workers = None
    """Processes that read samples; 0 is the main one; null: 0 for numbers on a CPU, else 1 to 4."""
    tensorboard: Bool = False
    """Whether training writes events for TensorBoard into the run's folder."""
    strategy: Annotated[Literal["ddp", "fsdp"], one_of("ddp", "fsdp")] = "ddp"
    """How several processes share the network: each has a whole copy (ddp) or a part (fsdp)."""

    @field_validator("overfit_batches")
    @classmethod
    def _one_limit(cls, value: Any, info: Any) -> Any:
        if value is not None and info.data.get("limit_batches") is not None:
            raise unwanted("null when limit_batches is set")
        return value

    @field_validator("strategy")
    @classmethod
    def _whole_weights(cls, value: Any, info: Any) -> Any:
        if value == "fsdp" and info.data.get("ema") is not None:
            raise unwanted("ddp when ema is set")
        if value == "fsdp" and info.data.get("unfreeze"):
            raise unwanted("ddp when unfreeze is set")
        if value == "fsdp" and info.data.get("channels_last"):
            raise unwanted("ddp when channels_last is set")
        return value

    def batches(self, samples: int, *, whole: bool = False) -> int:
        """Return the number of batches of an epoch; the last batch may be smaller.

        `whole` leaves out a smaller last batch, unless it is the only one.
        """
        count = ceil(samples / self.batch_size)
        if whole and count > 1:
            count = samples // self.batch_size
        return min(count, self.limit_batches or self.overfit_batches or count)

    def steps(self, samples: int, *, whole: bool = False) -> int:
        """Return the number of steps of an epoch; the last step may have fewer batches."""
        return ceil(self.batches(samples, whole=whole) / self.accumulate)
