"""Half precision, compilation, channels last, and deterministic results."""

import copy
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from netbuild import training
from netbuild.training.progress import Silent
from netbuild.training.step.memory_format import lay_out
from tests.training.by_hand import (
    PLAIN,
    apart,
    batches,
    gradients_of,
    prepared,
    resumed,
    same,
    stopped,
    trained,
)
from tests.training_configs import (
    EPOCHS,
    STATE,
    STEPS,
    WEIGHTS,
    outcome,
)


@contextmanager
def seen(module: nn.Module, look: Callable[[Any, Any], Any]) -> Iterator[list[Any]]:
    """Return a list that `look` fills at each call of a layer, from its input and output."""
    found: list[Any] = []
    hook = module.register_forward_hook(lambda _, x, y: found.append(look(x[0], y)))
    yield found
    hook.remove()


_CASTS = {"bf16": torch.bfloat16, "fp16": torch.float16}


@pytest.mark.parametrize("precision", ["fp32", *_CASTS])
def test_precision(tmp_path: Path, precision: str) -> None:
    """Layers compute in half precision and weights keep full precision, as with autocast."""
    trainer = prepared(tmp_path, f"train.precision={precision}")
    dtype = _CASTS.get(precision)
    module = copy.deepcopy(trainer.learner.module)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    scaler = torch.amp.GradScaler("cpu", enabled=precision == "fp16")
    for (x,), (target,) in batches(trainer):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=dtype) if dtype else nullcontext():
            loss = nn.functional.cross_entropy(module(x), target)
        torch.autograd.backward(scaler.scale(loss))
        scaler.step(optimizer)
        scaler.update()
    first = trainer.learner.module.get_submodule("0")
    with seen(first, lambda _, y: y.dtype) as dtypes:
        training.fit(trainer, Silent())
    assert set(dtypes) == {dtype or torch.float32}
    assert len(dtypes) == (STEPS + 1) * EPOCHS, "validated with the same"
    assert {p.dtype for p in trainer.learner.module.parameters()} == {torch.float32}
    assert same(trainer.learner.module, module)


@pytest.mark.parametrize("loss", ["BCELoss", "NLLLoss", "MSELoss", "KLDivLoss", "PoissonNLLLoss"])
@pytest.mark.parametrize("precision", _CASTS)
def test_losses_with_half_the_bits(tmp_path: Path, precision: str, loss: str) -> None:
    """Every loss trains in half precision, with nearly the same result as in full precision."""
    last = {"BCELoss": ["Sigmoid"], "NLLLoss": ["LogSoftmax"], "KLDivLoss": ["LogSoftmax"]}
    sections = {"layers": [*PLAIN, *last.get(loss, [])], "loss": loss, "optimizer": {"SGD": 0.05}}
    half = trained(tmp_path, f"train.precision={precision}", **sections)
    whole = trained(tmp_path, **sections)
    assert 0 < apart(half, whole) < 0.01
    assert half.run.metrics[-1]["val_loss"] == pytest.approx(
        whole.run.metrics[-1]["val_loss"], abs=0.01
    )


def test_the_scale_of_fp16_is_resumed(tmp_path: Path) -> None:
    """Gradients that are too large for fp16 halve the scale, and the training continues."""
    sections = {"loss": {"MSELoss": {"reduction": "sum"}}, "optimizer": {"SGD": {"lr": 1e-3}}}
    options = ("train.precision=fp16", "train.epochs=3")
    whole = trained(tmp_path, *options, **sections)
    first = stopped(prepared(tmp_path, *options, **sections), 2)
    state = torch.load(first.checkpoint("last") / STATE, weights_only=True)
    assert state["scaler"]["scale"] < 2**16
    assert training.resume(first.folder).learner.scaler.get_scale() == state["scaler"]["scale"]
    again = resumed(first)
    assert outcome(again.run) == outcome(whole.run)
    assert again.learner.scaler.state_dict() == whole.learner.scaler.state_dict()


