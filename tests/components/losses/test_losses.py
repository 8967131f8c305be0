"""Losses: what netbuild takes is what torch computes, and what it says of a loss is what torch has.

Torch's side is its own constructor, a forward and a backward pass; nothing of netbuild is used for
it but `Loss.run`, which says in which order outputs and targets go.
"""

import inspect
import math
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

import netbuild
from netbuild import training
from netbuild.checks.trace import infer, trace, trainable
from netbuild.components.datasets.dataset import Sample
from netbuild.components.datasets.synthetic import Random
from netbuild.components.losses import LOSSES
from netbuild.components.target import Classes, Labels, Nothing, Signs, Target, Values
from netbuild.components.tensor import Shape, ShapeError, Tensor
from netbuild.config.load import load, read
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.parser import from_bytes
from netbuild.training.loop import Trainer
from netbuild.training.progress import Silent
from tests.training_configs import outcome, text, write

#: Sizes are drawn below it, so that no size is taken for the batch.
BATCH = 7

#: torch's fields that netbuild leaves out, and why.
LEFT_OUT = {
    "size_average": "deprecated for reduction",
    "reduce": "deprecated for reduction",
    "device": "train.device says it for all",
    "dtype": "networks are float32",
    "distance_function": "a function of Python",
    "options": "an object of Python, which saves memory and changes no number",
}
#: Fields whose default differs, and why.
DEFAULTS = {"in_features": "the output of the network decides it"}


def signature(name: str) -> dict[str, Any]:
    """Return torch's fields and defaults of a loss."""
    # NLLLoss2d passes its arguments on to NLLLoss, with a warning.
    kind = nn.NLLLoss if name == "NLLLoss2d" else getattr(nn, name)
    parameters = inspect.signature(kind).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in LEFT_OUT}


def test_every_loss_is_declared() -> None:
    """Every loss of the installed torch is declared, and nothing else."""
    names = {n for n in nn.modules.__all__ if n.endswith("Loss") or n == "NLLLoss2d"}
    assert set(LOSSES) == names
    assert len(LOSSES) == 24


@pytest.mark.parametrize("name", LOSSES)
def test_fields_are_those_of_torch(name: str) -> None:
    """The names, the order and the defaults of all fields are torch's."""
    fields = LOSSES[name].model_fields
    assert list(fields) == list(signature(name))
    for field, default in signature(name).items():
        if field in DEFAULTS:
            assert fields[field].default is None
        elif default is inspect.Parameter.empty:
            assert fields[field].is_required()
        else:
            assert fields[field].default == default


@pytest.mark.parametrize("name", LOSSES)
def test_inputs_are_named_as_by_torch(name: str) -> None:
    """The outputs that a loss reads have the names of `forward`'s arguments, but for the target."""
    forward = list(inspect.signature(getattr(nn, name).forward).parameters)[1:]
    others = {"target", "targets", "target_", "input_lengths", "target_lengths"}
    given_ = [argument for argument in forward if argument not in others]
    renamed = {"log_probs": "input", "log_input": "input", "input_": "input"}
    assert list(LOSSES[name].inputs) == [renamed.get(argument, argument) for argument in given_]


# What netbuild takes is what torch computes.


class Case(NamedTuple):
    """A loss with its fields, the outputs of a network, and what the data holds."""

    kind: str
    fields: dict[str, Any]
    outputs: tuple[Tensor, ...]
    target: Target


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
            module = getattr(nn, case.kind)(**fields)
            target = _target(case.target, generator)
            value = loss.model_construct().run(module, y, target)
            if value.ndim:
                return False  # a training needs one number
            value.backward()
        except (RuntimeError, ValueError, TypeError, IndexError, ArithmeticError):
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
            min(case.fields.get(name) or [0]) < 0 for name in ("weight", "pos_weight")
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


# Cases, of which about half fit.

sizes = st.integers(1, 4)
shapes = st.lists(sizes, max_size=3).map(tuple)
counts = st.integers(1, 5)
numbers = st.sampled_from([0.0, 1.0, 0.5, 2.0, -1.0, 1e-8, 30.0])


def _weights(count: int) -> st.SearchStrategy[Any]:
    fitting = st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=count, max_size=count)
    any_ = st.lists(st.sampled_from([0.0, 1.0, -1.0]), min_size=1, max_size=5)
    return st.one_of(st.none(), fitting, fitting, any_)


