"""Files of weights: read without torch, compared by name and shape, and loaded."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import netbuild as package
from netbuild import training
from netbuild.checks.trace import infer
from netbuild.config.load import load, read
from netbuild.diagnostics.exceptions import WeightsError
from netbuild.runs.weights import Difference, compare, read_shapes
from netbuild.syntax.parser import from_file
from tests.test_static import output
from tests.training_configs import SECTIONS, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Netbuild

CONFIG = """\
input: [1, 8, 8]
{pretrained}
layers:
  trunk: [Conv2d: {{out_channels: 4, kernel_size: 3}}, BatchNorm2d, ReLU, Flatten]
  head: {{Linear: {classes}}}
"""


def net(folder: Path, pretrained: str = "", classes: int = 5) -> Path:
    """Write a network of a trunk and a head."""
    line = f"pretrained: {pretrained}" if pretrained else ""
    path = folder / "net.yaml"
    path.write_text(CONFIG.format(pretrained=line, classes=classes), encoding="utf-8")
    return path


def trained(folder: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a network after some samples."""
    module = package.build(net(folder))
    module(torch.randn(3, 1, 8, 8))
    return dict(module.state_dict())


def _half(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}


def _as_module(tensors: dict[str, torch.Tensor]) -> nn.Module:
    module = nn.Linear(2, 3)
    module.load_state_dict({"weight": torch.zeros(3, 2), "bias": tensors["head.bias"][:3]})
    return module


WRITERS: dict[str, Callable[[dict[str, torch.Tensor], Path], Any]] = {
    "safetensors": save_file,
    "zip": torch.save,
    "before-1.6": lambda t, path: torch.save(t, path, _use_new_zipfile_serialization=False),
    "parameters": lambda t, path: torch.save({n: nn.Parameter(x) for n, x in t.items()}, path),
    "views": lambda t, path: torch.save({n: torch.stack([x, x])[1] for n, x in t.items()}, path),
}


@pytest.mark.parametrize("format_", WRITERS)
def test_every_format_is_read_and_loaded(tmp_path: Path, format_: str) -> None:
    """The shapes are right, and the network gets exactly the values of the file."""
    wanted = trained(tmp_path)
    file = tmp_path / "weights"
    if format_ == "parameters":  # whole numbers are none
        wanted = {n: x for n, x in wanted.items() if x.is_floating_point()}
    WRITERS[format_](wanted, file)
    assert read_shapes(file) == {name: tuple(x.shape) for name, x in wanted.items()}
    state = package.build(net(tmp_path, "weights")).state_dict()
    for name, tensor in wanted.items():
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=0)


def test_half_precision_is_loaded_as_float32(tmp_path: Path) -> None:
    """A file of float16 fits, and the network stays float32."""
    save_file(_half(trained(tmp_path)), tmp_path / "weights")
    module = package.build(net(tmp_path, "weights"))
    assert {p.dtype for p in module.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("write_", "message"),
    [
        (lambda t, p: torch.save(_as_module(t), p), "it holds a torch.nn.modules.linear.Linear"),
        (
            lambda t, p: torch.save({"model": t, "epoch": 3}, p),
            "it also holds model, epoch: save only the state_dict()",
        ),
        (lambda t, p: torch.save([t], p), "it does not hold tensors by name"),
        (lambda t, p: torch.save({1: t["head.bias"]}, p), "it does not hold tensors by name"),
        (lambda _, p: torch.jit.save(torch.jit.script(nn.Linear(2, 3)), p), "a TorchScript module"),
        (
            lambda _, p: p.write_bytes(b"input: [4]\nlayers: [ReLU]\n"),
            "it is neither a safetensors file",
        ),
        (lambda _, p: p.write_bytes(b""), "it is neither a safetensors file"),
        (lambda _, p: p.write_bytes(b"\xff" * 8 + b"{"), "it is neither a safetensors file"),
        (lambda _, p: p.write_bytes(b"\x80\x02cos\nsystem\n."), "it holds a os.system"),
        (lambda _, p: p.write_bytes(b"PK\x03\x04 and no more"), "it is damaged (BadZipFile)"),
        (
            lambda _, p: shutil.make_archive(str(p), "zip", p.parent, "net.yaml"),
            "a zip archive, but",
        ),
    ],
)
def test_what_is_no_file_of_weights(
    tmp_path: Path, write_: Callable[[Any, Path], Any], message: str
) -> None:
    """Another file is refused: the message names its kind, and no code in it runs."""
    file = tmp_path / "weights"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # torch.jit is deprecated
        write_(trained(tmp_path), file)
    file = file if file.exists() else tmp_path / "weights.zip"
    with pytest.raises(WeightsError) as refused:
        read_shapes(file)
    assert message in str(refused.value)


