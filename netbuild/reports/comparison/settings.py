"""The settings that differ among runs, by their paths in `--set`.

Runs of one network are compared with one another. Items of different types are shown whole, without
the arguments that have their default; lists of other lengths by what was put in and taken out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.reports.difference.settings import text_of, type_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.runs.records import Record

#: The sections that settings are shown of, the ones that are tried out most often first.
_ORDER = ("optimizer", "scheduler", "train", "vars", "data", "loss", "init", "layers", "blocks")
#: The sections that belong to one network alone.
_OWN = {"layers", "blocks", "vars"}
#: The most items that are named of what a list has more or less, and the most of a text.
_MOST_ITEMS, _MOST_TEXT = 3, 28


class Setting(NamedTuple):
    """A setting that is not the same in all runs: its path, and a value and a text for each run.

    A run that does not have it has None, and an empty text.
    """

    path: str
    values: tuple[Any, ...]
    texts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The last part of the path; of a position or a field there, the parts before it, too."""
        parts = self.path.split(".")
        count = next((n for n in (1, 2) if parts[-n:][0].isdecimal()), 0)
        return ".".join(parts[-count - 1 :])


def differing(records: Sequence[Record]) -> list[Setting]:
    """Return the settings that differ among runs of the same network, in the order of sections."""
    paths: dict[str, dict[int, tuple[Any, str]]] = {}
    groups: dict[str, list[int]] = {}
    for number, record in enumerate(records):
        if record.sections:
            groups.setdefault(record.name, []).append(number)
    for numbers in groups.values():
        for path, values in _differences("", [_shown(records[n].sections) for n in numbers]):
            texts = _texts(values)
            told = dict(zip(numbers, zip(values, texts, strict=True), strict=True))
            paths.setdefault(path, {}).update(told)
    for path, told in paths.items():  # other networks have a value there, too
        if path.partition(".")[0] in _OWN:
            continue
        for number, record in enumerate(records):
            if number not in told and (value := at(record.sections, path)) is not None:
                told[number] = value, _brief(value)
    return sorted((_setting(p, told, len(records)) for p, told in paths.items()), key=_place)


def _setting(path: str, told: Mapping[int, tuple[Any, str]], count: int) -> Setting:
    each = [told.get(number, (None, "")) for number in range(count)]
    return Setting(path, tuple(v for v, _ in each), tuple(text for _, text in each))


def _shown(sections: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sections.items() if name != "name"}


def _place(setting: Setting) -> int:
    section = setting.path.partition(".")[0]
    return _ORDER.index(section) if section in _ORDER else len(_ORDER)


def at(sections: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path such as `optimizer.SGD.lr`; None without."""
    value: Any = sections
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of every setting."""
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        inner = enumerate(value)
    if not inner:
        yield path, value
    for name, one in inner:
        yield from flat(one, f"{path}.{name}" if path else str(name))


def _differences(path: str, values: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the paths at which values differ, with the value of each."""
    first = values[0]
    if all(value == first for value in values):
        return
    if all(isinstance(value, dict) for value in values) and len({*map(type_of, values)}) == 1:
        for name in dict.fromkeys(name for value in values for name in value):
            inner = f"{path}.{name}" if path else str(name)
            yield from _differences(inner, [value.get(name) for value in values])
    elif _lists(values) and len({*map(len, values)}) == 1:
        for number, parts in enumerate(zip(*values, strict=True)):
            yield from _differences(f"{path}.{number}", list(parts))
    else:
        yield path, values


def _lists(values: list[Any]) -> bool:
    """Whether all values are lists, and any of them is a list of items."""
    lists = all(isinstance(value, list) for value in values)
    return lists and any(isinstance(one, dict) for value in values for one in value)


def _texts(values: list[Any]) -> list[str]:
    """Return a short text for each value: of lists of items, what differs from the first list."""
    if _lists(values):
        return [_items(values[0], value) for value in values]
    brief = [_brief(value) for value in values]
    whole = [text_of(value) for value in values]
    if len({*brief}) == len({*whole}):
        return brief
    return [  # long texts that begin alike differ at their ends
        text if len(text) <= _MOST_TEXT else f"…{text[1 - _MOST_TEXT :]}" for text in whole
    ]


def _brief(value: Any) -> str:
    said = text_of(value)
    if type_of(value) and said.startswith("{"):
        said = said[1:-1]
    return said if len(said) <= _MOST_TEXT else f"{said[: _MOST_TEXT - 1]}…"


def _items(first: list[Any], items: list[Any]) -> str:
    """Return how a list differs from another one: `12 items`, or `+Dropout −ReLU ~Linear`."""
    from difflib import SequenceMatcher

    a, b = ([repr(item) for item in each] for each in (first, items))
    if a == b:
        return f"{len(items)} item{'s' * (len(items) != 1)}"
    found = []
    for _, i, j, k, m in SequenceMatcher(a=a, b=b, autojunk=False).get_opcodes():
        if a[i:j] == b[k:m]:
            continue
        gone, new = [_called(item) for item in first[i:j]], [_called(item) for item in items[k:m]]
        found += [f"−{name}" for name in gone if name not in new]
        found += [f"{'~' if name in gone else '+'}{name}" for name in new]
    more = f" … {len(found) - _MOST_ITEMS} more" if len(found) > _MOST_ITEMS else ""
    return " ".join(found[:_MOST_ITEMS]) + more


def _called(item: Any) -> str:
    if isinstance(item, dict):
        return type_of(item) or next(iter(item), "item")
    return str(item)
