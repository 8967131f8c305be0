"""`freeze`: norms and dropouts compute as in evaluation, and tables of rows stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import netbuild as package
from netbuild import training
from netbuild.builder import module as builder
from netbuild.checks.trace import infer, trace, trainable
from netbuild.config.load import load, read
from netbuild.reports import explanation
from netbuild.syntax.parser import from_bytes
from netbuild.training import Interrupted
from tests.saved import kept_bytes
from tests.training.runs import Stopping, go_on
from tests.training_configs import outcome, write

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.graph.graph import Graph

#: Everything that has statistics or drops values, in a frozen stack behind a layer that learns.
LAYERS: list[Any] = [
    {"Linear": 8},
    {
        "layers": [
            "BatchNorm1d",
            {"Unflatten": {"dim": 1, "unflattened_size": [2, 4]}},
            {"InstanceNorm1d": {"track_running_stats": True}},
            "SwitchableNorm1d",
            {"GRU": {"hidden_size": 4, "num_layers": 2, "dropout": 0.5}},
            "Dropout",
            "Flatten",
        ],
        "freeze": True,
    },
    {"Linear": 3},
]


def graph(text: str) -> Graph:
    """Return the network of a text, with its warnings."""
    return infer(read(from_bytes("net.yaml", text.encode())))


def codes(text: str) -> list[str]:
    """Return the codes of the faults of a text."""
    return [fault.code for fault in graph(text).diagnostics]


def weights(run: training.Run, which: str = "last") -> dict[str, torch.Tensor]:
    """Return the weights of a run."""
    return load_file(run.checkpoint(which) / "model.safetensors")


@pytest.mark.parametrize("options", [{}, {"ema": 0.9}, {"compile": False, "accumulate": 2}])
def test_statistics_stay(tmp_path: Path, options: dict[str, Any]) -> None:
    """No buffer within a frozen stack changes in training, nor in the average of the weights."""
    path = write(tmp_path, layers=LAYERS, train={"epochs": 2, "batch_size": 16, **options})
    torch.manual_seed(0)
    before = package.build(path).state_dict()
    run = package.train(path, runs=tmp_path / "runs")
    for which in ("last", "best"):
        after = weights(run, which)
        for name in after:
            assert torch.equal(after[name], before[name]) == name.startswith("1."), name


def test_training_is_torchs_with_the_stack_in_evaluation(tmp_path: Path) -> None:
    """Two steps by hand in torch, the norm in evaluation mode, give the same weights."""
    trunk = {"layers": [{"Linear": {"out_features": 8, "bias": False}}, "BatchNorm1d", "ReLU"]}
    layers = [trunk | {"freeze": True}, {"Linear": 3}]
    torch.manual_seed(1)
    hand = nn.Sequential(
        nn.Sequential(nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU()), nn.Linear(8, 3)
    )
    for _ in range(20):  # statistics as of another training
        hand(torch.randn(32, 4) * 5 + 2)
    save_file(hand.state_dict(), tmp_path / "weights")
    options = {"epochs": 1, "batch_size": 24, "device": "cpu", "channels_last": False}
    sections = {"pretrained": str(tmp_path / "weights"), "optimizer": {"SGD": {"lr": 0.1}}}
    file = write(tmp_path, layers=layers, train=options, **sections)
    trainer = training.prepare(trainable(load(file)), tmp_path / "runs")
    batches = list(trainer.training.shuffled(24, 0))
    optimizer = torch.optim.SGD(hand[1].parameters(), lr=0.1)
    hand.eval()
    for (x,), (target,) in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(hand(x), target).backward()
        optimizer.step()
    training.fit(trainer, training.Silent())
    found = weights(trainer.run)
    assert all(torch.allclose(t, found[name], atol=1e-6) for name, t in hand.state_dict().items())


@pytest.mark.parametrize("step", [1, 4])
def test_resumed(tmp_path: Path, step: int) -> None:
    """A training with a frozen stack that was stopped ends with the same weights, bit for bit."""
    file = write(tmp_path, layers=LAYERS)
    whole = package.train(file, runs=tmp_path / "whole")
    trainer = training.prepare(trainable(load(file)), tmp_path / "stopped")
    with pytest.raises(Interrupted):
        training.fit(trainer, Stopping(2, {step}))
    assert outcome(go_on(trainer.run.folder)) == outcome(whole)


def test_a_single_sample(tmp_path: Path) -> None:
    """A frozen batch norm takes a batch of one sample, and gets no warning of it."""
    layers = [{"BatchNorm1d": {}, "freeze": True}, {"Linear": 3}]
    options = {"epochs": 1, "batch_size": 47, "device": "cpu"}
    path = write(tmp_path, layers=layers, train=options)
    assert "NB310" not in [fault.code for fault in infer(load(path)).diagnostics]
    package.train(path, runs=tmp_path / "runs")


STEM = "{Conv2d: {out_channels: 4, kernel_size: 3}}"


@pytest.mark.parametrize(
    ("layers", "code"),
    [
        (f"[{STEM}, {{BatchNorm2d: {{}}, FREEZE}}, ReLU, Flatten, Linear: 3]", "NB307"),
        (f"[{STEM}, Dropout, {{BatchNorm2d: {{}}, FREEZE}}, ReLU, Flatten, Linear: 3]", "NB308"),
        (f"[{STEM}, ReLU, Flatten, Linear: 3, {{Dropout: 0.5, FREEZE}}]", "NB308"),
        (f"[{STEM}, SELU, {{Dropout: 0.5, FREEZE}}, Flatten, Linear: 3]", "NB309"),
        # A weight of the frozen layer needs its input; dropping nothing overwrites nothing.
        (f"[{STEM}, Sigmoid, {{Dropout: {{inplace: true}}, FREEZE}}, Flatten, Linear: 3]", "NB211"),
    ],
)
def test_lints_know_the_mode(layers: str, code: str) -> None:
    """What training does with a norm or a dropout gets no warning where both are frozen."""
    text = f"input: [3, 8, 8]\nloss: CrossEntropyLoss\nlayers: {layers}\n"
    assert code in codes(text.replace("FREEZE", "freeze: false"))
    assert code not in codes(text.replace("FREEZE", "freeze: true"))


@pytest.mark.parametrize(
    "layer",
    [
        "BatchNorm2d",
        "BatchNorm2d: {affine: false}",
        "InstanceNorm2d",
        "InstanceNorm2d: {track_running_stats: true}",
        "InstanceNorm2d: {affine: true, track_running_stats: true}",
        "SwitchableNorm2d",
        "SwitchableNorm2d: {affine: false}",
        "Dropout",
        "Dropout: {inplace: true}",
        "Dropout2d",
        "RReLU",
    ],
)
def test_kept_bytes(layer: str) -> None:
    """What training keeps for a frozen layer is what torch keeps."""
    item = layer if ":" in layer else f"{layer}: {{}}"
    layers = f"[{STEM}, {{{item}, freeze: true}}, Sigmoid, Flatten, Linear: 3]"
    found = trace(read(from_bytes("net.yaml", f"input: [3, 8, 8]\nlayers: {layers}\n".encode())))
    module = builder.module(found)
    more, less = (kept_bytes(module, torch.randn(batch, 3, 8, 8))[0] for batch in (3, 2))
    assert more - less == found.activations_bytes


def test_a_reused_module_keeps_its_mode() -> None:
    """What freezes a module freezes it wherever it is reused, its dropout and its norm too."""
    text = """
