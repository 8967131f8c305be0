"""What is said of a loss that does not fit."""

import pytest

from netbuild.components.losses import LOSSES
from netbuild.components.target import Classes, Labels, Nothing, Signs, Values
from netbuild.components.tensor import ShapeError, Tensor
from tests.components.losses.cases import Case, case_of

#: A loss, its fields, what the network gives, what the data holds, and what is said of it.
SAID: list[tuple[Case, str]] = [
    (
        case_of("CrossEntropyLoss", (3, 8, 8), target=Classes(3)),
        "it compares with a class at each of 8×8 places, and the data has one of 3 classes",
    ),
    (
        case_of("CrossEntropyLoss", (), target=Classes(3)),
        "it needs one value for each class, and the network gives one value",
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
        "input1 is 3, and input2 is 4: they must be equal",
    ),
    (
        case_of("SoftMarginLoss", (3,), target=Classes(10)),
        "it compares with 1 or −1 in shape 3, and the data has one of 10 classes",
    ),
    (
        case_of("GaussianNLLLoss", (3,), (2,), target=Values((3,))),
        "var is 2, and it needs one variance for each of 3",
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
        case_of("BCELoss", (3, 4, 5), target=Values((3, 4, 5)), weight=[[[1.0]], [[2.0]]]),
        "weight is 2×1×1, and it cannot be repeated to an output of 3×4×5",
    ),
    (
        case_of("BCEWithLogitsLoss", (3, 4, 5), target=Values((3, 4, 5)), weight=[1.0, 2.0, 3.0]),
        "weight has 3 numbers for a last axis of 5",
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
