"""What layers say of themselves for lints: each is asked, and torch bears it out."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from netbuild.checks import lint
from netbuild.components.component import bare_field
from netbuild.components.layers import LAYERS
from netbuild.components.layers.layer import Layer
from netbuild.components.layers.ranges import ANY, LOGARITHMS, PROBABILITIES, SIGNED
from netbuild.components.losses import LOSSES
from netbuild.components.schedulers import SCHEDULERS
from tests.components.layers import FAMILIES, READERS
from tests.components.layers.contract import (
    graph_of_case,
    results,
    tensors,
    torch_layer,
    torch_may_warn,
)
from tests.tables import over

if TYPE_CHECKING:
    from tests.components.layers.contract import Row

#: torch normalises with these on a GPU only.
_ON_GPU = {"SyncBatchNorm"}
_KINDS = sorted(READERS)


class Case:
    """A layer with its fields and its inputs, in netbuild and in torch."""

    def __init__(self, row: Row) -> None:
        self.row, self.family = row, FAMILIES[row.type]
        self.layer: Layer = graph_of_case(row.case).rows[-1].layer
        with torch_may_warn():
            module = torch_layer(self.family, row.case)
        self.module = module.double() if isinstance(module, nn.Module) else module

    def inputs(self, draw: Any = torch.randn, batch: int = 2) -> list[torch.Tensor]:
        """Return inputs for it, where they are floats as `draw` gives them."""
        torch.manual_seed(0)
        given = tensors(self.family, self.row.case, batch)
        return [draw(*x.shape).double() if x.is_floating_point() else x for x in given]

    def run(self, *x: torch.Tensor, train: bool = True, seed: int = 0) -> tuple[torch.Tensor, ...]:
        """Return what torch gives, in training or evaluation."""
        torch.manual_seed(seed)
        if isinstance(self.module, nn.Module):
            self.module.train(train)
        with torch.no_grad(), torch_may_warn():
            return results(self.family, self.row.type, self.module, [t.clone() for t in x])

    def first(self, *x: torch.Tensor, **options: Any) -> torch.Tensor:
        """Return the first result."""
        return self.run(*x, **options)[0]

    @property
    def ports(self) -> list[str]:
        """The names of its results."""
        return list(self.layer.outputs(*self.row.inputs))

    @property
    def floats(self) -> bool:
        """Whether all that it reads are floats."""
        return all(x.floating for x in self.row.inputs)

    def slides(self) -> bool:
        """Whether torch's class moves a window: a convolution or a pool with a stride."""
        modules = nn.modules
        kinds = (modules.conv._ConvNd, modules.pooling._MaxPoolNd, modules.pooling._AvgPoolNd)
        pools = (*kinds, modules.pooling._LPPoolNd)
        return isinstance(self.module, pools) and not self.spreads()

    def spreads(self) -> bool:
        """Whether torch's class is a transposed convolution."""
        return isinstance(self.module, nn.modules.conv._ConvTransposeNd)


@cache
def cases(kind: str) -> list[Case]:
    """Return the rows of a layer that a CPU computes."""
    if kind in _ON_GPU:
        return []
    return [Case(row) for row in FAMILIES[kind].rows if row.type == kind]


def alone(kind: str) -> list[Case]:
    """Return the rows with a single input of floats."""
    return [case for case in cases(kind) if case.floats and len(case.row.inputs) == 1]


@over(sorted(LAYERS))
def test_declares_its_results(kind: str) -> None:
    """Each layer says what its results are: passed on, pooled, of a range, or of none known."""
    layer = LAYERS[kind]
    own = [c for c in layer.__mro__ if issubclass(c, Layer) and c is not Layer]
    assert any("results" in vars(c) for c in own) or layer.rearranges or layer.pools


#: What inputs are drawn, by the range that they lie in.
_DRAWN = {
    ANY: lambda *shape: 10 * torch.randn(shape),
    PROBABILITIES: lambda *shape: torch.rand(shape),
    SIGNED: lambda *shape: 2 * torch.rand(shape) - 1,
    LOGARITHMS: lambda *shape: -10 * torch.rand(shape),
}


@over(_KINDS)
def test_results_lie_in_their_range(kind: str) -> None:
    """What a layer gives lies between the numbers that it says, for inputs of four ranges."""
    for case in cases(kind):
        for given, draw in _DRAWN.items():
            first = case.layer.range(*(given if x.floating else None for x in case.row.inputs))
            for port, y in zip(case.ports, case.run(*case.inputs(draw)), strict=True):
                found = case.layer.other_results.get(port, first)
                if found is not None:
                    assert found.least - 1e-9 <= y.min(), (case.row.id, port)
                    assert y.max() <= found.most + 1e-9, (case.row.id, port)


