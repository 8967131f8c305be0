"""`print(model)` of an `nn.Sequential` becomes a config."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from netbuild.builder.module import module as build
from netbuild.components.tensor import Tensor
from netbuild.diagnostics.exceptions import ImportedError
from netbuild.exchange.importer import printed
from netbuild.reports.difference.alignment import file_arguments
from tests.components.layers import FAMILIES
from tests.exchange.importer.networks import graph_of
from tests.tables import over

if TYPE_CHECKING:
    from tests.components.layers.contract import Row

#: Rows of layers of torch that read one input; a third of all, for the time.
ROWS = [
    row
    for family in {id(family): family for family in FAMILIES.values()}.values()
    for row in family.rows
    if not row.others and row.input and hasattr(nn, next(iter(row.config)))
][::3]


def check(row: Row) -> None:
    """Assert that the printed module of a row is read as it was, or as a gap."""
    x = Tensor(row.input, row.dtype)
    shape = f"{{shape: {list(row.input)}, dtype: {row.dtype}}}"
    graph = graph_of(f"input: {shape}\nlayers: [{row.config}]\n".replace("True", "true"))
    if graph.block is None or not graph.block.is_chain:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = str(build(graph))
    made = printed.printed_config(text, {"input": x})
    if made.gaps:
        return
    again = graph_of(made.text)
    (one,), (other,) = graph.rows, again.rows
    wanted, found = file_arguments(one), file_arguments(other)
    unprinted = printed.UNPRINTED.get(one.type, ())
    differ = {name for name in wanted if _plain(wanted[name]) != _plain(found[name])}
    assert (one.type, one.tensors) == (other.type, other.tensors)
    assert differ <= {*unprinted, *(name for name in wanted if wanted[name] is None)}
    assert one.outputs == other.outputs or unprinted


def _plain(value: object) -> object:
    """Return a size of one axis, or the same size of all axes, as a number."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


@over(ROWS)
def test_every_layer_is_read_back(row: Row) -> None:
    """The printed module of each layer gives the layer, or a gap."""
    check(row)


def test_gaps_are_few() -> None:
    """Only layers of which torch prints too little are gaps."""
    made = printed.printed_config(
        str(
            nn.Sequential(
                nn.Linear(8, 8), nn.MultiheadAttention(8, 2), nn.FractionalMaxPool2d(2, 2)
            )
        ),
        {"input": Tensor((4, 8))},
    )
    assert made.gaps == (
        "1: MultiheadAttention: torch prints its parts, and no argument",
        "2: FractionalMaxPool2d: torch does not print kernel_size",
    )
    assert made.text.endswith(
        "layers:\n"
        "  - Linear: 8\n"
        "  # gap: 1: MultiheadAttention: torch prints its parts, and no argument\n"
        "  # gap: 2: FractionalMaxPool2d: torch does not print kernel_size\n"
    )


def test_a_nested_sequential_folds() -> None:
    """Inner stacks keep their names, equal ones in a row become a repetition."""
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.MaxPool2d(2)),
        nn.Flatten(),
        nn.Linear(1176, 84),
        *(nn.Sequential(nn.Linear(84, 84), nn.ReLU(inplace=True)) for _ in range(3)),
        nn.Linear(84, 10),
    )
    made = printed.printed_config(str(model), {"input": Tensor((1, 28, 28))})
    assert made.text == (
        "name: sequential\n"
        "input: [1, 28, 28]\n"
        "layers:\n"
        "  - [Conv2d: {out_channels: 6, kernel_size: 5, padding: 2}, Sigmoid, MaxPool2d: 2]\n"
        "  - Flatten\n"
        "  - Linear: 84\n"
        "  - {layers: [Linear: 84, ReLU: {inplace: true}], repeat: 3}\n"
        "  - Linear: 10\n"
    )
    graph = graph_of(made.text)
    assert graph.tensors == {name: tuple(t.shape) for name, t in model.state_dict().items()}
    assert build(graph)(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_torch_writes_equal_modules_once() -> None:
    """The line `(0-2): 3 x Linear(…)` is three layers."""
    model = nn.Sequential(*(nn.Linear(8, 8) for _ in range(3)))
    folded = "(0-2): 3 x Linear(in_features=8, out_features=8, bias=True)"
    network = printed.read(f"Sequential(\n  {folded}\n)", {"input": Tensor((8,))})
    assert [node.path for node in network.nodes] == ["0", "1", "2"]
    assert str(model).count("Linear") == 3


def test_what_torch_does_not_print_is_said() -> None:
    """A comment names the fields that torch leaves out."""
    made = printed.printed_config(str(nn.Sequential(nn.AvgPool2d(2))), {"input": Tensor((1, 4, 4))})
    assert made.text.replace("\n# ", " ").startswith(
        "# torch does not print ceil_mode, count_include_pad and divisor_override of AvgPool2d: "
        "the defaults stand here\nname: sequential\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no printed module to read: print(model) gives one"),
        ("hello", "line 1 is no line of a printed module: hello"),
        (
            "Sequential(\n  (0): ReLU()\n",
            "line 2 is no line of a printed module: (0): ReLU()",
        ),
        (
            "Net(\n  (fc): ReLU()\n)",
            (
                "Net is no nn.Sequential, and its text does not tell what its forward does: "
                "import the module itself"
            ),
        ),
        (
            "Sequential(\n  (0): Linear(in_features=9, out_features=2, bias=True)\n)",
            (
                "the printed module does not fit the input: Linear does not fit its input: "
                "in_features is 9, and the input has 8"
            ),
        ),
    ],
)
def test_other_text_is_refused(text: str, message: str) -> None:
    """A text that is no printed Sequential gets one sentence."""
    with pytest.raises(ImportedError) as caught:
        printed.printed_config(text, {"input": Tensor((8,))})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Foo()", "netbuild has no layer of this name"),
        ("Foo(\n    (a): ReLU()\n  )", "torch prints its modules and not its forward"),
        ("Linear(in_features=8, out_features=n)", "its arguments cannot be read: "),
        ("ReLU(slope=2)", "its arguments cannot be read: netbuild has no field slope of ReLU"),
        ("CosineSimilarity()", "it reads 2 values, and an nn.Sequential gives one"),
    ],
)
def test_a_gap_says_why(line: str, reason: str) -> None:
    """A module that no config can hold, or whose text says too little, has a reason."""
    network = printed.read(f"Sequential(\n  (0): {line}\n)", {"input": Tensor((8,))})
    assert (network.nodes[0].gap or "").startswith(reason)
