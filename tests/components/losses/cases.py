"""Losses with outputs and targets, drawn and worked out by hand."""

import math
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import torch
from kornia.core.exceptions import BaseError
from pydantic import ValidationError

from netbuild.components.losses import LOSSES
from netbuild.components.target import Classes, Labels, Nothing, Signs, Target, Values
from netbuild.components.tensor import Shape, ShapeError, Tensor
from tests.torch_release import there

#: Sizes are drawn below it, so that no size is taken for the batch.
BATCH = 7


class Case(NamedTuple):
    """A loss with its fields, the outputs of a network, and what the data holds."""

    kind: str
    fields: dict[str, Any]
    outputs: tuple[Tensor, ...]
    target: Target


#: The losses of the installed torch. Mean is netbuild's own.
TORCHS = [n for n in there(LOSSES) if LOSSES[n].home == "torch.nn" and n != "Mean"]


def torchs(kind: str) -> Any:
    """Return the class of torch or of kornia that a loss names."""
    loss = LOSSES[kind]
    return getattr(import_module(loss.home), loss.torch_name())


def accepted(case: Case) -> bool:
    """Whether netbuild takes the case."""
    try:
        loss = LOSSES[case.kind].model_validate(case.fields)
        loss.check(case.outputs, case.target)
    except (ValidationError, ShapeError):
        return False
    return True


def computed(case: Case) -> bool:
    """Whether torch computes the loss and its gradient."""
    generator = torch.Generator().manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loss = LOSSES[case.kind]
            y = tuple(_output(output, generator) for output in case.outputs)
            fields = {name: _argument(name, value) for name, value in case.fields.items()}
            if "in_features" in loss.model_fields and "in_features" not in fields:
                fields["in_features"] = y[0].shape[-1]
            if "reduction" in loss.model_fields:
                fields.setdefault("reduction", "mean")  # kornia's default is none
            module = torchs(case.kind)(**fields)
            target = _target(case.target, generator)
            value = loss.model_construct().run(module, y, target)
            if value.ndim:
                return False  # a training needs one number
            if not value.isfinite() and loss.home == "kornia.losses":
                return False  # a mean over nothing
            value.backward()
        except (RuntimeError, ValueError, TypeError, IndexError, ArithmeticError, BaseError):
            return False
    return all(tensor.requires_grad for tensor in y)


def _argument(name: str, value: Any) -> Any:
    if name in {"weight", "pos_weight"} and value is not None:
        return torch.tensor(value, dtype=torch.float32)
    return tuple(value) if isinstance(value, list) else value


