"""The values that differ outside the network: losses, metrics, optimizers, data, the training.

Losses and metrics are paired by their names in the run, and optimizers by their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.datasets import DATASETS
from netbuild.components.losses import LOSSES
from netbuild.components.metrics import METRICS
from netbuild.components.optimizers import OPTIMIZERS
from netbuild.components.schedulers import SCHEDULERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.config.config import Config


class SettingChange(NamedTuple):
    """A value that differs: its path, and its text before and after; "" where it is absent."""

    path: str
    before: str
    after: str


class _Absent:
    """A value that one of the two files does not have."""


_ABSENT = _Absent()


class _Several(dict[str, Any]):
    """Items that are paired by their names."""


def changed(
    section: str, before: Mapping[str, Any], after: Mapping[str, Any], a: Config, b: Config
) -> tuple[SettingChange, ...]:
    """Return the differences of a section, given all resolved values of two configs."""
    if section == "pretrained":
        return ()  # its files are compared with those beside stacks
    old, new = before.get(section, _ABSENT), after.get(section, _ABSENT)
    alone = not (len(a.optimizers) > 1 or len(b.optimizers) > 1)
    pair = [_paired(section, value, config, alone=alone) for value, config in ((old, a), (new, b))]
    return tuple(_differences(section, *pair)) or (SettingChange(section, _text(old), _text(new)),)


def _paired(section: str, value: Any, config: Config, *, alone: bool) -> Any:
    """Return the value of a section, with names in place of positions where there are names."""
    parts = value if isinstance(value, list) else [value]
    if section == "loss" and config.losses:
        named = zip(config.losses, parts, strict=True)
        return _Several({term.name: {**part, "weight": term.weight} for term, part in named})
    if section == "metrics":
        keys = [term.key for term in config.metrics]
        return _Several(zip(keys, parts, strict=True) if keys else {})
    if section == "optimizer" and config.optimizers:
        several = {str(n): {**one, "every": one.get("every", 1)} for n, one in enumerate(parts, 1)}
        return several["1"] if alone else _Several(several)
    return value


def _differences(path: str, before: Any, after: Any) -> Iterator[SettingChange]:
    """Yield the values that differ. Of items of two types, the arguments are shown as a whole."""
    if before == after:
        return
    if not (isinstance(before, dict) and isinstance(after, dict)):
        yield SettingChange(path, _text(before), _text(after))
        return
    kinds = type_of(before), type_of(after)
    if kinds[0] != kinds[1]:
        yield SettingChange(path, *(_text(_item(value)) for value in (before, after)))
    for name in dict.fromkeys([*before, *after]):
        if name in kinds and kinds[0] != kinds[1]:
            continue
        repeated = name in kinds and path.rpartition(".")[2] == name
        inner = path if repeated else f"{path}.{name}"
        yield from _differences(inner, before.get(name, _ABSENT), after.get(name, _ABSENT))


def type_of(value: Any) -> str | None:
    """Return the type of an item; None for any other value."""
    if isinstance(value, _Several) or not isinstance(value, dict):
        return None
    return next((name for name in value if name[:1].isupper()), None)


def _item(value: dict[str, Any]) -> Any:
    """Return an item without its modifiers."""
    kind = type_of(value)
    return _ABSENT if kind is None else {kind: value[kind]}


def _text(value: Any) -> str:
    """Return the text of a value; "" where it is absent."""
    return "" if value is _ABSENT else text_of(value)


def text_of(value: Any) -> str:
    """Return a value as a file has it, without the arguments that have their default."""
    if isinstance(value, dict):
        return _mapping(value)
    if isinstance(value, list):
        return f"[{', '.join(map(text_of, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _mapping(value: dict[str, Any]) -> str:
    kind = type_of(value)
    parts = []
    for name, one in value.items():
        own = _without_defaults(name, one) if name == kind else one
        if name == kind and own in ({}, None):
            parts.append(name)
        elif kind is None or (name, own) not in (("weight", 1.0), ("every", 1)):
            parts.append(f"{name}: {text_of(own)}")
    return parts[0] if parts == [kind] else f"{{{', '.join(parts)}}}"


def _without_defaults(kind: str, arguments: Any) -> Any:
    """Return the arguments of an item that differ from their defaults."""
    families = (LOSSES, METRICS, OPTIMIZERS, SCHEDULERS, DATASETS)
    component = next((family[kind] for family in families if kind in family), None)
    if component is None or not isinstance(arguments, dict):
        return arguments
    defaults = {name: field.default for name, field in component.model_fields.items()}
    lists = {n: list(v) if isinstance(v, tuple) else v for n, v in defaults.items()}
    return {name: v for name, v in arguments.items() if name not in lists or lists[name] != v}
