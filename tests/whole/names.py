"""Which names members, inputs and results may have: `docs/language.md`."""

from __future__ import annotations

import keyword
import re
from functools import cache

from tests import ROOT
from tests.whole.refusal import Refusal

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_INPUT = re.compile(r"[a-z][A-Za-z0-9_]*")
_PYTHON = {*keyword.kwlist, "torch"}


@cache
def _reserved() -> frozenset[str]:
    """Return the names of torch's modules that the page lists."""
    page = (ROOT / "docs/language.md").read_text()
    found = re.search(r"```text reserved-modules\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return frozenset(found[1].split())


def of_member(name: object, *, by_key: bool) -> str:
    """Return the name of a member; a `name` does not begin with a digit, a key may.

    Raises:
        Refusal: no module can be called so.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Refusal(f"no name: {name}")
    if name in _PYTHON or name in _reserved() or (not by_key and name[0].isdigit()):
        raise Refusal(f"no member is called {name}")
    return name


def of_input(name: object) -> None:
    """Expect a name that an input of the network or of a stack can have.

    Raises:
        Refusal: it has another meaning in Python.
    """
    if not isinstance(name, str) or not _INPUT.fullmatch(name):
        raise Refusal(f"no name: {name}")
    if name in _PYTHON or name in ("self", "getattr"):
        raise Refusal(f"no input is called {name}")


def of_result(name: object) -> None:
    """Expect a name that a result can have; a keyword of Python is allowed.

    Raises:
        Refusal: it is none.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Refusal(f"no name: {name}")