def _output(output: Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return a batch of values between 0 and 1, which are probabilities and variances too."""
    y = torch.rand((BATCH, *output.shape), generator=generator).to(getattr(torch, output.dtype))
    return y.requires_grad_() if output.floating else y


def _target(target: Target, generator: torch.Generator) -> torch.Tensor:
    """Return a batch that holds every class number that may come."""
    shape = (BATCH, *target.tensor.shape)
    numbers_ = torch.arange(math.prod(shape)).reshape(shape)
    match target:
        case Classes(classes):
            return numbers_ % classes
        case Labels(classes, length):
            sample = torch.arange(BATCH)[:, None]
            return torch.where(torch.arange(length) < sample, sample % classes, -1)
        case Signs():
            return torch.randint(2, shape, generator=generator) * 2.0 - 1
        case _:
            return torch.rand(shape, generator=generator)


class Strictness(NamedTuple):
    """A reason for which netbuild refuses what torch computes, with one case of it."""

    reason: str
    applies: Callable[[Case], bool]
    example: Case


def case_of(kind: str, *outputs: Shape, target: Target, **fields: Any) -> Case:
    """Return a case whose outputs are float32."""
    return Case(kind, fields, tuple(Tensor(shape) for shape in outputs), target)


VALUE_LOSSES = {
    *("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss", "KLDivLoss", "PoissonNLLLoss"),
    *("GaussianNLLLoss", "HingeEmbeddingLoss", "SoftMarginLoss", "MultiLabelSoftMarginLoss"),
}

SIGN_LOSSES = {
    *("HingeEmbeddingLoss", "SoftMarginLoss", "MarginRankingLoss", "CosineEmbeddingLoss"),
}

PAIRS = {name for name, loss in LOSSES.items() if len(loss.inputs) > 1} - {"GaussianNLLLoss"}


def _differ(case: Case) -> bool:
    shapes = {output.shape for output in case.outputs}
    if case.kind in VALUE_LOSSES:
        return case.target.tensor.shape != case.outputs[0].shape
    ranking = case.kind == "MarginRankingLoss" and {case.target.tensor.shape} != shapes
    return case.kind in PAIRS and (len(shapes) > 1 or ranking)


def _no_axis(case: Case) -> bool:
    over_the_batch = {
        *("CrossEntropyLoss", "NLLLoss", "NLLLoss2d", "MultiLabelMarginLoss", "MultiMarginLoss"),
        *("MultiLabelSoftMarginLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss"),
    }
    return case.kind in over_the_batch and case.outputs[0].shape == ()


STRICTNESS = [
    Strictness(
        "torch stretches an axis of size 1, and a sample over the batch, mostly with a warning: "
        "what is compared has one shape",
        _differ,
        case_of("MSELoss", (3, 4), target=Values((3, 1))),
    ),
    Strictness(
        "without an axis of its own a sample is measured along the batch, over which it is not",
        _no_axis,
        case_of("TripletMarginLoss", (), (), (), target=Nothing()),
    ),
    Strictness(
        "the number of a class is neither 1 nor −1",
        lambda case: case.kind in SIGN_LOSSES and not case.target.tensor.floating,
        case_of("SoftMarginLoss", (3,), target=Classes(4, (3,))),
    ),
    Strictness(
        "a weight below 0 turns the loss round",
        lambda case: any(
            torch.tensor(case.fields.get(name) or [0]).min() < 0
            for name in ("weight", "pos_weight")
        ),
        case_of("CrossEntropyLoss", (2,), target=Classes(2), weight=[-1.0, 1.0]),
    ),
    Strictness(
        "torch takes a smoothing below 0 for none, without a word",
        lambda case: case.kind == "CrossEntropyLoss" and case.fields.get("label_smoothing", 0) < 0,
        case_of("CrossEntropyLoss", (2,), target=Classes(2), label_smoothing=-0.1),
    ),
    Strictness(
        "weights for the one class that there is stretch it over classes that are not",
        lambda case: (
            case.kind == "MultiLabelSoftMarginLoss"
            and case.outputs[0].shape[-1:] == (1,)
            and len(case.fields.get("weight") or []) > 1
        ),
        case_of("MultiLabelSoftMarginLoss", (1,), target=Values((1,)), weight=[1.0, 2.0]),
    ),
]


def _overruns(case: Case) -> bool:
    """Whether torch would read and write memory that is not its tensors', as CTCLoss does.

    It does not look whether labels are among the classes.
    """
    classes = case.target.classes if isinstance(case.target, Classes | Labels) else 0
    output = case.outputs[0].shape
    return case.kind == "CTCLoss" and (not output or classes > output[-1])


def agree(case: Case) -> None:
    """Hold what netbuild says of a case against what torch does with it."""
    if _overruns(case):
        assert not accepted(case)
        return
    netbuild_, torch_ = accepted(case), computed(case)
    if netbuild_ == torch_:
        return
    assert torch_, f"netbuild takes what torch refuses: {case}"
    assert any(rule.applies(case) for rule in STRICTNESS), f"torch computes {case}"


#: The fields that have no default.
REQUIRED: dict[str, dict[str, Any]] = {
    "LinearCrossEntropyLoss": {"num_classes": 3},
    "AdaptiveLogSoftmaxWithLoss": {"n_classes": 9, "cutoffs": [2, 5], "div_value": 2.0},
    "TverskyLoss": {"alpha": 0.3, "beta": 0.7},
    "FocalLoss": {"alpha": 0.25},
    "BinaryFocalLossWithLogits": {"alpha": 0.25},
    "SSIMLoss": {"window_size": 3},
    "SSIM3DLoss": {"window_size": 3},
    "PSNRLoss": {"max_val": 1.0},
}
