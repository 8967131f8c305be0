"""One test for all rows of a table, which names every row that fails.

A test costs pytest some milliseconds: more than most rows, and there are many thousand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.torch_release import needed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")


def over(
    rows: Iterable[T], name: Callable[[T], str] = str
) -> Callable[[Callable[[T], None]], Callable[[], None]]:
    """Let a test of one row try all rows of a table, each with its name."""
    table = list(rows)

    def decorate(test: Callable[[T], None]) -> Callable[[], None]:
        def tries() -> None:
            hold(test, table, name)

        # What pytest reads of a test; functools.wraps would show it the row as a fixture.
        tries.__name__, tries.__qualname__ = test.__name__, test.__qualname__
        tries.__module__, tries.__doc__ = test.__module__, test.__doc__
        return tries

    return decorate


def hold(test: Callable[[T], None], rows: Iterable[T], name: Callable[[T], str] = str) -> None:
    """Try all rows. Then name those that fail, with the first failure as the cause.

    A row may skip, and so does one of what the installed torch lacks.
    """
    failed: dict[str, BaseException] = {}
    tried = 0
    for row in rows:
        tried += 1
        called = name(row)
        if needed(f"[{called}]"):
            continue
        try:
            test(row)
        except pytest.skip.Exception:
            continue
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  it is told below
            failed[called] = error
    assert tried, "the table has no rows"
    if failed:
        told = [f"{called}: {_first_line(error)}" for called, error in failed.items()]
        text = "\n".join([f"{len(failed)} of {tried} rows fail", *told])
        raise AssertionError(text) from next(iter(failed.values()))


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