def _any_target(draw: st.DrawFn, shape: Shape) -> Target:
    shape = draw(st.one_of(st.just(shape), st.just(shape[1:]), st.just(()), shapes))
    classes = draw(counts)
    kinds: list[Target] = [
        Classes(classes, shape),
        Values(shape),
        Signs(shape),
        Labels(classes, shape[0] if shape else 1),
        Nothing(),
    ]
    return draw(st.sampled_from(kinds))


def _outputs(draw: st.DrawFn, kind: str) -> tuple[Shape, ...]:
    ranks = {"CTCLoss": 2, "CosineEmbeddingLoss": 1, "MultiMarginLoss": 1}
    ranks |= {"MultiLabelMarginLoss": 1, "LinearCrossEntropyLoss": 1}
    ranks |= {"AdaptiveLogSoftmaxWithLoss": 1}
    rank = ranks.get(kind)
    fitting = shapes if rank is None else st.lists(sizes, min_size=rank, max_size=rank).map(tuple)
    first: Shape = draw(st.one_of(fitting, fitting, fitting, shapes))
    others = []
    for _ in LOSSES[kind].inputs[1:]:
        near = [first, first, first, first[:-1], (*first[:-1], 1), tuple(1 for _ in first)]
        others.append(draw(st.one_of(st.sampled_from(near), shapes)))
    return (first, *others)


def _fields(draw: st.DrawFn, kind: str, first: Shape) -> dict[str, Any]:
    """Draw any fields; all of their own types, and some out of range."""
    last, classes = first[-1] if first else 1, first[0] if first else 1
    per_class = kind in {"CrossEntropyLoss", "NLLLoss", "NLLLoss2d"}
    reductions = ["mean", "sum", *(["batchmean"] if kind == "KLDivLoss" else [])]
    number = draw(counts)
    values: dict[str, st.SearchStrategy[Any]] = {
        "reduction": st.sampled_from(reductions),
        "weight": _weights(classes if per_class else last),
        "pos_weight": _weights(last),
        "ignore_index": st.sampled_from([-100, -100, -1, 0, 1, 4]),
        "label_smoothing": st.sampled_from([0.0, 0.1, 1.0, -0.1, 1.1]),
        "p": st.sampled_from([1, 2, 2, 3]) if kind == "MultiMarginLoss" else numbers,
        "blank": st.integers(-1, 4),
        "num_classes": st.just(number),
        "n_classes": st.just(number),
        "cutoffs": st.one_of(
            st.sets(st.integers(1, 4), min_size=1, max_size=3).map(sorted),
            st.lists(st.integers(0, 5), max_size=3),
        ),
        "div_value": st.sampled_from([4.0, 2.0, 1.5, 0.5, 0.0, -1.0]),
        "in_features": st.sampled_from([last, last, last, 9]),
        "out_features": shapes,
        "margin": numbers,
        "delta": numbers,
        "beta": numbers,
        "eps": numbers,
    }
    if kind == "LinearCrossEntropyLoss":
        values["weight"] = _weights(number)
        values["ignore_index"] = st.sampled_from([None, None, None, -100, 0, 1])
    fields = {}
    for name, info in LOSSES[kind].model_fields.items():
        if info.is_required() or draw(st.booleans()):
            fields[name] = draw(values.get(name, st.booleans()))
    return fields


@st.composite
def cases(draw: st.DrawFn, kind: str) -> Case:
    """Return any case of a loss."""
    shapes_ = _outputs(draw, kind)
    fields = _fields(draw, kind, shapes_[0])
    dtypes = st.sampled_from(["float32"] * 9 + ["int64"])
    outputs = tuple(Tensor(shape, draw(dtypes)) for shape in shapes_)
    target = _any_target(draw, shapes_[0])
    if draw(st.booleans()):
        with suppress(ValidationError):
            target = LOSSES[kind].model_validate(fields).target(outputs)
        if isinstance(target, Classes | Labels) and draw(st.booleans()):
            target = target._replace(classes=draw(counts))
    return Case(kind, fields, outputs, target)


