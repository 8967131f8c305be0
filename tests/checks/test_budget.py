"""Budgets: the forms of quantities, the limits, and the layers that a fault names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.config.resolution import resolved
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.parser import from_bytes
from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.graph.graph import Graph

LENET = ROOT / "configs" / "lenet.yaml"
NAMES = ("params", "macs", "activations", "weights")


def limited(path: Path, **limits: object) -> Graph:
    """Return a network with a budget."""
    section = f"budget: {{{', '.join(f'{name}: {value}' for name, value in limits.items())}}}\n"
    return infer(read(from_bytes(str(path), path.read_bytes() + section.encode())))


def budget(name: str, text: str) -> float | None:
    """Return the limit that a text gives; None after a fault."""
    section = f"budget: {{{name}: {text}}}\n"
    config = read(from_bytes("net.yaml", f"input: [1]\nlayers: [Identity]\n{section}".encode()))
    value: float | None = getattr(config.budget, name)
    assert (value is None) == bool(config.diagnostics)
    return value


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("5M", 5e6),
        ("5 M", 5e6),
        ("1.5k", 1500),
        ("0.1G", 1e8),
        ("2T", 2e12),
        ("61706", 61706),
        ("'61706'", 61706),
        ("5e6", 5e6),
        ("0", 0),
        ("5MB", None),
        ("5m", None),
        ("-1", None),
        ("-1k", None),
        ("M", None),
        ("1_000", None),
        ("true", None),
        ("[1]", None),
        (".inf", None),
        ("1e3k", None),
    ],
)
def test_counts(text: str, count: float | None) -> None:
    """A count is a number, or one with k, M, G or T."""
    assert budget("params", text) == budget("macs", text) == count


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20MB", 20e6),
        ("20 MiB", 20 * 2**20),
        ("1.5kB", 1500),
        ("1KiB", 1024),
        ("0.5GB", 5e8),
        ("2GiB", 2**31),
        ("100B", 100),
        ("100", 100),
        ("20M", None),
        ("20mb", None),
        ("1KB", None),
    ],
)
def test_bytes(text: str, size: float | None) -> None:
    """A size is a number of bytes, or one with a unit, of powers of 1000 or of 1024."""
    assert budget("weights", text) == budget("activations", text) == size


def test_null_is_no_limit() -> None:
    """`null` removes a limit of the base file."""
    assert limited(LENET, params="null").diagnostics == ()


@pytest.mark.parametrize("name", NAMES)
def test_limits(name: str) -> None:
    """A value may equal its limit. If it is larger, the fault is at the line of the limit."""
    graph = limited(LENET)
    value = {"activations": graph.activations_bytes, "weights": graph.weights_bytes}.get(name)
    value = getattr(graph, name) if value is None else value
    assert limited(LENET, **{name: value}).diagnostics == ()
    (fault,) = limited(LENET, **{name: value - 1}).diagnostics
    assert (fault.code, fault.severity) == ("NB407", "error")
    assert name in fault.label


def test_contributors() -> None:
    """The largest layers come first, with lines and shares; large stacks are opened."""
    (fault,) = limited(LENET, params="1k").diagnostics
    assert fault.label == "61,706 params, 60,706 more than 1,000"
    assert [note.text for note in fault.notes] == [
        "classifier.1 (Linear, line 13): 48,120, 78 %",
        "classifier.3 (Linear, line 15): 10,164, 16 %",
        "features (stack, line 5): 2,572, 4 %",
        "classifier.5 (Linear, line 17): 850, 1 %",
    ]


@pytest.mark.parametrize("path", sorted(LENET.parent.glob("*.yaml")), ids=lambda path: path.stem)
def test_shares(path: Path) -> None:
    """In every network the shares of the named layers add up to 100% at most."""
    found = limited(path, **dict.fromkeys(NAMES, 0)).diagnostics
    assert {fault.code for fault in found} == {"NB407"}
    for fault in found:
        shares = [int(share) for n in fault.notes for share in re.findall(r"(\d+) %$", n.text)]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 100 + len(shares) / 2


def test_resolved_keeps_it() -> None:
    """The resolved config has the same budget."""
    config = limited(LENET, params="5M").config
    assert yaml.safe_load(resolved(config))["budget"] == {"params": "5M"}


def test_a_long_network_takes_no_long_time() -> None:
    """In a stack of thousands of layers, no layer is named."""
    text = "input: [4]\nlayers: [{Linear: 4, repeat: 3000}]\nbudget: {activations: 1}\n"
    (fault,) = errors(infer(read(from_bytes("net.yaml", text.encode()))).diagnostics)
    assert (fault.code, fault.notes) == ("NB407", ())


def test_what_is_computed_again_counts() -> None:
    """Beside what is kept, the largest stack that is computed again counts at its peak."""
    text = (
        "input: [8]\nlayers:\n  a: {Linear: 8}\n"
        "  b: {layers: [{Linear: 8}, Tanh, {Linear: 8}, Tanh], checkpoint: true}\n"
        "  c: {layers: [{Linear: 8}, Tanh], checkpoint: true}\n  d: {Linear: 2}\n"
    )
    graph = infer(read(from_bytes("net.yaml", text.encode())))
    most = graph.activations_bytes + graph.again_bytes
    assert graph.again_bytes == 2 * 8 * 4  # two results of Tanh
    for limit, said in ((most, []), (most - 1, ["b"])):
        faults = infer(
            read(from_bytes("net.yaml", f"{text}budget: {{activations: {limit}}}\n".encode()))
        ).diagnostics
        found = [fault.notes[0].text for fault in faults if fault.code == "NB407"]
        assert [text.split(" ")[0] for text in found] == said
