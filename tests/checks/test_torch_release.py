"""A file that needs a later torch than the installed one has a fault, NB412."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest
import torch
from torch import nn

from netbuild.builder.arguments import differing
from netbuild.checks import torch_release
from netbuild.components.layers import LAYERS
from netbuild.components.optimizers import OPTIMIZERS
from netbuild.config.load import read
from netbuild.reports.catalogue.entries import catalogue
from netbuild.syntax.dump import dump
from netbuild.syntax.parser import from_bytes


def said(version: str | None, monkeypatch: pytest.MonkeyPatch, **sections: Any) -> list[str]:
    """Return the messages of the fault for a file and an installed release."""
    monkeypatch.setattr(torch_release, "installed", lambda: version)
    given = {"input": [8], "layers": [{"Linear": 4}], **sections}
    config = read(from_bytes("net.yaml", dump(given).encode()))
    from netbuild.checks.trace import infer

    return [d.message for d in infer(config).diagnostics if d.code == "NB412"]


@pytest.mark.parametrize(
    ("kind", "release"), [("Muon", "2.9"), ("Adam", None), ("LinearCrossEntropyLoss", "2.13")]
)
@pytest.mark.parametrize("version", ["2.6.0", "2.8.1", "2.9.0", "2.13.0", "2.14.0a0", "3.0", None])
def test_components(
    kind: str, release: str | None, version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A component is a fault exactly where an older release than its own is installed."""
    section = {"optimizer": kind} if kind in OPTIMIZERS else {"loss": {kind: {"num_classes": 3}}}
    older = version is not None and release is not None and version not in {"3.0", "2.14.0a0"}
    older = older and [*map(int, version.split(".")[:2])] < [*map(int, release.split("."))]
    expected = [f"{kind} needs torch {release}: torch {version} is installed"] if older else []
    assert said(version, monkeypatch, **section) == expected


@pytest.mark.parametrize("used", [{"GroupNorm": 2}, "LayerNorm", "SwitchableNorm1d"])
def test_a_default_needs_no_release(used: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new field with its default, an old one, and a layer of netbuild are no faults."""
    kind, fields = (used, {}) if isinstance(used, str) else (*used, {"num_groups": 2})
    fault = "bias of GroupNorm needs torch 2.12: torch 2.6.0 is installed"
    for bias in (True, False):
        layers = [{"Linear": 4}, {kind: {**fields, "bias": bias}}]
        expected = [fault] if kind == "GroupNorm" and not bias else []
        assert said("2.6.0", monkeypatch, layers=layers) == expected


@pytest.mark.parametrize(("given", "expected"), [("2.13.0+cpu", "2.13.0"), ("2.6.0", "2.6.0")])
def test_installed(given: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The release comes from the metadata of the package, without its build."""
    monkeypatch.setattr(metadata, "version", lambda _: given)
    assert torch_release.installed.__wrapped__() == expected


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch, no release is known."""

    def absent(_: str) -> str:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", absent)
    assert torch_release.installed.__wrapped__() is None


def test_the_release_is_read_at_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with nothing new does not ask for the installed release."""

    def never() -> str:
        raise AssertionError

    config = read(from_bytes("net.yaml", b"input: [8]\nlayers: [BatchNorm1d, {Linear: 3}]\n"))
    monkeypatch.setattr(torch_release, "installed", never)
    from netbuild.checks.trace import infer

    assert not [d for d in infer(config).diagnostics if d.code == "NB412"]


@pytest.mark.parametrize("what", ["schedulers", "initializers", "datasets", "augmentations"])
def test_only_checked_kinds_have_releases(what: str) -> None:
    """The check asks layers, losses and optimizers; no other component names a release."""
    assert not [one for one in catalogue(what).values() if one.since or one.fields_since]


def test_an_older_class_gets_no_new_argument() -> None:
    """Torch gets the arguments that differ, and none that its class does not have."""

    class Older(nn.Module):
        def __init__(self, num_groups: int, eps: float = 1e-5, **others: Any) -> None:
            super().__init__()
            self.given = (num_groups, eps, others)

    layer = LAYERS["GroupNorm"].model_validate({"num_groups": 2})
    arguments = layer.arguments((4, 3))
    expected = {
        "num_groups": 2,
        "num_channels": 4,
        "affine": True,
    }  # torch may have another default
    assert differing(Older, layer, arguments) == expected
    finer = layer.model_copy(update={"eps": 1e-3})
    assert differing(Older, finer, finer.arguments((4, 3)))["eps"] == 1e-3
    adam = OPTIMIZERS["Adam"].model_validate({"lr": 1})
    assert differing(torch.optim.Adam, adam, adam.model_dump()) == {"lr": 1}