@pytest.mark.parametrize("kind", LOSSES)
def test_netbuild_takes_what_torch_computes(kind: str) -> None:
    """For any fields, outputs and targets, netbuild accepts exactly what torch computes."""
    seen: set[bool] = set()

    @settings(max_examples=100)
    @given(case=cases(kind))
    def compare(case: Case) -> None:
        agree(case)
        seen.add(accepted(case))

    compare()
    assert seen == {True, False}


@pytest.mark.parametrize("rule", STRICTNESS, ids=lambda rule: rule.example.kind)
def test_each_strictness_is_one(rule: Strictness) -> None:
    """Each reason for which netbuild refuses more has a case that torch computes."""
    assert rule.applies(rule.example)
    assert computed(rule.example)
    assert not accepted(rule.example)


#: Cases worked out by hand, of which some are rare among those drawn.
TAKEN = [
    case_of("CrossEntropyLoss", (21, 8, 8), target=Classes(21, (8, 8))),
    case_of("CrossEntropyLoss", (21, 8, 8), target=Classes(22, (8, 8)), ignore_index=21),
    case_of("CrossEntropyLoss", (3,), target=Values((3,)), label_smoothing=0.1),
    case_of("CrossEntropyLoss", (3, 4), target=Values((3, 4)), weight=[1.0, 2.0, 3.0]),
    case_of("NLLLoss", (5, 3), target=Classes(2, (3,)), weight=[1.0] * 5),
    case_of("NLLLoss", (5, 3), target=Labels(5, 3), ignore_index=-1),
    case_of("GaussianNLLLoss", (3, 4), (3, 4), target=Values((3, 4))),
    case_of("GaussianNLLLoss", (3, 4), (3,), target=Values((3, 4))),
    case_of("GaussianNLLLoss", (3, 4), (1, 4), target=Values((3, 4))),
    case_of("CTCLoss", (6, 4), target=Labels(4, 9), blank=3),
    case_of("MSELoss", (3,), target=Classes(10, (3,))),
    case_of("PoissonNLLLoss", (), target=Values(())),
    case_of("LinearCrossEntropyLoss", (6,), target=Values((4, 3)), num_classes=4, out_features=[3]),
]
REFUSED = [
    case_of("CrossEntropyLoss", (3, 8), target=Classes(3)),
    case_of("CrossEntropyLoss", (3, 8), target=Classes(3, (7,))),
    case_of("CrossEntropyLoss", (3,), target=Classes(5), ignore_index=4),
    case_of("CrossEntropyLoss", (3,), target=Values((3,)), ignore_index=1),
    case_of("CrossEntropyLoss", (3,), target=Values((1,))),
    case_of("GaussianNLLLoss", (3, 4), (1, 1), target=Values((3, 4))),
    case_of("GaussianNLLLoss", (1,), (3,), target=Values((1,))),
    case_of("HuberLoss", (3,), target=Classes(10, (3,))),
    case_of("CTCLoss", (6, 4), target=Labels(4, 2), blank=4),
    case_of("AdaptiveLogSoftmaxWithLoss", (6,), target=Classes(5), n_classes=4, cutoffs=[2]),
    case_of("MultiMarginLoss", (3,), target=Classes(3), p=3),
    case_of("TripletMarginLoss", (3,), (3,), (3,), target=Nothing(), margin=0.0),
]


@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_what_is_taken(case: Case) -> None:
    """What fits is taken, and computed."""
    assert (accepted(case), computed(case)) == (True, True)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_is_refused(case: Case) -> None:
    """What does not fit is refused, by torch as well."""
    assert (accepted(case), computed(case)) == (False, False)


@pytest.mark.parametrize("name", LOSSES)
def test_reduction_none_is_refused(name: str) -> None:
    """A training needs one number, so `reduction: none` is a fault."""
    if "reduction" in LOSSES[name].model_fields:
        with pytest.raises(ValidationError, match="mean"):
            LOSSES[name].model_validate({**REQUIRED.get(name, {}), "reduction": "none"})


# What a loss says of what does not fit.

