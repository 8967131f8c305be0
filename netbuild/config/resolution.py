"""A config with its base files, settings and defaults written out; differences of two configs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from netbuild.components.component import Component
from netbuild.components.files import real
from netbuild.config.sections import SECTIONS
from netbuild.syntax.dump import dump
from netbuild.syntax.node import List, Map, Scalar, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.config.blocks import Definition, Foreign
    from netbuild.config.config import Config
    from netbuild.config.losses import LossTerm
    from netbuild.config.metrics import MetricTerm
    from netbuild.config.optimizer import Optimizing
    from netbuild.config.pretrained import Pretrained
    from netbuild.config.scheduler import Schedule
    from netbuild.syntax.node import Node


def differences(before: Config, after: Config) -> list[str]:
    """Return the differences between two configs as `path: value → value`."""
    return list(_differences("", resolved_values(before), resolved_values(after)))


def _differences(path: str, before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            inner = f"{path}.{name}" if path else str(name)
            yield from _differences(inner, before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{path}.{number}", one, other)
    elif before != after:
        yield f"{path}: {_brief(before)} → {_brief(after)}"


#: Characters of a value, so that a path and two values fit in a line of a terminal.
_BRIEF = 24


def _brief(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= _BRIEF else f"{text[: _BRIEF - 1]}…"


def resolved(config: Config) -> str:
    """Return an equal config as text, without base files, settings or omitted defaults."""
    return dump(resolved_values(config))


def resolved_values(config: Config) -> dict[str, Any]:
    """Return the sections of `resolved`, in their order."""
    values = {n: _written(e.value) for n, e in config.root.entries.items() if n != "extends"}
    values["name"] = config.name
    if any(block and block.file for block in config.blocks.values()):
        values["blocks"] = _blocks(config.root, config.blocks)
    if config.losses:
        losses = [_loss(term) for term in config.losses]
        values["loss"] = losses if len(losses) > 1 else losses[0]
    if config.optimizers:
        optimizers = [_optimizer(one) for one in config.optimizers]
        values["optimizer"] = optimizers if config.optimizers[0].listed else optimizers[0]
    if config.metrics:
        values["metrics"] = [_metric(term) for term in config.metrics]
    if config.scheduler is not None:
        values["scheduler"] = _schedule(config.scheduler)
    if config.data is not None:
        paths = {name: _anywhere(getattr(config.data, name)) for name in config.data.paths}
        source = {type(config.data).__name__: _explicit(config.data) | paths}
        values["data"] = source | _explicit(config.preparation)
    if config.pretrained:
        files = [_file(given.pretrained) for given in config.pretrained]
        values["pretrained"] = files if len(files) > 1 else files[0]
    values["train"] = _explicit(config.train)
    order = sorted(values, key=SECTIONS.index)
    return {name: values[name] for name in order}


def _blocks(root: Map, blocks: Mapping[str, Definition | None]) -> dict[str, Any]:
    """Return the definitions of blocks, with the sections of a file in place of its path."""
    written: dict[str, Any] = _written(root.entries["blocks"].value)
    files = {name: block.file for name, block in blocks.items() if block and block.file}
    return written | {name: {"file": _sections(file)} for name, file in files.items()}


def _sections(file: Foreign) -> dict[str, Any]:
    """Return the sections of a file that go with its layers."""
    kept = ("vars", "blocks", "input", "inputs", "layers", "outputs", "init")
    values = {name: _written(e.value) for name, e in file.root.entries.items() if name in kept}
    if "blocks" in values:
        values["blocks"] = _blocks(file.root, file.blocks)
    return {name: values[name] for name in kept if name in values}


def _anywhere(path: str | None) -> str | None:
    """Return an absolute path; None for None."""
    return path and real(path)


def _written(node: Node) -> Any:
    """Return a node as plain values, with the paths beside its stacks as seen from anywhere."""
    if isinstance(node, List):
        return [_written(item) for item in node.items]
    if not isinstance(node, Map):
        return plain(node)
    values = {name: _written(entry.value) for name, entry in node.entries.items()}
    is_part = "layers" in values or any(name[:1].isupper() for name in values)
    if is_part and "pretrained" in values:
        values["pretrained"] = _beside(node.entries["pretrained"].value)
    return values


def _beside(node: Node) -> Any:
    """Return the files of weights beside a stack, with absolute paths."""
    if isinstance(node, List):
        return [_beside(item) for item in node.items]
    if isinstance(node, Map):
        files = {name: _beside(e.value) for name, e in node.entries.items() if name == "file"}
        return plain(node) | files
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return _anywhere(str(Path(node.span.document.name).parent / node.value))
    return plain(node)


def _file(pretrained: Pretrained) -> dict[str, Any]:
    """Return a file of weights with its absolute path."""
    return _explicit(pretrained) | {"file": _anywhere(pretrained.file)}


def _loss(term: LossTerm) -> dict[str, Any]:
    """Return a loss with its modifiers."""
    found: dict[str, Any] = {type(term.loss).__name__: _explicit(term.loss)}
    if term.reads:
        found["inputs"] = [wire.outside for wire in term.reads]
    if term.target is not None:
        found["target"] = term.target
    if term.named:
        found["name"] = term.name
    return found | ({"weight": term.weight} if term.weight != 1 else {})


def _metric(term: MetricTerm) -> Any:
    """Return a metric with its modifiers; a run of an earlier release keeps its former name."""
    if term.former:
        return term.former
    reads = {"inputs": term.reads[0].outside} if term.reads else {}
    names = {n: v for n, v in (("target", term.target), ("name", term.name)) if v is not None}
    return {type(term.metric).__name__: _explicit(term.metric)} | reads | names


def _optimizer(one: Optimizing) -> dict[str, Any]:
    """Return an optimizer with its modifiers."""
    found: dict[str, Any] = {type(one.optimizer).__name__: _explicit(one.optimizer)}
    if one.groups:
        found["groups"] = [
            {"match": group.match} | {name: _plain(v) for name, v in group.options.items()}
            for group in one.groups
        ]
    lists = (("match", one.match), ("type", one.types), ("losses", one.losses))
    found |= {name: list(value) for name, value in lists if value}
    found |= {"every": one.every} if one.every > 1 else {}
    return found | ({"scheduler": _schedule(one.schedule)} if one.schedule else {})


def _schedule(schedule: Schedule) -> dict[str, Any]:
    """Return a scheduler with its modifiers."""
    warmup = {} if schedule.warmup is None else {"warmup": schedule.warmup}
    return {**_plain(schedule.scheduler), "step": schedule.step, **warmup}


def _explicit(component: Component) -> dict[str, Any]:
    """Return all fields with their values, in types of YAML."""
    return {name: _plain(getattr(component, name)) for name in type(component).model_fields}


def _plain(value: Any) -> Any:
    if isinstance(value, Component):
        return {type(value).__name__: _explicit(value)}
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
