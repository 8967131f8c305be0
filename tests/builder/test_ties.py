"""`tie`: a parameter that is a parameter of another layer."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file

import netbuild as package
from netbuild.builder import first_values
from netbuild.builder import module as builder
from netbuild.checks.optimizers import weights
from netbuild.checks.trace import infer, trace
from netbuild.config.load import load, read
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.runs.checkpoint_folder import WEIGHTS
from netbuild.syntax.parser import from_bytes
from netbuild.training.checkpoint import Saved
from netbuild.training.checkpoint import load as load_checkpoint
from netbuild.training.checkpoint import save as save_checkpoint
from netbuild.training.step.ema import Averaged
from tests.copies import pickled, saved_whole
from tests.saved import kept_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import nn

    from netbuild.graph.graph import Graph
    from tests.conftest import Netbuild

TEXT = """\
input: {shape: [6], dtype: int64}
layers:
  model:
    embed: {Embedding: {num_embeddings: 20, embedding_dim: 8}, init: {normal_: {std: 0.5}}}
    mix: [{Linear: 8}, ReLU]
    sum: {Add, inputs: [mix, embed]}
  head: {Linear: {out_features: 20}, tie: {weight: model.embed.weight}}
"""
TWO = "and the network ties the two"
PAIR = "head.weight", "model.embed.weight"


def graph(text: str = TEXT) -> Graph:
    """Return the network of a text."""
    return trace(read(from_bytes("net.yaml", text.encode())))


def one_tensor(module: nn.Module) -> bool:
    """Whether both names of the tied parameter are the very same one."""
    return module.get_parameter(PAIR[0]) is module.get_parameter(PAIR[1])


def kept(found: Graph, module: nn.Module) -> int:
    """Return the bytes that torch keeps of one more sample."""
    (x,) = found.config.inputs.values()
    assert x is not None
    inputs = [
        torch.zeros(n, *x.shape, dtype=torch.int64 if not x.floating else None) for n in (3, 4)
    ]
    fewer, more = (kept_bytes(module, one)[0] for one in inputs)
    return more - fewer


@pytest.mark.parametrize(
    "change",
    [
        lambda module: module,
        copy.deepcopy,
        pickled,
        saved_whole,
        lambda module: module.to(torch.float64).to(torch.float32),
        lambda module: Averaged(module, 0.9).module,
    ],
)
def test_the_two_are_one_parameter(change: Callable[[nn.Module], nn.Module]) -> None:
    """Copies of the module keep the tie, and its results."""
    module = package.build(graph().config)
    x = torch.randint(20, (3, 6))
    y = module(x)
    changed = change(module)
    assert one_tensor(changed)
    assert torch.equal(changed(x), y)
    assert [*changed.state_dict()] == [*graph().tensors]
    assert {n: tuple(t.shape) for n, t in changed.state_dict().items()} == graph().tensors


def test_it_is_counted_and_initialised_once() -> None:
    """Both layers read what `init` beside the first one has drawn."""
    found = graph()
    module = package.build(found.config)
    assert found.params == sum(p.numel() for p in module.parameters()) == 20 * 8 + 8 * 8 + 8 + 20
    assert found.weights_bytes == 4 * found.params
    assert 0.4 < module.get_parameter(PAIR[0]).std() < 0.6
    assert [w.name for w in weights(found.config, found.rows, found.outputs)] == [
        name for name, _ in module.named_parameters()
    ]


def test_the_kept_bytes_are_those_of_torch() -> None:
    """A tied weight counts as a weight."""
    found = graph()
    assert found.activations_bytes == kept(found, package.build(found.config))


@pytest.mark.parametrize("frozen", ["model", "head", "neither"])
def test_it_is_frozen_with_its_owner(frozen: str) -> None:
    """`freeze` beside the tied layer is for the parameters of its own."""
    text = TEXT.replace("head: {", "head: {freeze: true, ") if frozen == "head" else TEXT
    if frozen == "model":
        text = text.replace("embed: {", "embed: {freeze: true, ")
    found = graph(text)
    module = package.build(found.config)
    learning = {name for name, p in module.named_parameters() if p.requires_grad}
    assert (PAIR[1] in learning) is (frozen != "model")
    assert ("head.bias" in learning) is (frozen != "head")
    assert found.trainable == sum(p.numel() for p in module.parameters() if p.requires_grad)
    assert found.activations_bytes == kept(found, module)


def test_strict_loading_in_torch() -> None:
    """The `load_state_dict` of torch is strict, and takes the module's names."""
    module, other = (package.build(graph().config) for _ in range(2))
    other.load_state_dict(copy.deepcopy(module.state_dict()))
    assert one_tensor(other)
    assert torch.equal(other.get_parameter(PAIR[0]), module.get_parameter(PAIR[1]))