#: A loss, its fields, what the network gives, what the data holds, and what is said of it.
SAID: list[tuple[Case, str]] = [
    (
        case_of("CrossEntropyLoss", (3, 8, 8), target=Classes(3)),
        "it compares with a class at each of 8×8 places, and the data has one of 3 classes",
    ),
    (
        case_of("CrossEntropyLoss", (), target=Classes(3)),
        "it needs one value for each class, and the network gives a single one",
    ),
    (
        case_of("NLLLoss", (3,), target=Values((3,))),
        "it compares with a class, and the data has values of shape 3",
    ),
    (
        case_of("TripletMarginLoss", (3,), target=Nothing()),
        "it reads 3 outputs (anchor, positive, negative), and the network gives 1",
    ),
    (
        case_of("MSELoss", (3,), (3,), target=Values((3,))),
        "it reads 1 output (input), and the network gives 2",
    ),
    (
        case_of("CosineEmbeddingLoss", (3,), (4,), target=Signs(())),
        "input1 is 3, and input2 is 4: they must be alike",
    ),
    (
        case_of("SoftMarginLoss", (3,), target=Classes(10)),
        "it compares with 1 or −1 in shape 3, and the data has one of 10 classes",
    ),
    (
        case_of("GaussianNLLLoss", (3,), (2,), target=Values((3,))),
        "var is 2, and one variance for each of 3 is needed",
    ),
    (
        case_of("CTCLoss", (5,), target=Labels(3, 2)),
        "it needs 2 axes (steps, classes), and the output has 1: 5",
    ),
    (
        case_of("LinearCrossEntropyLoss", (5,), target=Classes(3), num_classes=3, in_features=4),
        "in_features is 4, and the network gives 5",
    ),
    (
        Case("MSELoss", {}, (Tensor((3,), "int64"),), Values((3,))),
        "it computes with floating-point numbers, and the network gives int64",
    ),
]


@pytest.mark.parametrize(("case", "said"), SAID, ids=lambda value: str(value)[:60])
def test_what_is_said(case: Case, said: str) -> None:
    """A fault names what is wanted, and what the network gives or the data has."""
    loss = LOSSES[case.kind].model_validate(case.fields)
    with pytest.raises(ShapeError) as caught:
        loss.check(case.outputs, case.target)
    assert (caught.value.code, str(caught.value)) == ("NB401", said)


# The weights that a loss learns itself.

#: The fields that have no default.
REQUIRED: dict[str, dict[str, Any]] = {
    "LinearCrossEntropyLoss": {"num_classes": 3},
    "AdaptiveLogSoftmaxWithLoss": {"n_classes": 9, "cutoffs": [2, 5], "div_value": 2.0},
}


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        *((name, REQUIRED.get(name, {})) for name in LOSSES),
        ("LinearCrossEntropyLoss", {"num_classes": 3, "out_features": [2, 4], "bias": True}),
        ("AdaptiveLogSoftmaxWithLoss", {"n_classes": 9, "cutoffs": [4], "head_bias": True}),
        ("AdaptiveLogSoftmaxWithLoss", {"n_classes": 9, "cutoffs": [1, 2]}),
        ("AdaptiveLogSoftmaxWithLoss", {"n_classes": 9, "cutoffs": [1, 2, 3], "div_value": 1.3}),
    ],
)
def test_the_weights_are_those_of_torch(kind: str, fields: dict[str, Any]) -> None:
    """The weights of a loss have torch's names and shapes, also where a cluster has no feature."""
    loss = LOSSES[kind].model_validate(fields)
    y = ((10,),) * len(loss.inputs)
    module = getattr(nn, loss.torch_name())(**loss.arguments(*y))
    assert loss.weights(*y) == {n: tuple(p.shape) for n, p in module.named_parameters()}


# Data made up for a loss.


@settings(max_examples=200)
@given(case=st.sampled_from(list(LOSSES)).flatmap(cases))
@example(case_of("CTCLoss", (1, 1), target=Nothing()))
def test_random_supplies_what_a_loss_wants(case: Case) -> None:
    """Where any target fits, the one that is made up fits, and holds what it says."""
    try:
        loss = LOSSES[case.kind].model_validate(case.fields)
        loss.check(case.outputs, case.target)
    except (ValidationError, ShapeError):
        return
    wanted = loss.target(case.outputs)
    loss.check(case.outputs, wanted)
    (inputs,), targets = Random(samples=40).load(Sample((Tensor((2,)),), wanted))
    assert (inputs.shape, str(inputs.dtype)) == ((40, 2), "float32")
    assert targets.shape == (40, *wanted.tensor.shape)
    assert str(targets.dtype) == wanted.tensor.dtype
    if isinstance(wanted, Signs) and targets.size > 20:
        assert set(targets.flatten().tolist()) == {-1.0, 1.0}
    elif isinstance(wanted, Labels):
        assert -1 <= targets.min() <= targets.max() < wanted.classes
        assert wanted.blank is None or not (targets == wanted.blank).any()
        assert ((targets[:, :-1] >= 0) | (targets[:, 1:] == -1)).all(), "−1 is behind all labels"
    elif targets.size:
        highest = wanted.classes if isinstance(wanted, Classes) else 1
        assert 0 <= targets.min() <= targets.max() <= highest