@pytest.mark.parametrize("format_", ["safetensors", "zip", "before-1.6"])
def test_a_damaged_file(tmp_path: Path, format_: str) -> None:
    """A truncated file, or one with a changed byte, is read correctly or refused."""
    whole = tmp_path / "whole"
    WRITERS[format_](trained(tmp_path), whole)
    data, file = whole.read_bytes(), tmp_path / "weights"
    with pytest.raises(WeightsError, match="damaged"):
        read_shapes(_written(file, data[:200]))
    for position in range(0, min(len(data), 1500), 3):
        changed = data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :]
        for text in (changed, data[:position]):
            with suppress(WeightsError):
                read_shapes(_written(file, text))


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_new_head(tmp_path: Path) -> None:
    """A module that is left out keeps its initial weights; all others get the file's."""
    wanted = trained(tmp_path)
    save_file(wanted, tmp_path / "weights")
    pretrained = "{file: weights, strict: false, leave_out: [head]}"
    torch.manual_seed(0)
    alone = package.build(net(tmp_path, classes=2)).state_dict()
    torch.manual_seed(0)
    state = package.build(net(tmp_path, pretrained, classes=2)).state_dict()
    for name, tensor in state.items():
        origin = alone if name.startswith("head.") else wanted
        torch.testing.assert_close(tensor, origin[name], rtol=0, atol=0)


def test_layers_by_number(tmp_path: Path) -> None:
    """A module in a list can be left out by its number."""
    path = tmp_path / "net.yaml"
    text = "input: [4]\nlayers: [Linear: 3, [ReLU, Linear: {outputs}]]\n"
    path.write_text(text.replace("{outputs}", "5"), encoding="utf-8")
    save_file(package.build(path).state_dict(), tmp_path / "weights")
    pretrained = "pretrained: {file: weights, strict: false, leave_out: [1.1]}\n"
    path.write_text(pretrained + text.replace("{outputs}", "2"), encoding="utf-8")
    package.build(path)


def test_a_head_of_another_name(tmp_path: Path) -> None:
    """The advice names the head of the file and of the network; a file that follows it is right."""
    save_file(trained(tmp_path), tmp_path / "weights")

    def said(leave_out: str) -> str | None:
        pretrained = f"{{file: weights, strict: false, leave_out: [{leave_out}]}}"
        path = net(tmp_path, pretrained, classes=2)
        path.write_text(path.read_text("utf-8").replace("head:", "fc:"), encoding="utf-8")
        found = infer(load(path)).diagnostics
        return found[0].help if found else None

    for first in ("head", "fc"):
        advised = said(first)
        assert advised is not None
        names = advised.partition("leave_out: [")[2].removesuffix("]}")
        assert set(names.split(", ")) == {"head", "fc"}
        assert said(names) is None


def test_the_meta_device(tmp_path: Path) -> None:
    """A network without memory is built, and gets no values."""
    save_file(trained(tmp_path), tmp_path / "weights")
    with torch.device("meta"):
        module = package.build(net(tmp_path, "weights"))
    assert all(p.is_meta for p in module.parameters())


def test_counters_of_batches_may_be_missing() -> None:
    """Old files without `num_batches_tracked` fit."""
    network = {"0.weight": (4,), "0.bias": (4,), "0.running_mean": (4,), "0.running_var": (4,)}
    comparison = compare(network, network | {"0.num_batches_tracked": ()})
    assert comparison.differences == ()
    norm = nn.Sequential(nn.BatchNorm2d(4))
    norm.load_state_dict({name: torch.zeros(shape) for name, shape in network.items()})