def test_a_checkpoint_has_a_copy_under_each_name(tmp_path: Path) -> None:
    """A file cannot have shared memory; the loaded module keeps its tie."""
    module = package.build(graph().config)
    save_checkpoint(tmp_path / "last", module.state_dict(), {})
    tensors = load_file(Saved(tmp_path / "last").folder / WEIGHTS)
    assert {*tensors} == {*module.state_dict()}
    assert torch.equal(tensors[PAIR[0]], tensors[PAIR[1]])
    other = package.build(graph().config)
    load_checkpoint(tmp_path / "last", other)
    assert one_tensor(other)
    assert torch.equal(other.get_parameter(PAIR[0]), module.get_parameter(PAIR[0]))


@pytest.mark.parametrize("without", PAIR)
def test_a_file_may_lack_one_name(tmp_path: Path, netbuild: Netbuild, without: str) -> None:
    """Published weights often have one of the two names only."""
    module = package.build(graph().config)
    tensors = {n: t.clone() for n, t in module.state_dict().items() if n != without}
    save_file(tensors, tmp_path / "w.safetensors")
    path = tmp_path / "net.yaml"
    path.write_text(f"{TEXT}pretrained: w.safetensors\n", encoding="utf-8")
    made = package.build(path)
    assert one_tensor(made)
    assert torch.equal(made.get_parameter(PAIR[0]), module.get_parameter(PAIR[0]))
    loaded = dict(first_values.values(trace(path)))
    assert torch.equal(loaded[PAIR[1]], module.get_parameter(PAIR[0]))
    assert PAIR[0] not in loaded
    done = netbuild("weights", tmp_path / "w.safetensors", path)
    assert done.returncode == 0
    assert done.stdout == "4 of 4 tensors fit\n"


