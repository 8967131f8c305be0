"""Losses: declared as torch has them, and taken if and only if torch computes them."""

import inspect
from contextlib import suppress
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from netbuild.components.datasets.dataset import Sample
from netbuild.components.datasets.synthetic import Random
from netbuild.components.losses import LOSSES
from netbuild.components.target import Classes, Labels, Nothing, Signs, Target, Values
from netbuild.components.tensor import Shape, ShapeError, Tensor
from tests.components.losses.cases import (
    REQUIRED,
    STRICTNESS,
    Case,
    Strictness,
    accepted,
    agree,
    case_of,
    computed,
)
from tests.examples import examples
from tests.torch_release import there

#: The losses of torch; `Mean` is netbuild's own.
TORCHS = [name for name in there(LOSSES) if name != "Mean"]

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
    assert {*TORCHS} == names
    assert len(LOSSES) == 25


@pytest.mark.parametrize("name", TORCHS)
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


@pytest.mark.parametrize("name", TORCHS)
def test_inputs_are_named_as_by_torch(name: str) -> None:
    """The outputs that a loss reads have the names of `forward`'s arguments, but for the target."""
    forward = list(inspect.signature(getattr(nn, name).forward).parameters)[1:]
    others = {"target", "targets", "target_", "input_lengths", "target_lengths"}
    given_ = [argument for argument in forward if argument not in others]
    renamed = {"log_probs": "input", "log_input": "input", "input_": "input"}
    assert list(LOSSES[name].inputs) == [renamed.get(argument, argument) for argument in given_]


sizes = st.integers(1, 4)
shapes = st.lists(sizes, max_size=3).map(tuple)
counts = st.integers(1, 5)
numbers = st.sampled_from([0.0, 1.0, 0.5, 2.0, -1.0, 1e-8, 30.0])


def _weights(count: int) -> st.SearchStrategy[Any]:
    fitting = st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=count, max_size=count)
    any_ = st.lists(st.sampled_from([0.0, 1.0, -1.0]), min_size=1, max_size=5)
    return st.one_of(st.none(), fitting, fitting, any_)


@st.composite
def _repeated(draw: st.DrawFn, y: Shape) -> Any:
    """Draw nested lists that mostly repeat to the shape of an output."""
    shape = [draw(st.sampled_from([1, size, size, 3])) for size in y]
    shape = shape[draw(st.integers(0, len(shape))) :] or [1]
    if len(shape) == len(y) and draw(st.booleans()):
        shape = [draw(st.sampled_from([1, 1, 2])), *shape]
    return torch.full(shape, 0.5).tolist()


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
    if LOSSES[kind].repeated:
        values |= dict.fromkeys(
            ("weight", "pos_weight"), st.one_of(_weights(last), _repeated(first))
        )
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


@pytest.mark.parametrize("kind", TORCHS)
def test_netbuild_takes_what_torch_computes(kind: str) -> None:
    """For any fields, outputs and targets, netbuild accepts exactly what torch computes."""
    seen: set[bool] = set()

    @examples(100, least=60)
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


#: One number for each of three channels of an image.
CHANNELS = [[[1.0]], [[2.0]], [[3.0]]]

#: Cases worked out by hand, of which some are rare among those drawn.
TAKEN = [
    case_of("CrossEntropyLoss", (21, 8, 8), target=Classes(21, (8, 8))),
    case_of("CrossEntropyLoss", (21, 8, 8), target=Classes(22, (8, 8)), ignore_index=21),
    case_of("CrossEntropyLoss", (3,), target=Values((3,)), label_smoothing=0.1),
    case_of("CrossEntropyLoss", (3, 4), target=Values((3, 4)), weight=[1.0, 2.0, 3.0]),
    case_of("NLLLoss", (5, 3), target=Classes(2, (3,)), weight=[1.0] * 5),
    case_of("BCEWithLogitsLoss", (3, 4, 5), target=Values((3, 4, 5)), pos_weight=CHANNELS),
    case_of("BCELoss", (3, 4, 5), target=Values((3, 4, 5)), weight=[CHANNELS]),
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


@pytest.mark.parametrize("name", TORCHS)
def test_reduction_none_is_refused(name: str) -> None:
    """A training needs one number, so `reduction: none` is a fault."""
    if "reduction" in LOSSES[name].model_fields:
        with pytest.raises(ValidationError, match="mean"):
            LOSSES[name].model_validate({**REQUIRED.get(name, {}), "reduction": "none"})


@examples(200)
@given(case=st.sampled_from(TORCHS).flatmap(cases))
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
    (inputs,), (targets,) = Random(samples=40).load(Sample((Tensor((2,)),), {"target": wanted}))
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
    assert source.sample(Sample((x,), {"target": Classes(3, (4, 4))})).target == Classes(5, (4, 4))
    assert source.sample(Sample((x,), {"target": Labels(3, 2, 0)})).target == Labels(5, 2, 0)
    assert source.sample(Sample((x,), {"target": Values((3,))})).target == Classes(5)


@pytest.mark.parametrize(("dtype", "highest"), [("int64", 8), ("uint8", 8), ("bool", 1)])
def test_random_gives_whole_numbers(dtype: str, highest: int) -> None:
    """A network that reads whole numbers gets such, from 0 to below `below`."""
    (inputs,), _ = Random(samples=400, below=9).load(
        Sample((Tensor((3,), dtype),), {"target": Values(())})
    )
    assert str(inputs.dtype) == dtype
    assert (inputs.min(), inputs.max()) == (0, highest)


@pytest.mark.parametrize(("reduction", "expected"), [("mean", 2.5), ("sum", 10.0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_mean_is_that_of_an_output(reduction: str, expected: float, dtype: torch.dtype) -> None:
    """It compares with nothing, and computes with single precision at least."""
    loss = LOSSES["Mean"].model_validate({"reduction": reduction})
    loss.check((Tensor((2, 2)),), Nothing())
    assert (loss.compares, loss.target((Tensor((2, 2)),))) == (False, Nothing())
    module = getattr(nn, loss.torch_name())(**loss.arguments((2, 2)))
    value = loss.run(module, (torch.tensor([[1, 2], [3, 4]], dtype=dtype),), None)
    assert (value.item(), value.dtype) == (expected, torch.float32)