def test_compare() -> None:
    """Tensors are missing, unexpected or of another shape; a prefix ends at a dot."""
    file = {"fc.weight": (9, 4), "fc2.weight": (3, 3), "old.bias": (2,)}
    network = {"fc.weight": (2, 4), "fc2.weight": (3, 3), "new.bias": (5,)}
    found = compare(file, network)
    assert found.fitting == ("fc2.weight",)
    assert {d.kind: d for d in found.differences} == {
        "other shape": Difference("fc.weight", (9, 4), (2, 4)),
        "missing": Difference("new.bias", None, (5,)),
        "unexpected": Difference("old.bias", (2,), None),
    }
    found = compare(file, network, ["fc", "new.", "old.bias"])
    assert found.fitting == ("fc2.weight",)
    assert (found.differences, len(found.left_out)) == ((), 3)


def test_training_begins_with_the_weights(tmp_path: Path) -> None:
    """A run begins with the weights of the file, and does not need the file later."""
    before = package.train(write(tmp_path), runs=tmp_path / "a")
    file = before.checkpoint("last") / "model.safetensors"
    wanted = load_file(file)
    still = {"Adam": {"lr": 1e-30}}
    written = {"pretrained": str(file.relative_to(tmp_path)), "optimizer": still}
    run = package.train(write(tmp_path, **written), runs=tmp_path / "b")
    found = load_file(run.checkpoint("last") / "model.safetensors")
    for name, tensor in wanted.items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-6)
    shutil.rmtree(tmp_path / "a")
    from netbuild import training

    assert training.resume(run.folder).position.epoch == SECTIONS["train"]["epochs"]
    assert training.evaluate(run.folder)["val_loss"] > 0


