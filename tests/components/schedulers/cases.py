"""Fields of schedulers, drawn as torch takes them, and what torch makes of them."""

import warnings
from typing import Any

import torch
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from netbuild.config.load import read
from netbuild.syntax.dump import dump
from netbuild.syntax.parser import from_bytes

#: Enough to meet everything that the strategies below can draw.
HORIZON = 60
numbers = st.floats(-2, 2) | st.sampled_from([0, 0.5, 1])
small = st.integers(-4, 12)
fractions = st.floats(-0.5, 1.5) | st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.55, 1.0])
per_group = numbers | st.lists(numbers, min_size=0, max_size=2)
momenta = numbers | st.lists(numbers, min_size=1, max_size=1)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw some of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def with_(required: st.SearchStrategy[Any], name: str, **fields: Any) -> Any:
    """Draw a field in most cases, and some of the others."""
    return st.builds(lambda value, rest: {name: value} | rest, required, some(**fields)) | some(
        **fields
    )


FIELDS: dict[str, Any] = {
    "StepLR": with_(small, "step_size", gamma=numbers),
    "MultiStepLR": with_(st.lists(small, max_size=4), "milestones", gamma=numbers),
    "ConstantLR": some(factor=fractions, total_iters=small),
    "LinearLR": some(start_factor=fractions, end_factor=fractions, total_iters=small),
    "ExponentialLR": with_(numbers, "gamma"),
    "PolynomialLR": some(total_iters=small, power=numbers),
    "CosineAnnealingLR": st.builds(
        lambda length, rest: {"T_max": length} | rest, small, some(eta_min=numbers)
    ),
    "CosineAnnealingWarmRestarts": with_(small, "T_0", T_mult=small, eta_min=numbers),
    "CyclicLR": with_(
        per_group,
        "max_lr",
        base_lr=per_group,
        step_size_up=small,
        step_size_down=st.none() | small,
        mode=st.sampled_from(["triangular", "triangular2", "exp_range", "round"]),
        gamma=numbers,
        scale_mode=st.sampled_from(["cycle", "iterations"]),
        cycle_momentum=st.booleans(),
        base_momentum=momenta,
        max_momentum=momenta,
    ).map(lambda fields: {"base_lr": 0.1} | fields),
    "OneCycleLR": with_(
        per_group,
        "max_lr",
        total_steps=st.none() | small,
        epochs=st.none() | small,
        steps_per_epoch=st.none() | small,
        pct_start=fractions,
        anneal_strategy=st.sampled_from(["cos", "linear", "round"]),
        cycle_momentum=st.booleans(),
        base_momentum=momenta,
        max_momentum=momenta,
        div_factor=numbers,
        final_div_factor=numbers,
        three_phase=st.booleans(),
    ),
    "ReduceLROnPlateau": some(
        mode=st.sampled_from(["min", "max", "mean"]),
        factor=numbers,
        patience=small,
        threshold=numbers,
        threshold_mode=st.sampled_from(["rel", "abs", "both"]),
        cooldown=small,
        min_lr=per_group,
        eps=numbers,
    ),
}

simple = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda name: FIELDS[name].map(lambda fields: {name: fields})
)

ordered = st.lists(st.integers(-2, 15), max_size=3).map(sorted) | st.lists(small, max_size=3)


def sequential(parts: Any) -> Any:
    """Draw a SequentialLR, mostly with as many milestones as it needs."""
    fitting = st.lists(parts, min_size=1, max_size=3).flatmap(
        lambda p: st.lists(st.integers(-2, 15), min_size=len(p) - 1, max_size=len(p) - 1).map(
            lambda m: {"schedulers": p, "milestones": sorted(m)}
        )
    )
    wild = st.fixed_dictionaries({"schedulers": st.lists(parts, max_size=3), "milestones": ordered})
    return (fitting | wild).map(lambda fields: {"SequentialLR": fields})


def chained(parts: Any) -> Any:
    """Draw a ChainedScheduler."""
    return st.lists(parts, max_size=3).map(lambda p: {"ChainedScheduler": {"schedulers": p}})


ANY = simple | sequential(simple) | chained(simple) | sequential(simple | chained(simple))