def test_random_takes_the_classes_it_is_told() -> None:
    """`classes` changes how many there are, and leaves alone where they stand."""
    source = Random(classes=5)
    x = Tensor((2,))
    assert source.sample(Sample((x,), Classes(3, (4, 4)))).target == Classes(5, (4, 4))
    assert source.sample(Sample((x,), Labels(3, 2, 0))).target == Labels(5, 2, 0)
    assert source.sample(Sample((x,), Values((3,)))).target == Classes(5)


@pytest.mark.parametrize(("dtype", "highest"), [("int64", 8), ("uint8", 8), ("bool", 1)])
def test_random_gives_whole_numbers(dtype: str, highest: int) -> None:
    """A network that reads whole numbers gets such, from 0 to below `below`."""
    (inputs,), _ = Random(samples=400, below=9).load(Sample((Tensor((3,), dtype),), Values(())))
    assert str(inputs.dtype) == dtype
    assert (inputs.min(), inputs.max()) == (0, highest)


# Training.

LOG = [{"Linear": 6}, "LogSoftmax"]
#: The layers that each loss of one output is trained with; the others take raw scores.
LAYERS: dict[str, list[Any]] = {
    "NLLLoss": LOG,
    "NLLLoss2d": LOG,
    "KLDivLoss": LOG,
    "BCELoss": [{"Linear": 6}, "Sigmoid"],
    "CTCLoss": [
        {"Linear": 12},
        {"Unflatten": {"dim": 1, "unflattened_size": [4, 3]}},
        {"LogSoftmax": {"dim": 2}},
    ],
}
SINGLE = [name for name, loss in LOSSES.items() if len(loss.inputs) == 1]


def prepared(folder: Path, loss: Any, *settings_: str, **sections: Any) -> Trainer:
    """Return the training of a small network with a loss."""
    name = loss if isinstance(loss, str) else next(iter(loss))
    sections = {"layers": LAYERS.get(name, [{"Linear": 6}])} | sections
    file = write(folder, loss=loss, **sections)
    return training.prepare(trainable(load(file, settings_)), folder / "runs")


@pytest.mark.parametrize("name", SINGLE)
def test_every_loss_trains(tmp_path: Path, name: str) -> None:
    """Every loss trains: all weights change, its own too, and a checkpoint evaluates alike."""
    loss = {name: REQUIRED.get(name, {})}
    trainer = prepared(tmp_path, loss, "train.epochs=1")
    parts = (trainer.learner.module, trainer.learner.criterion.module)
    before = [p.detach().clone() for part in parts for p in part.parameters()]
    training.fit(trainer, Silent())
    after = [p for part in parts for p in part.parameters()]
    assert not any(p.numel() and torch.equal(p, q) for p, q in zip(before, after, strict=True))
    (epoch,) = trainer.run.metrics
    assert math.isfinite(epoch["train_loss"])
    assert training.evaluate(trainer.run.folder).items() <= epoch.items()
    assert ("val_accuracy" in epoch) == LOSSES[name].classifies


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", sorted({*SINGLE} - {"AdaptiveLogSoftmaxWithLoss"}))
def test_the_loss_does_not_depend_on_the_batches(tmp_path: Path, name: str, reduction: str) -> None:
    """The loss of an epoch is that of a sample, whatever the batch size is."""
    fields = {**REQUIRED.get(name, {}), "reduction": reduction}
    if "ignore_index" in LOSSES[name].model_fields:
        fields |= {"ignore_index": 1, "weight": [0.5, 1.0, 2.0, 0.1, 3.0, 1.0]}
        fields["weight"] = fields["weight"][: fields.get("num_classes", 6)]
    found = []
    for size in (5, 100):
        optimizer = {"SGD": {"lr": 0}}
        settings_ = (f"train.batch_size={size}", "train.epochs=1")
        trainer = prepared(tmp_path, {name: fields}, *settings_, optimizer=optimizer)
        training.fit(trainer, Silent())
        (epoch,) = trainer.run.metrics
        found.append([epoch["train_loss"], epoch["val_loss"]])
    assert found[0] == pytest.approx(found[1])