def test_a_path_is_seen_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is relative to the file that contains it, or to the current folder for --set."""
    (tmp_path / "base").mkdir()
    (tmp_path / "cwd").mkdir()
    save_file(trained(tmp_path), tmp_path / "base" / "weights")
    shutil.copy(tmp_path / "base" / "weights", tmp_path / "cwd" / "other")
    net(tmp_path / "base", "weights")
    path = tmp_path / "net.yaml"
    path.write_text("extends: base/net.yaml\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "cwd")
    package.trace(package.load(path))
    package.trace(package.load(path, set=["pretrained=other"]))


def test_the_command(tmp_path: Path, netbuild: Netbuild) -> None:
    """`netbuild weights` prints the differences. Its exit code is 0 if there are none."""
    file, path = tmp_path / "weights.pth", net(tmp_path, classes=2)
    torch.save(trained(tmp_path), file)
    path = net(tmp_path, classes=2)
    said = netbuild("weights", str(file), str(path))
    assert said.returncode == 1
    assert [line.rstrip() for line in said.stdout.splitlines()] == [
        "tensor        file  network",
        "─" * 40,
        "head.weight  5×144    2×144  other shape",
        "head.bias        5        2  other shape",
        "",
        "7 of 9 tensors fit",
        "help: for a new head, write pretrained: {file: …, strict: false, leave_out: [head]}",
    ]
    said = netbuild("weights", str(file), str(path), "--leave-out", "head")
    assert (said.stdout, said.returncode) == ("7 of 7 tensors fit; 2 left out\n", 0)
    said = netbuild("weights", str(file), str(path), "--format", "json")
    assert said.returncode == 1
    assert json.loads(said.stdout)["differences"][1] == {
        "name": "head.bias",
        "file": [5],
        "network": [2],
        "kind": "other shape",
    }
    for other, reason in ((str(path), "a file of torch.save\n"), ("nothing.pth", "No such file")):
        said = netbuild("weights", other, str(path))
        assert reason in said.stderr
        assert (said.stdout, said.returncode) == ("", 2)


def test_the_section_says_what_is_left_out(tmp_path: Path, netbuild: Netbuild) -> None:
    """The command uses `leave_out` of the config, and its file may be missing."""
    save_file(trained(tmp_path), tmp_path / "weights")
    path = net(tmp_path, "{file: missing, strict: false, leave_out: [head]}", classes=2)
    said = netbuild("weights", str(tmp_path / "weights"), str(path))
    assert said.stdout == "7 of 7 tensors fit; 2 left out\n"


def test_names_of_a_wrapper(tmp_path: Path, netbuild: Netbuild) -> None:
    """The message recognises weights that were saved from DataParallel."""
    torch.save({f"module.{n}": t for n, t in trained(tmp_path).items()}, tmp_path / "weights")
    said = netbuild("weights", str(tmp_path / "weights"), str(net(tmp_path)))
    assert said.stdout.splitlines()[-2:] == [
        "0 of 17 tensors fit",
        "help: the file's names begin with module.: write prefix: module",
    ]


def test_no_torch(tmp_path: Path) -> None:
    """Neither the command nor `validate` loads torch to read a file."""
    torch.save(trained(tmp_path), tmp_path / "weights")
    path = net(tmp_path, "weights")
    assert output(["validate", str(path)])[-1] == "LOADED"
    assert output(["weights", str(tmp_path / "weights"), str(path)])[-1] == "LOADED"


def test_names_that_are_other_ones_in_the_file(tmp_path: Path, netbuild: Netbuild) -> None:
    """`prefix` and `rename` say what a tensor is called in the file."""
    tensors = trained(tmp_path)
    others = {
        f"net.{n.replace('trunk.0.', 'features.conv_')}": t.clone() for n, t in tensors.items()
    }
    save_file({**others, "other.weight": torch.zeros(2)}, tmp_path / "w.safetensors")
    section = '{file: w.safetensors, prefix: net, rename: {"features.conv_*": trunk.0.*}}'
    module = package.build(path := net(tmp_path, section))
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, tensors[name])
    assert netbuild("weights", tmp_path / "w.safetensors", path).returncode == 0


@pytest.mark.parametrize(
    ("section", "code", "label"),
    [
        ("prefix: nut", "NB503", "no name in the file begins with nut."),
        ("prefix: net, rename: {x.*: y.*}", "NB503", "x.* matches no name in the file"),
        (
            "prefix: net, rename: {head.*: trunk.0.*}",
            "NB503",
            "net.head.weight and net.trunk.0.weight become one name",
        ),
        (
            "rename: {a.*: b}",
            "NB107",
            "a pattern and its replacement have the same number of *",
        ),
        ("rename: [a]", "NB106", "rename wants a mapping from patterns to patterns, not ['a']"),
    ],
)
def test_renamings_that_do_not_fit(tmp_path: Path, section: str, code: str, label: str) -> None:
    """Each pattern matches a name, and no two names become one."""
    tensors = {f"net.{n}": t.clone() for n, t in trained(tmp_path).items()}
    save_file(tensors, tmp_path / "w.safetensors")
    path = net(tmp_path, f"{{file: w.safetensors, {section}}}")
    found = infer(read(from_file(path))).diagnostics
    assert (code, label) in [(fault.code, fault.label) for fault in found]


def test_patterns_of_what_is_left_out(tmp_path: Path) -> None:
    """A pattern matches names of tensors and of modules."""
    tensors = trained(tmp_path)
    save_file(tensors, tmp_path / "w.safetensors")
    section = '{file: w.safetensors, strict: false, leave_out: ["*.bias", "tr?nk.1"]}'
    module = package.build(net(tmp_path, section))
    state = module.state_dict()
    assert torch.equal(state["head.weight"], tensors["head.weight"])
    assert not torch.equal(state["head.bias"], tensors["head.bias"])
    assert not torch.equal(state["trunk.1.running_mean"], tensors["trunk.1.running_mean"])


def test_the_weights_of_a_run(tmp_path: Path) -> None:
    """A run in place of a file stands for its best checkpoint."""
    run = training.train(write(tmp_path, train={"epochs": 1}), runs=tmp_path / "runs")
    text = (tmp_path / "tiny.yaml").read_text(encoding="utf-8")
    for folder in (run.folder, run.folder.parent):
        other = tmp_path / "again.yaml"
        other.write_text(f"{text}\npretrained: {folder}\n", encoding="utf-8")
        best = load_file(run.checkpoint("best") / "model.safetensors")
        for name, tensor in package.build(other).state_dict().items():
            assert torch.equal(tensor, best[name])
    (tmp_path / "empty").mkdir()
    other.write_text(f"{text}\npretrained: empty\n", encoding="utf-8")
    assert [fault.code for fault in infer(load(other)).diagnostics] == ["NB502"]