def test_a_step_of_fp16_is_clipped_by_its_own_gradients(tmp_path: Path) -> None:
    """Gradients of fp16 are unscaled before they are clipped."""
    trainer = trained(tmp_path, "train.precision=fp16", "train.clip_grad_norm=0.1")
    gradients = [gradient.flatten() for gradient in gradients_of(trainer.learner.module)]
    assert torch.cat(gradients).norm().item() == pytest.approx(0.1, abs=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
@pytest.mark.filterwarnings("ignore")  # torch's own, of versions to come
def test_compile(tmp_path: Path) -> None:
    """A compiled network has the same losses, and its checkpoint has the same names."""
    sections = {"train": {"epochs": 1, "batch_size": 24, "device": "cpu"}}
    compiled = trained(tmp_path, "train.compile=true", **sections)
    plain = trained(tmp_path, **sections)
    assert type(compiled.learner.forward).__name__ == "OptimizedModule"
    (ours,), (theirs,) = compiled.run.metrics, plain.run.metrics
    for key in ("train_loss", "val_loss"):
        assert ours[key] == pytest.approx(theirs[key], abs=1e-5)
    assert apart(compiled, plain) < 1e-5
    names = (load_file(t.run.checkpoint("best") / WEIGHTS).keys() for t in (compiled, plain))
    assert next(names) == next(names)


@pytest.mark.parametrize("wanted", [True, False])
def test_channels_last(tmp_path: Path, *, wanted: bool) -> None:
    """Images and weights with channels last in memory give the same losses."""
    convolution = {"Conv2d": {"out_channels": 4, "kernel_size": 3}}
    sections = {
        "input": [3, 8, 8],
        "layers": [convolution, "ReLU", convolution, "Flatten", {"Linear": 3}],
        "optimizer": {"SGD": 0.05},
    }
    trainer = prepared(tmp_path, f"train.channels_last={str(wanted).lower()}", **sections)

    def last(x: torch.Tensor, y: torch.Tensor) -> list[bool]:
        return [t.is_contiguous(memory_format=torch.channels_last) for t in (x, y)]

    for name in ("0", "2"):
        layer = trainer.learner.module.get_submodule(name)
        weight = layer.get_parameter("weight")
        assert weight.is_contiguous(memory_format=torch.channels_last) == wanted
    with seen(layer, last) as found:
        training.fit(trainer, Silent())
    assert found == [[wanted, wanted]] * (STEPS + 1) * EPOCHS
    weights = load_file(trainer.run.checkpoint("last") / WEIGHTS)
    assert weights["0.weight"].is_contiguous()
    other = trained(tmp_path, **sections)
    assert apart(trainer, other) < 1e-5


#: Networks with a weight of five axes behind an image, and the names of the weights of four axes.
OF_FIVE_AXES: dict[str, tuple[Any, list[str]]] = {
    "Conv3d": (
        [
            {"Conv2d": {"out_channels": 4, "kernel_size": 3}},
            {"Unsqueeze": 1},
            {"Conv3d": {"out_channels": 2, "kernel_size": 3}},
            "Flatten",
            {"Linear": 3},
        ],
        ["0.weight"],
    ),
    "Parameter": (
        {
            "conv": {"Conv2d": {"out_channels": 4, "kernel_size": 3}},
            "more": {"Reshape": {"shape": [4, 1, 6, 6]}},
            "bias": {"Parameter": {"shape": [4, 1, 6, 6]}, "init": {"normal_": {"std": 0.02}}},
            "add": {"Add": None, "inputs": ["more", "bias"]},
            "flat": "Flatten",
            "head": {"Linear": 3},
        },
        ["conv.weight"],
    ),
}


def test_channels_last_has_torchs_strides() -> None:
    """Also weights of one channel, and of one place, lie as torch's `Module.to` lays them."""

    def network() -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.Conv2d(6, 4, 1), nn.Conv2d(4, 4, 3, groups=4), nn.BatchNorm2d(4)
        )

    own, torchs = network(), network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    lay_out(own)
    strides = {name: tensor.stride() for name, tensor in torchs.state_dict().items()}
    assert {name: tensor.stride() for name, tensor in own.state_dict().items()} == strides


@pytest.mark.parametrize("name", OF_FIVE_AXES)
def test_channels_last_beside_five_axes(tmp_path: Path, name: str) -> None:
    """Tensors of four axes have their channels last; all others stay, and the losses are equal."""
    layers, images = OF_FIVE_AXES[name]
    sections = {"input": [3, 8, 8], "layers": layers, "optimizer": {"SGD": 0.05}}
    trainer = trained(tmp_path, "train.channels_last=true", **sections)
    for path, weight in trainer.learner.module.named_parameters():
        last = weight.ndim == 4 and weight.is_contiguous(memory_format=torch.channels_last)
        assert last == (path in images)
        assert weight.is_contiguous() != last
    assert apart(trainer, trained(tmp_path, "train.channels_last=false", **sections)) < 1e-5


@pytest.mark.parametrize("wanted", [True, False])
def test_deterministic(tmp_path: Path, *, wanted: bool) -> None:
    """In a deterministic training, torch refuses operations that are not reproducible."""
    trainer = prepared(tmp_path, f"train.deterministic={str(wanted).lower()}")
    first = trainer.learner.module.get_submodule("0")
    with seen(first, lambda *_: torch.are_deterministic_algorithms_enabled()) as found:
        training.fit(trainer, Silent())
    torch.use_deterministic_algorithms(mode=False)
    assert set(found) == {wanted}


def test_every_generator_is_resumed(tmp_path: Path) -> None:
    """After a resumption, Python, numpy and torch draw the same numbers as without it."""

    def drawn() -> list[Any]:
        numbers = np.random.standard_normal(3)  # noqa: NPY002  what others' code draws from
        return [random.gauss(0, 1), numbers.tolist(), torch.rand(3).tolist()]

    first = stopped(prepared(tmp_path), STEPS + 1)
    random.gauss(0, 1)  # the second of a pair, which is remembered
    expected = drawn()
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002  the same
    torch.manual_seed(5)
    training.resume(first.folder)
    random.gauss(0, 1)
    assert drawn() == expected


def test_a_seed_is_of_every_generator(tmp_path: Path) -> None:
    """With the same seed, Python, numpy and torch draw the same numbers in each training."""

    def drawn(seed: int) -> list[float]:
        prepared(tmp_path, f"train.seed={seed}")
        return [random.gauss(0, 1), np.random.random(), torch.rand(1).item()]  # noqa: NPY002

    first = drawn(3)
    assert drawn(3) == first
    assert all(a != b for a, b in zip(drawn(4), first, strict=True))