@pytest.mark.parametrize("name", REQUIRED)
def test_a_loss_with_weights_of_its_own_resumes(tmp_path: Path, name: str) -> None:
    """The weights of a loss are in the state of a checkpoint, and not in the network's weights."""
    sections = {"layers": [{"Linear": 6}, {"Dropout": 0.2}]}
    (tmp_path / "whole").mkdir()
    whole = prepared(tmp_path / "whole", {name: REQUIRED[name]}, **sections)
    training.fit(whole, Silent())
    trainer = prepared(tmp_path, {name: REQUIRED[name]}, **sections)
    stopping = Silent()
    stopping.step = lambda *_, **__: trainer.stop()  # type: ignore[method-assign]
    with pytest.raises(training.Interrupted, match=r"^$"):
        training.fit(trainer, stopping)
    torch.manual_seed(1)
    resumed = training.resume(trainer.run.folder)
    training.fit(resumed, Silent())
    assert outcome(resumed.run) == outcome(whole.run)
    assert set(resumed.learner.module.state_dict()) == {"0.weight", "0.bias"}
    ours, theirs = (t.learner.criterion.module.state_dict() for t in (resumed, whole))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_checkpoint_without_the_weights_of_its_loss_is_told(tmp_path: Path) -> None:
    """A state.pt that lacks what the loss has learned is told in a sentence."""
    trainer = prepared(tmp_path, {"LinearCrossEntropyLoss": 3})
    training.fit(trainer, Silent())
    place = trainer.run.checkpoint("best") / "state.pt"
    state = torch.load(place, weights_only=True)
    torch.save({name: value for name, value in state.items() if name != "loss"}, place)
    with pytest.raises(training.TrainingError, match=r"best is no state of this training$"):
        training.evaluate(trainer.run.folder)


def test_accuracy_leaves_out_what_does_not_count(tmp_path: Path) -> None:
    """Places of the ignored class are in no accuracy, and every other place counts alike."""
    layers = [
        {"Unflatten": {"dim": 1, "unflattened_size": [1, 2, 2]}},
        {"Conv2d": {"out_channels": 3, "kernel_size": 1}},
    ]
    trainer = prepared(tmp_path, {"CrossEntropyLoss": {"ignore_index": 1}}, layers=layers)
    x, target = next(trainer.held_out.in_order(12))
    assert target.shape == (12, 2, 2)
    y = trainer.learner.module.eval()(*x)
    measures = trainer.learner.new_measures()
    measures.add([torch.tensor(1.0)], y, target)
    counted = target != 1
    hits = (y.argmax(1) == target) & counted
    assert measures.sums["told"] == counted.sum()
    assert measures.sums["correct"] == hits.sum()
    assert measures.means("val")["val_accuracy"] == float(hits.double().sum() / counted.sum())


def _faults(**sections: Any) -> list[str]:
    graph = infer(read(from_bytes("tiny.yaml", text(**sections).encode())))
    return [fault.label for fault in errors(graph.diagnostics)]


def test_the_config_is_checked_without_training() -> None:
    """A loss that does not go with the network is a fault of the file."""
    (said,) = _faults(loss="TripletMarginLoss")
    assert said == "it reads 3 outputs (anchor, positive, negative), and the network gives 1"
    assert _faults(loss="CrossEntropyLoss") == []


def test_a_network_is_plain_whatever_its_loss_learns() -> None:
    """What is built has none of the loss's weights."""
    config = read(from_bytes("tiny.yaml", text(loss={"LinearCrossEntropyLoss": 3}).encode()))
    names = set(netbuild.build(config).state_dict())
    assert names == set(netbuild.build(trace(config).config._replace(terms=())).state_dict())
