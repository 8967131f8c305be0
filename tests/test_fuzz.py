"""Whole random networks, in every run of the tests; `python -m tests.fuzz` draws more of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.layers.linear import Linear
from tests import fuzz
from tests.examples import examples

if TYPE_CHECKING:
    import pytest

    from netbuild.components.tensor import Shape


def test_networks_agree_with_torch(capsys: pytest.CaptureFixture[str]) -> None:
    """Of drawn networks netbuild accepts those that torch runs, and says what they give."""
    cases = examples(500, least=100).max_examples
    assert fuzz.main(["--cases", str(cases), "--seed", "0"]) == 0
    assert capsys.readouterr().out == f"seed 0: {cases:,} cases, 0 disagreements\n"


def test_a_wrong_rule_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that is off by one is found, and shown by a network of one layer."""
    rule = Linear.output_shape

    def off_by_one(self: Linear, x: Shape) -> Shape:
        y = rule(self, x)
        return (*y[:-1], y[-1] + 1)

    monkeypatch.setattr(Linear, "output_shape", off_by_one)
    found = fuzz.batch(1000, 2)  # a number whose cases show it soon
    assert found is not None
    what, text = found
    assert what.startswith("netbuild says ((")
    assert text.count("Linear") == 1
    assert "l1" not in text