@over(_KINDS)
def test_no_probabilities(kind: str) -> None:
    """What a layer says to be no probabilities, whatever it reads, goes beyond 0 and 1."""
    unlike = []
    for case in cases(kind):
        first = case.layer.range(*[None] * len(case.row.inputs))
        for port, y in zip(case.ports, case.run(*case.inputs(_DRAWN[ANY], batch=16)), strict=True):
            found = case.layer.other_results.get(port, first)
            if found is not None and not found.within(PROBABILITIES):
                unlike.append(bool(((y < 0) | (y > 1)).any()))
    assert not unlike or any(unlike)


def is_affine(case: Case) -> bool:
    """Whether torch's layer is an affine function of each of its inputs, the others held."""
    x, others = case.inputs(), case.inputs(lambda *shape: torch.rand(shape) - 0.5)
    for at, other in enumerate(others):
        ends = [[*x[:at], value, *x[at + 1 :]] for value in (x[at], other)]
        between = [*x[:at], 0.3 * x[at] + 0.7 * other, *x[at + 1 :]]
        one, two = (case.first(*end).double() for end in ends)
        if not torch.allclose(case.first(*between).double(), 0.3 * one + 0.7 * two, atol=1e-9):
            return False
    return True


@over(_KINDS)
def test_affine_functions(kind: str) -> None:
    """A layer with weights says that it is affine if it is."""
    rows = [case for case in cases(kind) if case.layer.weights(*case.row.shapes)]
    if rows:
        declared = LAYERS[kind].is_affine
        assert declared == all(case.floats and is_affine(case) for case in rows)
    else:
        assert not LAYERS[kind].is_affine or kind in _ON_GPU


@over([kind for kind in _KINDS if READERS[kind].is_affine])
def test_axis_of_features(kind: str) -> None:
    """What an affine layer adds to its products is one number for each place of its axis."""
    for case in cases(kind):
        y = case.first(*case.inputs(torch.zeros))[0]
        columns = y.movedim(case.layer.feature_axis, -1).flatten(0, -2) if y.dim() > 1 else y[None]
        assert (columns == columns[0]).all()
        assert bare_field(type(case.layer)) in {"out_features", "out_channels"}


def keeps_values(case: Case) -> bool:
    """Whether all that torch's layer gives are values of the input."""
    (x,) = case.inputs()
    return all(bool(torch.isin(y, x).all()) for y in case.run(x))


#: Layers that pass values on with some of their fields only.
_SOMETIMES = {"Upsample", "UpsamplingNearest2d", "Unfold"}


@over(_KINDS)
def test_rearranging(kind: str) -> None:
    """A layer rearranges if all that it gives are values of its input, and none is chosen."""
    rows = alone(kind)
    if READERS[kind].rearranges:
        assert rows
        assert all(keeps_values(case) for case in rows)
    elif rows and kind not in _SOMETIMES and not READERS[kind].pools:
        assert not all(keeps_values(case) for case in rows)


def nests(x: torch.Tensor, y: torch.Tensor) -> bool:
    """Whether the axes of one shape are neighbouring axes of the other, merged."""
    ends = [
        {product(shape[place:]) for place in range(len(shape) + 1)}
        for shape in (x[0].shape, y[0].shape)
    ]
    return ends[0] <= ends[1] or ends[1] <= ends[0]


def product(shape: Any) -> int:
    """Return the number of values of a shape."""
    return torch.Size(shape).numel()


@over(_KINDS)
def test_regrouping(kind: str) -> None:
    """A layer regroups if it keeps all values in their order, and merges or splits axes."""
    kept = []
    for case in alone(kind):
        (x,), (y, *_) = case.inputs(), case.run(*case.inputs())
        same = x.numel() == y.numel() and torch.equal(x.flatten(), y.flatten())
        kept.append(same and nests(x, y))
    dropout = READERS[kind].drops is not None  # some of its rows drop nothing
    assert READERS[kind].regroups == (bool(kept) and all(kept) and not dropout)


@over([kind for kind in _KINDS if READERS[kind].pools])
def test_pooling(kind: str) -> None:
    """Means and the largest of equal values are that value; around are zeros at the most."""
    for case in alone(kind):
        if "divisor_override" not in case.row.fields:
            y = case.first(*case.inputs(torch.ones))
            assert y.max() == pytest.approx(1)
            assert y.min() > 0


_ACTIVATIONS = [kind for kind in _KINDS if READERS[kind].activates is True]


def is_elementwise(case: Case) -> bool:
    """Whether torch's layer computes each value of a sample for itself, in evaluation."""
    (x,) = case.inputs()
    order = torch.randperm(x[0].numel())
    mixed = x.flatten(1)[:, order].view_as(x)
    y = case.first(x, train=False)
    if y.shape != x.shape:
        return False
    return torch.allclose(y.flatten(1)[:, order], case.first(mixed, train=False).flatten(1))


@over(_KINDS)
def test_activations(kind: str) -> None:
    """An activation is a function of each single value that is not affine."""
    rows = [case for case in alone(kind) if case.row.input]
    if isinstance(READERS[kind].activates, property):  # it depends on the fields
        assert all(case.layer.activates != is_affine(case) for case in rows)
        return
    bends = bool(rows) and not all(is_affine(case) for case in rows)
    bends = bends and not READERS[kind].drops and not READERS[kind].normalises
    assert READERS[kind].activates == (bends and all(is_elementwise(case) for case in rows))


