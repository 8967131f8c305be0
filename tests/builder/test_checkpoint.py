"""`checkpoint: true`: a stack whose activations the backward pass computes again."""

from __future__ import annotations

import copy
import gc
import json
import weakref
from typing import TYPE_CHECKING

import pytest
import torch

from netbuild import training
from netbuild.builder import module as builder
from netbuild.checks.trace import infer, trace
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes
from tests.copies import pickled, saved_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import nn

    from netbuild.graph.graph import Graph
    from tests.conftest import Netbuild

#: Batch norm, dropout and a spectral norm, in a repeated block, in a Reuse and in a stack.
TEXT = """\
input: [3, 8, 8]
blocks:
  Body:
    layers:
      conv:
        Conv2d: {out_channels: 6, kernel_size: 3, padding: 1}
        parametrize: {weight: spectral_norm}
      norm: BatchNorm2d
      act: ReLU
      drop: {Dropout: 0.3}
      mix: {Add, inputs: [drop, conv]}
layers:
  - {Conv2d: {out_channels: 6, kernel_size: 1}}
  - {Body: , repeat: 3, checkpoint: CHECKPOINT, name: body$index}
  - {Reuse: body1}
  - layers: [{Conv2d: {out_channels: 4, kernel_size: 3}}, GELU, {Dropout: 0.1}, SwitchableNorm2d]
    checkpoint: CHECKPOINT
  - layers: [Flatten, {Linear: 12}, {layers: [Tanh, {Linear: 12}], checkpoint: true}]
    checkpoint: CHECKPOINT
  - {Linear: 3}
"""


def graph(text: str) -> Graph:
    """Return the network of a text."""
    return trace(read(from_bytes("net.yaml", text.encode())))


def both(text: str = TEXT) -> list[tuple[Graph, nn.Module]]:
    """Return the network without and with checkpoints, with the same first values."""
    found = []
    for value in ("false", "true"):
        one = graph(text.replace("CHECKPOINT", value))
        torch.manual_seed(0)
        found.append((one, builder.module(one)))
    return found


def difference(module: nn.Module, *shape: int) -> int:
    """Return the bytes that torch keeps of one more sample."""
    fewer, more = (alive_bytes(module, torch.randn(n, *shape)) for n in (3, 4))
    return more - fewer