def test_a_file_with_two_tensors_for_one_parameter(tmp_path: Path) -> None:
    """The later tensor would win without a word."""
    tensors = package.build(graph().config).state_dict()
    tensors[PAIR[0]] = tensors[PAIR[0]] + 1
    save_file(dict(tensors), tmp_path / "w.safetensors")
    path = tmp_path / "net.yaml"
    path.write_text(f"{TEXT}pretrained: w.safetensors\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        package.build(path)
    (fault,) = caught.value.diagnostics
    assert fault.code == "NB503"
    assert fault.label == f"its {PAIR[0]} has other values than its {PAIR[1]}, {TWO}"


def test_first_values_are_those_of_the_module() -> None:
    """A process that holds a part of the network begins with the same values."""
    torch.manual_seed(0)
    module = builder.module(graph())
    after = torch.get_rng_state()
    torch.manual_seed(0)
    found = dict(first_values.values(graph()))
    assert torch.equal(torch.get_rng_state(), after)
    assert [*found] == [name for name, _ in module.named_parameters()]
    for name, value in found.items():
        assert torch.equal(value, module.get_parameter(name))


def test_repeated_and_reused_layers() -> None:
    """Each copy is tied, and a Reuse has the weights of its original."""
    text = """\
input: [8]
layers:
  first: {Linear: 8}
  body:
    repeat: 3
    layers: [{Linear: {out_features: 8, bias: false}, tie: {weight: "first.weight"}}, Tanh]
  next$index: {Linear: {out_features: 8}, tie: {bias: first.bias}, repeat: 2}
  again: {Reuse: body}
"""
    found = graph(text)
    module = package.build(found.config)
    parameters = dict(module.named_parameters())
    assert [*parameters] == ["first.weight", "first.bias", "next0.weight", "next1.weight"]
    assert found.params == sum(p.numel() for p in parameters.values())
    assert module.get_parameter("body.2.0.weight") is parameters["first.weight"]
    assert found.activations_bytes == kept(found, module)


def test_names_inside_a_layer() -> None:
    """An inner parameter of a layer is tied by its name there."""
    text = """\
input: [4, 8]
layers:
  one: {TransformerEncoderLayer: {nhead: 2, dim_feedforward: 8}}
  two:
    TransformerEncoderLayer: {nhead: 2, dim_feedforward: 8}
    tie: {self_attn.in_proj_weight: one.self_attn.in_proj_weight, linear1.bias: one.linear1.bias}
  gru: {GRU: 8}
  end: {GRU: 8, tie: {weight_hh_l0: gru.weight_hh_l0}}
"""
    found = graph(text)
    module = package.build(found.config)
    x = torch.randn(2, 4, 8)
    assert len({id(p) for p in module.parameters()}) == len([*module.parameters()])
    assert found.params == sum(p.numel() for p in module.parameters())
    with torch.no_grad():
        module.get_parameter("gru.weight_hh_l0").mul_(2)
    loose = package.build(
        graph(
            "\n".join(
                line
                for line in text.replace(", tie: {weight_hh_l0: gru.weight_hh_l0}", "").splitlines()
                if "tie:" not in line
            )
        ).config
    )
    loose.load_state_dict(module.state_dict())
    torch.testing.assert_close(module.eval()(x), loose.eval()(x))


@pytest.mark.slow
def test_export() -> None:
    """torch.export keeps one parameter for both names."""
    module = package.build(graph().config).eval()
    x = torch.randint(20, (2, 6))
    program = torch.export.export(module, (x,))
    torch.testing.assert_close(program.module()(x), module(x))
    assert {*program.state_dict} == {*module.state_dict()}


def test_the_reports(netbuild: Netbuild, tmp_path: Path) -> None:
    """`summary` names the ties, in the table and in JSON; `diff` names a tie that is removed."""
    path = tmp_path / "net.yaml"
    path.write_text(TEXT, encoding="utf-8")
    assert netbuild("summary", path).stdout.splitlines()[-1] == f"tied: {PAIR[0]} is {PAIR[1]}"
    layers = json.loads(netbuild("summary", path, "--format", "json").stdout)["layers"]
    assert [one["tied"] for one in layers if "tied" in one] == [{"weight": PAIR[1]}]
    other = tmp_path / "other.yaml"
    other.write_text(TEXT.replace(", tie: {weight: model.embed.weight}", ""), encoding="utf-8")
    for one, two, change in ((path, other, [PAIR[1], None]), (other, path, [None, PAIR[1]])):
        found = json.loads(netbuild("diff", one, two, "--format", "json").stdout)["layers"]
        assert [each["arguments"] for each in found] == [{"tie weight": change}]


@pytest.mark.parametrize(
    ("tie", "message", "help_"),
    [
        ("{wieght: a.weight}", "Linear has no parameter wieght to tie", "did you mean weight?"),
        ("{weight: a.wait}", "the network has no parameter of this name", "did you mean a.weight?"),
        ("{weight: a}", "a is a layer, and not a parameter", "did you mean a.weight?"),
        (
            "{weight: e.weight}",
            "e has no weights of its own: it reuses a",
            "did you mean a.weight?",
        ),
        (
            "{weight: r.weight}",
            "a layer in this name stands in a list or is repeated, and has a number",
            "did you mean r.0.weight?",
        ),
        ("{weight: b.weight}", "b.weight is 6×4, and a.weight is 4×4", None),
        (
            "{weight: c.weight}",
            "b.weight is 6×4, and c.weight is 4×6",
            "both layers read the very same tensor: a transposed one is another tensor",
        ),
        ("{bias: n.running_mean}", "n.running_mean is a buffer: no optimizer changes it", None),
        ("{bias: t.bias}", "t.bias is itself tied", "did you mean s.bias?"),
        (
            "{bias: u.bias}",
            "a circle: b.bias > u.bias > b.bias",
            "one of them has to keep a tensor of its own",
        ),
        ("3", "tie wants a mapping from parameters to names, not 3", None),
        ("{weight: [a]}", "tie wants the name of a parameter, not a list", None),
    ],
)
def test_faults(tie: str, message: str, help_: str | None) -> None:
    """A tie names a parameter with a tensor of its own, of the same shape."""
    text = f"""\
input: [4]
layers:
  a: {{Linear: 4}}
  r: {{Linear: 4, repeat: 2}}
  e: {{Reuse: a}}
  b: {{Linear: {{out_features: 6}}, tie: {tie}}}
  n: BatchNorm1d
  s: {{Linear: 6}}
  t: {{Linear: {{out_features: 6}}, tie: {{bias: s.bias}}}}
  u: {{Linear: {{out_features: 6}}{", tie: {bias: b.bias}" if "u.bias" in tie else ""}}}
  c: {{Linear: 4}}
"""
    if "b.weight" in tie:
        text = text.replace("b.weight", "a.weight")
    found = infer(read(from_bytes("net.yaml", text.encode()))).diagnostics
    errors = [fault for fault in found if fault.code in {"NB219", "NB106"}]
    assert errors[0].label == message
    if help_ is not None:
        assert errors[0].help == help_


def test_what_an_embedding_changes_by_itself() -> None:
    """Sparse gradients and `max_norm` do not go with another kind of layer."""
    for field in ("sparse: true", "max_norm: 1.0"):
        text = TEXT.replace("embedding_dim: 8", f"embedding_dim: 8, {field}")
        (fault,) = infer(read(from_bytes("net.yaml", text.encode()))).diagnostics
        assert fault.code == "NB219"


def test_a_run_trains_resumes_and_predicts(tmp_path: Path) -> None:
    """Best and last checkpoints keep the tie, with an average of the weights too."""
    data = {"x": torch.randint(20, (40, 6)).numpy(), "y": torch.randint(20, (40, 6)).numpy()}
    import numpy as np

    np.savez(tmp_path / "data.npz", **data)
    path = tmp_path / "net.yaml"
    more = "loss: CrossEntropyLoss\noptimizer: Adam\ndata: {Arrays: data.npz}\n"
    text = TEXT + "  last: {Permute: [0, 2, 1]}\n"
    path.write_text(f"{text}{more}train: {{epochs: 1, ema: 0.9}}\n", encoding="utf-8")
    from netbuild import training

    run = training.train(path, runs=tmp_path / "runs")
    trained = package.build(run.config())
    load_checkpoint(run.checkpoint("best"), trained)
    assert one_tensor(trained)
    assert training.evaluate(run.folder)["val_loss"] > 0
    assert load(path).name == "net"
