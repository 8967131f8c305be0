"""Makes a file with a disagreement as small as it gets: `python -m tests.whole.smaller FILE`."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from tests.whole.compare import Comparison
from tests.whole.generator import text
from tests.whole.network import REFUSALS
from tests.whole.refusal import Refusal
from tests.whole.text import Written, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Place = tuple[Any, ...]

MOST_TRIES = 400


def smaller(file: str, kind: str) -> str:
    """Return a small file with a disagreement of the same kind."""

    def differs(tree: Any) -> bool:
        comparison = Comparison(text(tree), export=kind == "export")
        try:
            return any(one.kind == kind for one in comparison.run(kind))
        except (Refusal, *REFUSALS, KeyError):  # it is no file any more
            return False

    return text(_least(_plain(parse(file)), differs))


def _plain(tree: Any) -> Any:
    if isinstance(tree, Written):
        return float(tree)
    if isinstance(tree, dict):
        return {str(key): _plain(value) for key, value in tree.items()}
    return [_plain(value) for value in tree] if isinstance(tree, list) else tree


def _least(tree: Any, differs: Callable[[Any], bool]) -> Any:
    if not differs(tree):
        return tree
    tries = MOST_TRIES
    changed = True
    while changed:
        changed = False
        for place in sorted(_places(tree), key=len)[::-1]:
            try:
                trials = list(_simpler(tree, place))
            except (KeyError, IndexError, TypeError):  # it went with another place
                continue
            for trial in trials:
                tries -= 1
                if not tries:
                    return tree
                if differs(trial):
                    tree, changed = trial, True
                    break
    return tree


def _places(tree: Any, place: Place = ()) -> Iterator[Place]:
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield (*place, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*place, key))


def _simpler(tree: Any, place: Place) -> Iterator[Any]:
    """Return trees without a value, or with something simpler in its place."""
    *above, last = place
    without = copy.deepcopy(tree)
    holder = _at(without, above)
    value = holder.pop(last)
    yield without
    if isinstance(value, dict) and value:
        for part in value.values():
            if isinstance(part, dict | list | str):
                yield _with(tree, place, part)
        if any(key[:1].isupper() for key in value) and len(value) > 1:
            yield _with(tree, place, {k: v for k, v in value.items() if k[:1].isupper()})
    if isinstance(value, list) and len(value) == 1:
        yield _with(tree, place, value[0])
    if isinstance(value, dict | str) and len(place) > 1 and value != "Identity":
        yield _with(tree, place, "Identity")
    if type(value) is int and value > 2:
        yield _with(tree, place, 2)


def _at(tree: Any, place: list[Any]) -> Any:
    for key in place:
        tree = tree[key]
    return tree


def _with(tree: Any, place: Place, value: Any) -> Any:
    changed = copy.deepcopy(tree)
    _at(changed, list(place[:-1]))[place[-1]] = value
    return changed


def main() -> None:
    """Print the smallest file of each kind of disagreement."""
    torch.set_num_threads(1)
    file = Path(sys.argv[1]).read_text()
    for one in Comparison(file).run():
        found = smaller(file, one.kind)
        what = next(d.what for d in Comparison(found).run() if d.kind == one.kind)
        sys.stdout.write(f"# {one.kind}: {what}\n{found}")


if __name__ == "__main__":
    main()