input: [4]
layers:
  first: {Linear: 4}
  trunk: {freeze: true, layers: [BatchNorm1d, Dropout, {Linear: 4}]}
  again: {Reuse: trunk}
  more: {Reuse: again}
  head: {Linear: 2}
"""
    found = graph(text)
    frozen = {row.path for row in found.rows if row.frozen}
    assert frozen == {row.path for row in found.rows if row.path not in {"first", "head"}}
    module = builder.module(trace(found.config))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    x = torch.randn(5, 4)
    assert torch.equal(builder.train(module, found)(x), module.eval()(x))
    assert all(torch.equal(t, before[name]) for name, t in module.state_dict().items())


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.5])
def test_a_frozen_table_is_not_rewritten(norm_type: float) -> None:
    """Rows are shortened to `max_norm` as torch does it, and the table stays as it is."""
    fields = f"num_embeddings: 9, embedding_dim: 3, max_norm: 0.5, norm_type: {norm_type}"
    fields += ", padding_idx: 1"
    for kind in ("Embedding", "EmbeddingBag"):
        text = f"input: {{shape: [6], dtype: int64}}\nlayers: [{{{kind}: {{{fields}}}, FREEZE}}]\n"
        torch.manual_seed(0)
        theirs = package.build(read(from_bytes("net.yaml", _frozen(text, "false"))))
        module = package.build(read(from_bytes("net.yaml", _frozen(text, "true"))))
        module.load_state_dict(theirs.state_dict())
        before = module.state_dict()["0.weight"].clone()
        x = torch.randint(0, 9, (4, 6))
        with torch.no_grad():
            found, right = module(x), theirs(x)
        assert torch.allclose(found, right, atol=1e-6)
        assert torch.equal(module.state_dict()["0.weight"], before)
        assert not torch.equal(theirs.state_dict()["0.weight"], before)


def _frozen(text: str, value: str) -> bytes:
    return text.replace("FREEZE", f"freeze: {value}").encode()


def test_explain_says_it() -> None:
    """`explain` has one formula for both modes of a frozen norm, and names freeze for a dropout."""
    text = "input: [4]\nlayers: [{Linear: 4}, {freeze: true, layers: [BatchNorm1d, Dropout]}]\n"
    norm, dropout = explanation.explain(graph(text)).parts[-2:]
    assert norm.modes.training == "as in evaluation, because the layer is frozen"
    assert dropout.modes is None
    (p,) = (origin for origin in dropout.origins if origin.name == "p")
    assert (p.value, p.place) == (0.0, "freeze")
