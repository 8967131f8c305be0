"""The claims of lints, compared with torch."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from netbuild.builder import module as builder
from netbuild.checks.lint import receptive_field as windows
from netbuild.components.losses import LOSSES
from netbuild.components.schedulers import SCHEDULERS, Use
from netbuild.components.schedulers.scheduler import Scheduler
from netbuild.diagnostics import rules
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.dump import dump
from netbuild.training.step.scheduler import torch_scheduler
from tests.checks.lint.cases import (
    BAD,
    BCE,
    CE,
    GOOD,
    VECTOR,
    deep,
    found,
    layers,
    single,
    traced,
    up,
)
from tests.checks.lint.gradient_cases import REACHED, UNREACHED
from tests.components.schedulers.cases import FIELDS
from tests.examples import examples


def run(text: str, batch: int = 4) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """Return a network in training, an input that requires a gradient, and the output."""
    torch.manual_seed(0)
    graph = traced(text)
    module = builder.module(graph).train()
    (shape,) = (tensor.shape for tensor in graph.config.inputs.values() if tensor)
    x = torch.randn(batch, *shape, requires_grad=True)
    return module, x, module(x)


def test_softmax_twice_has_a_floor() -> None:
    """NB304: after a softmax, the loss of ten classes is 1.46 or more, for any scores."""
    scores = 1000.0 * torch.eye(10)
    loss = nn.CrossEntropyLoss()
    assert loss(scores, torch.arange(10)) == 0
    assert loss(scores.softmax(1), torch.arange(10)).item() == pytest.approx(1.4612, abs=1e-3)


def test_log_softmax_twice_is_once() -> None:
    """NB304: a LogSoftmax changes neither the loss nor its gradient."""
    torch.manual_seed(0)
    scores, target = torch.randn(20, 10, dtype=torch.double), torch.arange(20) % 10

    def learned(function: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        x = scores.clone().requires_grad_()
        loss = nn.CrossEntropyLoss()(function(x), target)
        return loss, torch.autograd.grad(loss, x)[0]

    torch.testing.assert_close(learned(nn.LogSoftmax(1)), learned(nn.Identity()))
    assert learned(nn.Softmax(1))[1].norm() < learned(nn.Identity())[1].norm() / 2


@pytest.mark.parametrize("text", [t for t in BAD["NB305"] if BCE in t])
def test_bce_refuses_scores(text: str) -> None:
    """NB305: torch refuses values outside 0 to 1."""
    _, _, y = run(text, batch=200)  # of which some are outside, and some not dropped
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        nn.BCELoss()(y, torch.zeros_like(y))


@pytest.mark.parametrize("text", [t for t in GOOD["NB305"] if BCE in t and "Identity]" not in t])
def test_bce_takes_probabilities(text: str) -> None:
    """NB305: values without a warning are from 0 to 1."""
    module, x, _ = run(text)
    y = module(100 * x)
    nn.BCELoss()(y, torch.zeros_like(y))


def test_softmax_elsewhere_has_a_floor() -> None:
    """NB322: scores that are certain and right have a loss of log 6 over a column of 6 places."""
    target = torch.zeros(1, 6, 5, dtype=torch.long)
    scores = 1000 * nn.functional.one_hot(target, 3).movedim(-1, 1).float()
    loss = nn.NLLLoss()
    assert loss(scores.log_softmax(1), target) == 0
    assert loss(scores.log_softmax(2), target).item() == pytest.approx(math.log(6))


@pytest.mark.parametrize(
    ("activation", "floor"), [("Sigmoid", 0.5514), ("Tanh", 0.2395), ("Hardsigmoid", 0.5514)]
)
def test_narrow_scores_have_a_floor(activation: str, floor: float) -> None:
    """NB323: the loss of three classes stays above the number of the warning."""
    y = getattr(nn, activation)()(1000 * (2 * torch.eye(3) - 1))
    assert nn.CrossEntropyLoss()(y, torch.arange(3)).item() == pytest.approx(floor, abs=1e-4)
    (said,) = found(VECTOR + layers("Linear: 3", activation) + CE)
    assert said.label.endswith(f"the loss stays above {floor:.2g}")


def test_positive_scores_have_no_small_probability() -> None:
    """NB323: after a ReLU no probability is below 0.5, and a score below 0 has no gradient."""
    x = torch.linspace(-5, 5, 20, requires_grad=True)
    y = x.relu()
    assert y.sigmoid().min() == 0.5
    nn.BCEWithLogitsLoss()(y, torch.zeros(20)).backward()
    assert (x.grad[:10] == 0).all()


def test_negative_variances_and_rates() -> None:
    """NB324: torch refuses a negative variance, and the loss of a negative rate is NaN."""
    y, below = torch.ones(2), torch.tensor([1.0, -1.0])
    with pytest.raises(ValueError, match="negative"):
        nn.GaussianNLLLoss()(y, y, below)
    assert nn.PoissonNLLLoss(log_input=False)(below, y).isnan()
    losses = [kind.model_construct() for kind in LOSSES.values()]
    assert [type(loss).__name__ for loss in losses if loss.nonnegative()] == ["GaussianNLLLoss"]


@pytest.mark.parametrize("text", [t for t in BAD["NB317"] + GOOD["NB317"] if "Plateau" in t])
def test_a_plateau_of_a_falling_loss(text: str) -> None:
    """NB317: the rate falls although the loss gets better at each epoch, if netbuild says so."""
    graph = traced(text)
    assert graph.config.scheduler is not None
    scheduler: Any = graph.config.scheduler.scheduler
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1)
    scheduler = scheduler.decided(Use(rises="maximize" in text))
    torchs = torch_scheduler(scheduler.model_copy(update={"patience": 0}), optimizer, 5)
    better = range(2, 11, 2) if "maximize" in text else range(10, 0, -2)
    for loss in better:
        torchs.step(float(loss))
    misread = any(d.title.endswith("misreads the loss") for d in graph.diagnostics)
    fell = optimizer.param_groups[0]["lr"] < 1
    assert misread == fell or (scheduler.threshold < 0 and misread)


def bias_gradient(text: str) -> float:
    """Return the largest gradient of the first bias, of a sum with random weights."""
    module, x, _ = run(text)
    y = module.double()(x.double())
    (y * torch.randn_like(y)).sum().backward()
    first = next(p for name, p in module.named_parameters() if name.endswith("bias"))
    return float(first.grad.abs().max())


@pytest.mark.parametrize("text", [t for t in BAD["NB307"] if "Sync" not in t])
def test_lost_biases_have_no_gradient(text: str) -> None:
    """NB307: the gradient of a bias that a norm removes is 0, up to rounding."""
    assert bias_gradient(text) < 1e-9


def test_norms_with_a_bias() -> None:
    """NB307: the page is right about the default bias of batch norms and instance norms."""
    assert nn.BatchNorm2d(3).bias is not None
    assert nn.InstanceNorm2d(3).bias is None
    assert nn.InstanceNorm2d(3, affine=True).bias is not None
    assert "An `InstanceNorm` has a\nbias only with `affine: true`" in rules.page("NB307").text


@pytest.mark.parametrize("text", GOOD["NB307"][1:7])
def test_other_biases_have_one(text: str) -> None:
    """NB307: a bias before an activation, or before a norm of several channels, has a gradient."""
    assert bias_gradient(text) > 1e-2


def test_dropout_before_a_norm_shifts_the_variance() -> None:
    """NB308: the running variance is 1 / (1 − p) times the variance in evaluation."""
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(1, momentum=None)
    x = torch.randn(100_000, 1)
    norm(nn.functional.dropout(x, 0.5))
    assert float(norm.running_var) == pytest.approx(2, abs=0.1)


def test_alpha_dropout_goes_with_selu() -> None:
    """NB309: AlphaDropout keeps mean and variance after SELU; after ReLU it sets values below 0."""
    torch.manual_seed(0)
    x = torch.randn(200_000)
    alpha = nn.AlphaDropout(0.3)
    kept = alpha(nn.functional.selu(x))
    assert (float(kept.mean()), float(kept.var())) == pytest.approx((0, 1), abs=0.03)
    assert float(nn.functional.dropout(nn.functional.selu(x), 0.3).var()) > 1.3
    assert float(alpha(x.relu()).min()) < -1


def test_one_value_per_channel() -> None:
    """NB310: torch refuses to normalise a single sample of one value per channel."""
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        run(single(16, 81, "BatchNorm1d"), batch=1)


@examples(60)
@given(
    n=st.integers(1, 40),
    k=st.integers(1, 6),
    s=st.integers(1, 9),
    p=st.integers(0, 3),
    d=st.integers(1, 3),
)
@example(n=1, k=1, s=5, p=2, d=1)  # the only window lies in the padding
def test_unseen_values_have_no_gradient(n: int, k: int, s: int, p: int, d: int) -> None:
    """NB311, NB312: the number of values without a gradient is the number in the warning."""
    text = (
        f"input: [1, {n}]\nlayers: [Conv1d: {{out_channels: 1, kernel_size: {k}, stride: {s}, "
        f"padding: {p}, dilation: {d}}}]\n"
    )
    graph = traced(text)
    if not graph.outputs:
        return
    (axis,) = windows._axes(graph.rows[0].inferred)
    reach = nn.Conv1d(1, 1, d * (k - 1) + 1, s, p, bias=False)  # as wide, without gaps in it
    nn.init.ones_(reach.weight)
    x = torch.ones(1, 1, n, requires_grad=True)
    reach(x).sum().backward()
    assert x.grad is not None
    unseen = (x.grad == 0)[0, 0].tolist()
    last = n - axis.unseen
    assert unseen[last:] == [True] * axis.unseen
    if axis.unseen < n:
        # Those between two windows that lie in the padding are not of the input.
        assert sum(unseen[:last]) <= axis.skipped
        assert (sum(unseen[:last]) == axis.skipped) or p > 0


@pytest.mark.parametrize("text", BAD["NB311"] + BAD["NB312"])
def test_borders_have_no_gradient(text: str) -> None:
    """NB311, NB312: some rows have gradient 0 in every channel and column."""
    _, x, y = run(text, batch=8)
    y.sum().backward()
    assert x.grad is not None
    rows = x.grad.abs().sum(dim=(0, 1, 3))
    assert (rows == 0).any()


@examples(60)
@given(k=st.integers(1, 7), s=st.integers(1, 4), d=st.integers(1, 3))
def test_checkerboards(k: int, s: int, d: int) -> None:
    """NB314: there is a warning if and only if the sums of equal products differ."""
    fields = f"kernel_size: {k}, stride: {s}, dilation: {d}"
    text = up(fields, x="input: [3, 60]\n").replace("2d", "1d")
    warned = bool([said for said in found(text) if said.code == "NB314"])
    layer = nn.ConvTranspose1d(1, 1, k, s, dilation=d, bias=False)
    nn.init.ones_(layer.weight)
    y = layer(torch.ones(1, 1, 60))[0, 0]
    inside = y[d * k : -d * k]
    assert warned == bool((inside != inside[0]).any())


def test_sigmoids_take_the_gradient() -> None:
    """NB315: five sigmoids divide the gradient by more than 1,000; five ReLUs do not."""
    torch.manual_seed(0)

    def left(activation: str) -> float:
        module, _, y = run(deep(activation, 5), batch=64)
        (y * torch.randn_like(y)).sum().backward()
        first, *_, last = [p.grad.norm() for p in module.parameters() if p.dim() == 2]
        return float(first / last)

    assert left("Sigmoid") < 1e-3
    assert left("ReLU") > 1e-2


def rates(scheduler: Any, steps: int, lr: float = 0.1) -> list[float]:
    """Return the learning rate of each step of a training."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    torchs = torch_scheduler(scheduler.decided(Use()), optimizer, steps)
    said = []
    for _ in range(steps):
        said.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        torchs.step(*([1.0] if type(scheduler).__name__ == "ReduceLROnPlateau" else []))
    return said