class Box:
    """Holds a tensor that torch keeps."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def alive_bytes(module: nn.Module, x: torch.Tensor) -> int:
    """Return the bytes that torch keeps of an input, after the forward pass.

    Memory that several tensors share counts once. A checkpoint saves the inputs of its stack, and
    frees them at once if nothing inside needs them.
    """
    own = {t.untyped_storage().data_ptr() for t in module.state_dict().values()}
    boxes: list[weakref.ref[Box]] = []
    gc.freeze()  # only what the forward pass makes is searched for circles

    def keep(tensor: torch.Tensor) -> Box:
        box = Box(tensor)
        boxes.append(weakref.ref(box))
        return box

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda box: box.tensor):
        y = module(x)
    gc.collect()
    alive = [box.tensor.untyped_storage() for ref in boxes if (box := ref()) is not None]
    kept = {s.data_ptr(): s.nbytes() for s in alive if s.data_ptr() not in own}
    assert y is not None
    return sum(kept.values())


def test_results_gradients_and_buffers_are_the_same() -> None:
    """Bit for bit, in several steps: statistics move once, and dropouts drop the same values."""
    (_, plain), (_, recomputing) = both()
    assert [*plain.state_dict()] == [*recomputing.state_dict()]
    x = torch.randn(4, 3, 8, 8)
    for step in range(3):
        results = []
        for module in (plain, recomputing):
            torch.manual_seed(step)
            y = module(x) + module(x + 1)
            y.square().sum().backward()
            torch.optim.SGD(module.parameters(), 0.01).step()
            results.append(y)
        assert torch.equal(*results)
    for module, other in ((plain, recomputing), (recomputing, plain)):
        other_state = other.state_dict()
        assert all(torch.equal(t, other_state[n]) for n, t in module.state_dict().items())
        gradients = {n: p.grad for n, p in other.named_parameters()}
        for name, parameter in module.named_parameters():
            assert torch.equal(parameter.grad, gradients[name]), name  # type: ignore[arg-type]
    assert torch.equal(plain.eval()(x), recomputing.eval()(x))


def test_a_retained_graph() -> None:
    """Each backward pass computes the stack again."""
    (_, plain), (_, recomputing) = both()
    x = torch.randn(4, 3, 8, 8)
    for module in (plain, recomputing):
        torch.manual_seed(1)
        y = module(x)
        y.sum().backward(retain_graph=True)
        y.square().sum().backward()
    for one, other in zip(plain.parameters(), recomputing.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)  # type: ignore[arg-type]


def test_the_kept_bytes_are_those_of_torch() -> None:
    """What the stacks read, once; the peak is the largest stack."""
    (plain, a), (found, b) = both()
    assert plain.activations_bytes == difference(a, 3, 8, 8)
    assert found.activations_bytes == difference(b, 3, 8, 8) < plain.activations_bytes
    inside = [kept.again for kept in found.kept if kept.stack == "body0"]
    (body,) = {difference(b.get_submodule(f"body{n}"), 6, 8, 8) for n in range(3)}
    # Alone, the block also keeps its input, which the checkpoint keeps already.
    assert sum(inside) == body - 4 * 6 * 8 * 8
    assert found.again_bytes >= sum(inside)


@pytest.mark.slow
@pytest.mark.parametrize(
    "layers",
    [
        "[Flatten]",
        "[{ReLU: }]",
        "[{Linear: 8}, {ReLU: {inplace: true}}, {Linear: 8}]",
        "[{Linear: 8}, {layers: [Tanh, {Dropout: 0.5}], checkpoint: true}]",
        "{a: {Linear: 8, inputs: input}, b: {Add, inputs: [a, input]}}",
    ],
)
@pytest.mark.parametrize("before", ["ReLU", "Sigmoid", "{Linear: 8}", "{Linear: 8, freeze: true}"])
@pytest.mark.parametrize("behind", ["ReLU", "{Linear: 4}", "Flatten"])
def test_the_kept_bytes_of_many_stacks(before: str, layers: str, behind: str) -> None:
    """Also of a stack that keeps nothing, or that no gradient reaches."""
    text = f"""\
input: [8]
layers:
  before: {before}
  stack: {{checkpoint: true, layers: {layers.replace("{ReLU: }", "ReLU")}}}
  behind: {behind}
"""
    found = graph(text)
    module = builder.module(found)
    if any(p.requires_grad for p in module.parameters()):
        assert found.activations_bytes == difference(module, 8)


@pytest.mark.parametrize("change", [copy.deepcopy, pickled, saved_whole])
def test_copies(change: Callable[[nn.Module], nn.Module]) -> None:
    """A copy computes its stacks again too. torch pickles no parametrized module."""
    text = (
        TEXT
        if change is copy.deepcopy
        else TEXT.replace("parametrize: {weight: spectral_norm}", "init: {weight: xavier_normal_}")
    )
    _, (_, module) = both(text)
    changed = change(module)
    x = torch.randn(2, 3, 8, 8)
    for one in (module, changed):
        torch.manual_seed(0)
        one(x).sum().backward()
    for one, other in zip(module.parameters(), changed.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)  # type: ignore[arg-type]


@pytest.mark.slow
def test_export() -> None:
    """torch.export takes a module with checkpoints."""
    _, (_, module) = both()
    x = torch.randn(2, 3, 8, 8)
    module.eval()
    program = torch.export.export(module, (x,))
    torch.testing.assert_close(program.module()(x), module(x))


def test_several_inputs_and_results() -> None:
    """A stack is given all its inputs, and gives all its results."""
    text = """\
input: [8]
layers:
  wide: {Linear: 8}
  stack:
    checkpoint: CHECKPOINT
    inputs: {a: wide, b: input}
    layers: {one: {Linear: 8, inputs: a}, two: {Tanh, inputs: one}, sum: {Add, inputs: [two, b]}}
    outputs: {first: sum, second: one}
  end: {Add, inputs: [stack, stack.second]}