def optimizer(name: str = "SGD", **fields: Any) -> torch.optim.Optimizer:
    """Return an optimizer of one weight, with its gradient."""
    weight = torch.nn.Parameter(torch.ones(1))
    weight.grad = torch.zeros(1)
    if name == "SGD":
        fields = {"lr": 0.1, "momentum": 0.9} | fields
    made: torch.optim.Optimizer = getattr(torch.optim, name)([weight], **fields)
    return made


def built(item: dict[str, Any], optimizer: torch.optim.Optimizer, total: int = HORIZON) -> Any:
    """Build an item with torch alone; OneCycleLR gets the total that nothing else gives."""
    ((name, fields),) = item.items()
    fields = dict(fields)
    if "schedulers" in fields:
        fields["schedulers"] = [built(part, optimizer, total) for part in fields["schedulers"]]
    steps = [fields.get(n) for n in ("total_steps", "epochs", "steps_per_epoch")]
    if name == "OneCycleLR" and steps == [None] * 3:
        fields["total_steps"] = total
    if isinstance(fields.get("pct_start"), int):
        fields["pct_start"] = float(fields["pct_start"])
    return getattr(lr_scheduler, name)(optimizer=optimizer, **fields)


def rates(scheduler: Any, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    """Return the learning rate before and after each of some steps, the loss going up and down."""
    found = [optimizer.param_groups[0]["lr"]]
    plateau = isinstance(scheduler, lr_scheduler.ReduceLROnPlateau)
    for step in range(steps):
        scheduler.step(*([abs(step - 7)] if plateau else []))
        found.append(optimizer.param_groups[0]["lr"])
    return found


def torch_runs(item: dict[str, Any], steps: int) -> list[float] | None:
    """Return torch's learning rates; None where it refuses the item, or one of the steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = optimizer()
            return rates(built(item, made, steps), made, steps)
        except (ValueError, TypeError, ArithmeticError, NotImplementedError):
            return None


def has_a_wrong_part(item: dict[str, Any]) -> bool:
    """Whether torch alone refuses a part, which may not go on for long enough to show it."""
    ((_, fields),) = item.items()
    parts = fields.get("schedulers", ())
    return any(has_a_wrong_part(p) or torch_runs(p, HORIZON) is None for p in parts)


def config(scheduler: Any, **sections: Any) -> Any:
    """Read a config with a scheduler."""
    base = {
        "input": [1, 8, 8],
        "layers": ["Flatten", {"Linear": 10}],
        "optimizer": {"SGD": {"momentum": 0.9, "lr": 0.1}},
        "train": {"epochs": HORIZON},
    }
    text = dump(base | sections | {"scheduler": scheduler})
    return read(from_bytes("test.yaml", text.encode()))


ONE = {"OneCycleLR": {"max_lr": 0.1}}

EXAMPLES: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 3},
    "MultiStepLR": {"milestones": [2, 5, 5, 11], "gamma": 0.5},
    "ConstantLR": {},
    "LinearLR": {"end_factor": 0.5, "total_iters": 4},
    "ExponentialLR": {"gamma": 0.9},
    "PolynomialLR": {"total_iters": 8, "power": 2},
    "CosineAnnealingLR": {"T_max": 7},
    "CosineAnnealingWarmRestarts": {"T_0": 3, "T_mult": 2, "eta_min": 0.001},
    "CyclicLR": {"base_lr": 0.01, "max_lr": [0.1], "step_size_up": 3, "mode": "triangular2"},
    "OneCycleLR": {"max_lr": 0.5, "epochs": 4, "steps_per_epoch": 5, "three_phase": True},
    "ReduceLROnPlateau": {"patience": 2, "cooldown": 1, "min_lr": 1e-4},
    "SequentialLR": {
        "schedulers": [{"LinearLR": {}}, {"CosineAnnealingLR": {"T_max": 10}}],
        "milestones": [5],
    },
    "ChainedScheduler": {
        "schedulers": [{"ConstantLR": {"total_iters": 4}}, {"ExponentialLR": {"gamma": 0.9}}]
    },
}

SGD = {"SGD": {"lr": 0.1, "momentum": 0.9}}
