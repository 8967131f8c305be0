"""Fast kernels and memory formats of torch, with the same result."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from netbuild import training
from netbuild.builder import module as builder
from netbuild.checks.trace import trainable
from netbuild.components.optimizers import OPTIMIZERS
from netbuild.config.load import load
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.training.loop import Trainer
from netbuild.training.parallel.distributed import World
from netbuild.training.step.memory_format import channels_last
from tests.torch_release import there
from tests.training_configs import write

#: What some optimizers want of weights or of fields to take a step at all.
FIELDS: dict[str, dict[str, Any]] = {"LBFGS": {"max_iter": 3}}
#: Those that torch's compiler is kept from in a way of their own, or not at all.
MATRICES = {"Muon"}
SPARSE = {"SparseAdam"}
IMAGES: dict[str, Any] = {
    "input": [3, 16, 16],
    "layers": [{"Conv2d": {"out_channels": 8, "kernel_size": 3}}, "Flatten", {"Linear": 3}],
}


def prepared(folder: Path, *settings_: str, **sections: Any) -> Trainer:
    """Return the training of a small network."""
    return training.prepare(trainable(load(write(folder, **sections), settings_)), folder / "runs")


def test_a_training_imports_no_compiler(tmp_path: Path) -> None:
    """A training does not import torch's compiler, which would take a second."""
    code = (
        "import sys; from netbuild.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as ended: assert not ended.code\n"
        "print([m for m in ('torch._dynamo', 'torch._inductor', 'sympy') if m in sys.modules])"
    )
    arguments = ["train", str(write(tmp_path)), "--runs", str(tmp_path / "runs")]
    made = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert made.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", there(OPTIMIZERS))
def test_steps_are_those_of_torch(tmp_path: Path, name: str) -> None:
    """The optimizer without decorators takes the same steps as torch's class, bit for bit."""
    layers: list[Any] = [{"Linear": 8}, "Tanh", {"Linear": 3}]
    sections: dict[str, Any] = {}
    if name in MATRICES:
        layers = [{"Linear": {"out_features": 3, "bias": False}}]
    if name in SPARSE:
        layers = [{"Embedding": {"num_embeddings": 3, "embedding_dim": 4, "sparse": True}}]
        sections = {"input": {"shape": [], "dtype": "int64"}, "data": {"Random": {"below": 3}}}
    fields = {**FIELDS.get(name, {}), "lr": 0.01}
    if "fused" in OPTIMIZERS[name].model_fields:
        fields["fused"] = False
    trainer = prepared(tmp_path, layers=layers, optimizer={name: fields}, **sections)
    ours, module = trainer.learner.optimizers[0], trainer.learner.module
    assert type(ours).__name__ == name
    assert isinstance(ours, getattr(torch.optim, name))
    again = nn.Sequential(*module.children())
    theirs_module = builder.module(trainer.graph)
    theirs_module.load_state_dict(module.state_dict())
    theirs = getattr(torch.optim, name)(theirs_module.parameters(), **fields)
    compute = nn.CrossEntropyLoss()
    (x,), (target,) = trainer.training.first(16).inputs, trainer.training.first(16).targets
    for optimizer, network in ((ours, again), (theirs, theirs_module)):

        def closure(optimizer: Any = optimizer, network: Any = network) -> Any:
            optimizer.zero_grad()
            loss = compute(network(x), target)
            loss.backward()
            return loss

        for _ in range(2):
            if name == "LBFGS":
                optimizer.step(closure)
            else:
                closure()
                optimizer.step()
    for parameter, wanted in zip(module.parameters(), theirs_module.parameters(), strict=True):
        assert torch.equal(parameter, wanted)
    assert ours.state_dict()["state"].keys() == theirs.state_dict()["state"].keys()


#: An optimizer, and whether it takes fused steps.
FUSED = [
    ("SGD", True),
    ("Adam", True),
    ("AdamW", True),
    ({"Adam": {"fused": False}}, False),
    ({"Adam": {"foreach": True}}, None),
    ({"SGD": {"foreach": False}}, None),
    ("Adagrad", None),
]


@pytest.mark.parametrize(("optimizer", "fused"), FUSED)
def test_steps_are_fused(tmp_path: Path, optimizer: Any, fused: Any) -> None:
    """A fused optimizer is the default if torch has one."""
    made = prepared(tmp_path, optimizer=optimizer).learner.optimizers[0]
    assert made.param_groups[0]["fused"] is fused


def test_sparse_gradients_are_not_fused(tmp_path: Path) -> None:
    """A layer with sparse gradients gets an SGD that is not fused."""
    trainer = prepared(
        tmp_path,
        input={"shape": [], "dtype": "int64"},
        layers=[{"Embedding": {"num_embeddings": 3, "embedding_dim": 3, "sparse": True}}],
        data={"Random": {"below": 3}},
        optimizer="SGD",
    )
    assert trainer.learner.optimizers[0].param_groups[0]["fused"] is None
    trainer.epoch(training.Silent())


#: Settings of a network of images, and whether their channels lie last.
LAYOUTS: dict[str, tuple[list[str], bool]] = {
    "few weights": ([], True),
    "said otherwise": (["train.channels_last=false"], False),
    "many weights for small images": (
        ["input=[512, 3, 3]", "layers.0.Conv2d.out_channels=512"],
        False,
    ),
    "but said": (
        [
            "input=[512, 3, 3]",
            "layers.0.Conv2d.out_channels=512",
            "train.channels_last=true",
        ],
        True,
    ),
    "in large batches": (
        ["input=[512, 3, 3]", "layers.0.Conv2d.out_channels=512", "train.batch_size=4096"],
        True,
    ),
    "LBFGS": (["optimizer=LBFGS"], False),
    "no images": (["input=[4]", "layers=[{Linear: 3}]"], False),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_layout_is_the_faster_one(tmp_path: Path, name: str) -> None:
    """On a CPU, the number of values per weight decides about channels last."""
    settings, last = LAYOUTS[name]
    graph = trainable(load(write(tmp_path, **IMAGES), settings))
    assert channels_last(graph, World(torch.device("cpu"))) is last


def test_a_gpu_gains_with_half_precision(tmp_path: Path) -> None:
    """A GPU uses channels last only with half precision."""
    for precision, last in (("fp32", False), ("bf16", True)):
        settings = [f"train.precision={precision}"]
        graph = trainable(load(write(tmp_path, **IMAGES), settings))
        assert channels_last(graph, World(torch.device("cuda"))) is last


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["optimizer=LBFGS", "train.channels_last=true"], "LBFGS does not work with channels_last"),
        (["train.strategy=fsdp", "train.channels_last=true"], "strategy"),
        (["train.strategy=fsdp", "optimizer=LBFGS"], "LBFGS does not work with fsdp"),
    ],
)
def test_what_cannot_lie_so_is_told(tmp_path: Path, settings: list[str], said: str) -> None:
    """`channels_last: true` where torch cannot use it is a fault of the file."""
    with pytest.raises(ConfigError) as info:
        trainable(load(write(tmp_path, **IMAGES), settings))
    assert said in str(info.value)