"""
    (plain, a), (found, b) = both(text)
    x = torch.randn(3, 8)
    assert torch.equal(a(x), b(x))
    assert plain.activations_bytes == difference(a, 8)
    assert found.activations_bytes == difference(b, 8)
    assert "checkpoint(stack, wide, input_1, use_reentrant = False)" in b.code


def test_what_a_stack_reads_is_not_overwritten() -> None:
    """Torch would refuse it in the backward pass."""
    text = """\
input: [8]
layers:
  a: {Linear: 8}
  b: {checkpoint: CHECKPOINT, layers: [{ReLU: {inplace: true}}, {Linear: 8}]}
"""
    assert not infer(read(from_bytes("net.yaml", text.replace("CHECKPOINT", "false").encode())))[4]
    (fault,) = infer(read(from_bytes("n.yaml", text.replace("CHECKPOINT", "true").encode())))[4]
    assert (fault.code, fault.layer) == ("NB211", "b.0")
    ours = builder.module(graph(text.replace("CHECKPOINT", "true").replace("inplace: true", "")))
    ours.get_submodule("b.0").inplace = True  # type: ignore[assignment]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        ours(torch.randn(2, 8)).sum().backward()


def test_an_input_that_a_stack_reads_is_not_overwritten() -> None:
    """Computed again, the stack would read the overwritten input; torch refuses the backward."""
    stack = "{layers: [{ELU: {inplace: true}}, {Linear: 4}], checkpoint: CHECKPOINT}"
    text = f"input: [8]\nlayers: [{stack}]\n"
    (fault,) = infer(read(from_bytes("n.yaml", text.replace("CHECKPOINT", "true").encode())))[4]
    assert (fault.code, fault.layer) == ("NB211", "0.0")
    assert not infer(read(from_bytes("n.yaml", text.replace("CHECKPOINT", "false").encode())))[4]


def test_compile_with_statistics() -> None:
    """Torch compiles a checkpoint without statistics only."""
    text = (
        "input: [1, 8, 8]\nlayers: [{checkpoint: true, layers: [Flatten, {Linear: 8}, NORM, ReLU]},"
        " {Linear: 10}]\ntrain: {compile: true}\n"
    )
    for norm, codes in (("BatchNorm1d", ["NB221"]), ("LayerNorm", [])):
        found = infer(read(from_bytes("net.yaml", text.replace("NORM", norm).encode())))
        assert [f.code for f in found.diagnostics if f.code != "NB307"] == codes


def test_a_run_trains_the_same(tmp_path: Path) -> None:
    """Losses and weights are those without checkpoints."""
    text = (
        "input: [1, 8, 8]\nlayers:\n  flat: Flatten\n  body: {repeat: 2, checkpoint: CHECKPOINT, "
        "layers: [{Linear: 16}, BatchNorm1d, ReLU, {Dropout: 0.2}]}\n  head: {Linear: 10}\n"
        "loss: CrossEntropyLoss\noptimizer: Adam\ndata: Digits\n"
        "train: {epochs: 1, batch_size: 200, device: cpu}\n"
    )
    lines = []
    for value in ("false", "true"):
        path = tmp_path / f"net-{value}.yaml"
        path.write_text(text.replace("CHECKPOINT", value), encoding="utf-8")
        run = training.train(path, runs=tmp_path / "runs")
        lines.append(json.loads((run.folder / "metrics.jsonl").read_text()))
    assert lines[0]["val_loss"] == lines[1]["val_loss"]


@pytest.mark.slow
def test_the_reports(netbuild: Netbuild) -> None:
    """`summary` says what one stack adds, and `explain` which layers are computed again."""
    text = TEXT.replace("CHECKPOINT", "true")
    printed = netbuild("summary", "-", text=text).stdout
    assert "more while a stack is computed again\n" in printed
    totals = json.loads(netbuild("summary", "-", "--format", "json", text=text).stdout)["totals"]
    assert totals["recomputed_bytes"] == graph(text).again_bytes
    told = netbuild("explain", "-", "body0.act", text=text).stdout
    assert "the backward pass computes body0 again" in " ".join(told.split())