def declares_constant(name: str) -> bool:
    """Whether a scheduler says when its rate is constant."""
    return SCHEDULERS[name].constant is not Scheduler.constant


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(n for n in FIELDS if declares_constant(n)))
@examples(40)
@given(data=st.data(), epochs=st.integers(2, 9))
def test_idle_schedulers(name: str, data: st.DataObject, epochs: int) -> None:
    """NB317: a rate that netbuild calls constant is constant in torch."""
    fields = data.draw(FIELDS[name])
    text = (
        VECTOR
        + layers("Linear: 10")
        + dump(
            {
                "optimizer": {"SGD": {"lr": 0.1}},
                "scheduler": {name: fields, "step": "epoch"},
                "train": {"epochs": epochs},
            }
        )
    )
    graph = traced(text)
    if graph.config.scheduler is None or errors(graph.diagnostics):
        return
    said = {d.title for d in graph.diagnostics}
    seen = rates(graph.config.scheduler.scheduler, epochs)
    if f"{name} has no effect" in said:
        assert seen == pytest.approx([seen[0]] * epochs, rel=1e-6, abs=1e-12)
    if f"{name} ends too early" in said and name != "CosineAnnealingLR":
        assert seen[-1] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("text", BAD["NB317"][:9] + [GOOD["NB317"][n] for n in (0, 2, 3, 5, 8)])
def test_schedulers_in_torch(text: str) -> None:
    """NB317: a scheduler without effect has the same rate in all steps, and no other has."""
    graph = traced(text)
    assert graph.config.scheduler is not None
    seen = rates(graph.config.scheduler.scheduler, graph.config.train.epochs)
    idle = any(d.title.endswith("has no effect") for d in graph.diagnostics)
    assert idle == (max(seen) - min(seen) < 1e-12)


@pytest.mark.parametrize("text", [*UNREACHED, *REACHED])
def test_layers_without_a_gradient(text: str) -> None:
    """Of the layers that learn, those of the warning get no gradient in torch, and no others."""
    graph = traced(text)
    module = builder.module(graph)
    y = module(torch.rand(2, *next(iter(graph.config.inputs.values())).shape))
    y = y[0] if isinstance(y, tuple) else y
    if y.requires_grad:
        y.sum().backward()
    learning = {name: p for name, p in module.named_parameters() if p.requires_grad}
    without = {name.split(".")[0] for name, p in learning.items() if p.grad is None}
    if graph.config.losses:
        assert without == {*UNREACHED.get(text, ())}