@over(_ACTIVATIONS)
def test_saturation(kind: str) -> None:
    """An activation that flattens out on both sides says its steepest slope, unless it clips."""
    case = next(case for case in alone(kind) if case.row.input)
    x = (
        torch.cat([torch.linspace(-8, 8, 1601), torch.tensor([-1e4, 1e4])])
        .double()
        .requires_grad_()
    )
    case.module.eval()
    case.module(x).sum().backward() if kind != "PReLU" else case.module(
        x[None, None]
    ).sum().backward()
    assert x.grad is not None
    slopes = x.grad
    clips = case.layer.range(None) is None
    flat = bool((slopes[-2:].abs() < 1e-6).all()) and not clips
    assert (case.layer.saturates is not None) == flat
    if flat:
        assert case.layer.saturates == pytest.approx(float(slopes.max()), rel=1e-3)


@over(_ACTIVATIONS)
def test_self_normalising(kind: str) -> None:
    """SELU gives mean 0 and variance 1 of such values, and no other activation does."""
    module = getattr(nn, kind)(*([0.1, 20] if kind == "Threshold" else []))
    torch.manual_seed(0)
    with torch.no_grad():
        y = module.eval()(torch.randn(200_000))
    keeps = abs(float(y.mean())) < 0.02 and abs(float(y.var()) - 1) < 0.02
    assert READERS[kind].self_normalising == keeps


@over(_KINDS)
def test_dropping(kind: str) -> None:
    """A dropout changes nothing in evaluation; in training it sets some values to something."""
    rows = alone(kind)
    kept = [torch.equal(case.first(x, train=False), x) for case in rows for x in case.inputs()]
    changed = []
    for case in rows if all(kept) else []:
        (x,) = case.inputs(lambda *shape: 1 + torch.rand(shape), batch=16)
        y = case.first(x)
        if y.shape == x.shape and not torch.equal(x, y):
            zeros, negative = bool((y == 0).any()), bool((y < 0).any())
            changed.append("alpha" if negative else "zeros" if zeros else "")
    is_dropout = bool(rows) and all(kept) and bool(changed)
    assert READERS[kind].drops == (changed[0] if is_dropout else None)


@over([kind for kind in _KINDS if READERS[kind].drops])
def test_counterparts(kind: str) -> None:
    """The counterpart of a dropout is of the other kind, and has the same fields."""
    layer: Any = READERS[kind]
    if layer.counterpart is not None:
        other = LAYERS[layer.counterpart]
        assert {layer.drops, other.drops} == {"zeros", "alpha"}
        assert set(layer.model_fields) == set(other.model_fields)


@over(_KINDS)
def test_statistics(kind: str) -> None:
    """What a layer gives of a sample depends on another one if it normalises over batches."""
    depends = False
    for case in alone(kind):
        (x,) = case.inputs()
        other = torch.cat([x[:1], 3 * x[1:] + 1])
        depends = depends or not torch.allclose(
            case.first(x)[0], case.first(other)[0], equal_nan=True
        )
    if kind not in _ON_GPU:
        assert depends == (READERS[kind].normalises not in {None, "sample"})


@over([kind for kind in _KINDS if READERS[kind].normalises])
def test_centring(kind: str) -> None:
    """A norm takes a constant of each channel away just where it says so."""
    for case in alone(kind):
        (x,) = case.inputs()
        constant = torch.randn(x.shape[1]).double().view(1, -1, *[1] * (x.dim() - 2))
        same = torch.allclose(case.first(x), case.first(x + constant), atol=1e-6)
        if getattr(case.layer, "momentum", None) != 0:
            assert case.layer.centres(*case.row.shapes) == same, case.row.id


@over(_KINDS)
def test_softmaxes(kind: str) -> None:
    """Over its axis a softmax adds up to 1, or the exponentials of what it gives do."""
    for case in alone(kind):
        at = case.layer.softmax_axis(*case.row.shapes)
        if at is not None:
            y = case.first(*case.inputs())
            shares = y.exp() if case.layer.results == LOGARITHMS else y
            torch.testing.assert_close(shares.sum(at + 1), torch.ones_like(shares.sum(at + 1)))


@over(_KINDS)
def test_windows(kind: str) -> None:
    """Convolutions and pools slide a window; transposed convolutions spread each value."""
    for case in cases(kind):
        assert case.layer.slides == case.slides()
        assert (case.layer.spread() is not None) == case.spreads()
        if case.layer.slides:
            assert case.layer.window(*case.row.shapes) is not None


def test_lints_know_no_names() -> None:
    """No lint compares a type with a name, or looks one up in a table: it asks the layer."""
    names = {*LAYERS, *LOSSES, *SCHEDULERS}
    for path in Path(lint.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Set, ast.List, ast.Tuple, ast.Dict, ast.Compare)):
                words = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant)}
                assert not words & names, (path.name, node.lineno, words & names)
