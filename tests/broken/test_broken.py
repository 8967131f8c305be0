"""Some hundred right files with a break; `python -m tests.broken` tries more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.broken.__main__ import cases, figures
from tests.broken.breaks import BREAKS
from tests.broken.judge import NEW, judge
from tests.broken.right import MORE, right, written

if TYPE_CHECKING:
    import pytest

FEW, MANY = 80, 400


def check(count: int, share: float) -> None:
    """Judge the fixes of some broken files; a share of the first fixes leaves no error."""
    found = cases(0, count)
    table = figures(found)
    assert len(found) == count
    assert not [case for case in found if case.verdict.wrong], table
    fixable = [case.verdict for case in found if case.verdict.fixable]
    clean = sum(verdict.clean for verdict in fixable)
    assert clean >= share * len(fixable), table
    helped = sum(case.verdict.helped for case in found)
    assert helped >= 0.93 * sum(case.verdict.faults for case in found), table


def test_fixes_are_true(pytestconfig: pytest.Config) -> None:
    """No fix breaks a promise, and nearly each first fix leaves a file without errors.

    The few files of the quick run are the first of the many.
    """
    if pytestconfig.getoption("--full"):
        check(MANY, 0.95)
    else:
        check(FEW, 0.9)  # four of 64 are more than 5 %


def test_right_files_are_right() -> None:
    """The files to break have no errors, and each kind of break finds a file."""
    assert len(written()) > 80
    assert all(right(text) for text in MORE)
    assert {case.kind for case in cases(0, len(BREAKS))} == {*BREAKS}


def test_what_must_not_happen_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without trials, fixes that leave their fault or bring an error are found."""
    from netbuild.checks import trials

    monkeypatch.setattr(trials, "proven", lambda graph, _check: graph.diagnostics)
    text = MORE[2].replace("kernel_size: 3, stride", "kernel_size: 30, stride")
    one = right(MORE[2])
    assert one is not None
    verdict = judge(one, text)
    assert verdict is not None
    assert NEW in {what for what, _ in verdict.wrong}
