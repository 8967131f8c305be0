"""Some hundred configs with mistakes; `python -m tests.mutations` tries more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netbuild.components.layers.linear import Linear
from tests import ROOT, mistakes, mutations
from tests.examples import examples

if TYPE_CHECKING:
    from netbuild.components.tensor import Shape

CASES = 250
#: A second is what `python -m tests.mutations` allows: a busy machine counts the same work as more.
LONGEST = 5.0


@examples(CASES)
@given(st.data())
def test_nothing_breaks(data: st.DataObject) -> None:
    """A few hundred texts: each is checked soon, and what is found can be printed."""
    name, text = mistakes.mutated(data.draw)
    mutations.check(name, text, LONGEST)


@pytest.mark.slow
def test_every_file_as_it_is() -> None:
    """What the changes begin with keeps to all that is asked of them; many are wrong already."""
    assert len(mistakes.FILES) > 200
    for path in mistakes.FILES:
        if path.parent.name == "faults":
            mutations.check(str(path), (ROOT / path).read_bytes(), LONGEST)


def test_what_breaks_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rule that raises is found, and shown by a text of nothing but its layer."""

    def raises(self: Linear, _x: Shape) -> Shape:
        raise ZeroDivisionError(self.out_features)

    monkeypatch.setattr(Linear, "output_shape", raises)
    found, _ = mutations.batch(30, 0)
    kinds = [one for one in found if one.kind.startswith("ZeroDivisionError in ")]
    one = mutations.smaller(kinds[0])
    assert len(one.text) < 40
    assert b"Linear" in one.text
    assert not capsys.readouterr().out


def test_what_takes_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that takes longer than it may is found, and so is one that does not end."""
    text = b"input: [8]\nlayers: [Linear: 4]\n"
    assert isinstance(mutations.attempt("a", text), mutations.Timed)
    monkeypatch.setattr(mutations, "LONGEST", -1.0)
    found = mutations.attempt("a", text)
    assert isinstance(found, mutations.Found)
    assert found.kind == "it takes too long"

    def endless(self: Linear, _x: Shape) -> Shape:
        while True:
            self.out_features  # noqa: B018  something to do

    monkeypatch.setattr(Linear, "output_shape", endless)
    monkeypatch.setattr(mutations, "GIVEN_UP", 0.2)
    found = mutations.attempt("a", text)
    assert isinstance(found, mutations.Found)
    assert found.kind == "it does not end"


def test_places_outside_of_a_text_are_found() -> None:
    """A place counts where its text has it, and one character behind the end of a line."""
    from netbuild.diagnostics.diagnostic import Document, Span

    text = Document("a", "ab\nc")
    assert mutations._lies_within(Span(text, 1, 1, 2, 2), 0)
    assert mutations._lies_within(Span(text, 2, 2, 2, 3), 1)
    for place in ((1, 4, 1, 4), (3, 1, 3, 1), (0, 1, 1, 1), (2, 1, 1, 1), (2, 1, 2, 3)):
        assert not mutations._lies_within(Span(text, *place), 0)
