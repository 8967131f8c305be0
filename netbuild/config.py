"""A file as a whole: what it extends, what `--set` changes, and what its sections mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild import source as yaml_source
from netbuild.component import Component
from netbuild.diagnostic import ConfigError, Diagnostic, Document, Span, errors, reason
from netbuild.emit import dump
from netbuild.item import kind
from netbuild.node import Map, Node, Scalar, plain
from netbuild.overlay import apply_setting, merge
from netbuild.sections import SECTIONS, Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from netbuild.block import Definition
    from netbuild.budget import Budget
    from netbuild.data import Preparation
    from netbuild.data.dataset import Dataset
    from netbuild.groups import Group
    from netbuild.hyperparameters import Train
    from netbuild.initialisation import Rule
    from netbuild.layers.layer import Shape, Tensor
    from netbuild.losses import Loss
    from netbuild.optimizers import Optimizer
    from netbuild.pretrained import Pretrained
    from netbuild.schedule import Schedule
    from netbuild.source import Source
    from netbuild.terms import Term

MAX_BASES = 10


class Config(NamedTuple):
    """A file with its sections read; what has a fault or is absent is None or its default."""

    document: Document
    root: Map
    name: str
    names: Mapping[str, Any]
    blocks: Mapping[str, Definition | None]
    inputs: Mapping[str, Tensor | None]
    layers: Node | None
    init: tuple[Rule, ...]
    pretrained: Pretrained | None
    #: The losses, of which the training makes the weighted sum small.
    terms: tuple[Term, ...]
    metrics: tuple[str, ...]
    optimizer: Optimizer | None
    groups: tuple[Group, ...]
    scheduler: Schedule | None
    data: Dataset | None
    preparation: Preparation
    train: Train
    budget: Budget
    #: How large objects are, of the inputs that say it.
    object_sizes: Mapping[str, int | Shape]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def start(self) -> Span:
        """The first character of the file, where a fault has no better place."""
        return Span(self.document, 1, 1, 1, 2)

    @property
    def loss(self) -> Loss | None:
        """The loss, or the first of several; None where there is none."""
        return self.terms[0].loss if self.terms else None

    @property
    def input(self) -> Tensor | None:
        """The only input of the network; None where there are several, or none is known."""
        return next(iter(self.inputs.values())) if len(self.inputs) == 1 else None

    @property
    def written_inputs(self) -> dict[str, Node]:
        """The inputs of the network as they are written, by name."""
        one, several = self.root.get("input"), self.root.get("inputs")
        if isinstance(several, Map):
            return {name: entry.value for name, entry in several.entries.items()}
        return {} if one is None else {"input": one}

    def input_span(self, name: str) -> Span:
        """Return where an input of the network is written."""
        inputs = self.root.get("inputs")
        if isinstance(inputs, Map) and name in inputs.entries:
            return inputs.entries[name].key.span
        return self.span("input")

    def span(self, section: str) -> Span:
        """Return where a section's value stands: what faults that concern all of it point at."""
        node = self.root.get(section)
        return node.span if node else self.root.span


def load(path: str | Path, set: Sequence[str] = ()) -> Config:  # noqa: A002  the option's name
    """Read a config from a file, with `path=value` settings applied.

    >>> load("configs/lenet.yaml", set=["train.epochs=3"]).train.epochs
    3

    Raises:
        ConfigError: the file has faults; `.diagnostics` holds all of them.
        OSError: the file cannot be read.
    """
    config = read(yaml_source.from_file(Path(path)), set)
    if errors(config.diagnostics):
        raise ConfigError(config.diagnostics)
    return config


def read(source: Source, settings: Iterable[str] = (), shape: Shape | None = None) -> Config:
    """Read the sections of a source, collecting faults instead of raising.

    `shape` is another one for its input; the data, which has the old one, is left out.
    """
    faults = list(source.diagnostics)
    root = _root(source, faults)
    root = _extended(root, source.document, faults, ())
    for setting in settings:
        root = apply_setting(root, setting, SECTIONS, faults)
    sections = Reader(source.document, root, faults)
    inputs = sections.inputs() if shape is None else sections.input_of(shape)
    data, preparation = sections.data()
    optimizer, groups = sections.optimizer()
    train = sections.train()
    terms = sections.terms()
    return Config(
        document=source.document,
        root=root,
        name=sections.name(),
        names=sections.names,
        blocks=sections.blocks(),
        inputs=inputs,
        layers=sections.layers(),
        init=sections.init(),
        pretrained=sections.pretrained(),
        terms=terms,
        metrics=sections.metrics(terms[0].loss if terms else None),
        optimizer=optimizer,
        groups=groups,
        scheduler=sections.scheduler(optimizer, groups, data, preparation, train),
        data=data if shape is None else None,
        preparation=preparation,
        train=train,
        budget=sections.budget(),
        object_sizes=sections.object_sizes,
        diagnostics=tuple(faults),
    )


def _root(source: Source, faults: list[Diagnostic]) -> Map:
    if isinstance(source.root, Map):
        return source.root
    if source.root is not None:
        span, label = (
            source.root.span,
            f"a config is a mapping of sections, not {kind(source.root)}",
        )
        help_ = "begin with input: … and layers: …"
        faults.append(Diagnostic("NB108", "this is no config", span, label, help=help_))
    return Map({}, Span(source.document, 1, 1, 1, 1))


def _extended(
    root: Map, document: Document, faults: list[Diagnostic], below: tuple[Path, ...]
) -> Map:
    """Return the file laid over the one that it extends, and that over its own."""
    base = root.get("extends")
    if base is None:
        return root
    title = "a base file that cannot be extended"
    if not isinstance(base, Scalar) or not isinstance(base.value, str):
        label = f"extends wants the path of a file, not {kind(base)}"
        faults.append(Diagnostic("NB111", title, base.span, label))
        return root
    path = Path(document.name).parent / base.value
    chain = (*below, Path(document.name).resolve())
    label = ""
    if path.resolve() in chain:
        label = f"{base.value} extends this file in turn"
    elif len(chain) > MAX_BASES:
        label = f"more than {MAX_BASES} files extend one another"
    else:
        try:
            source = yaml_source.from_file(path)
        except (OSError, ValueError) as error:
            label = f"{base.value}: {reason(error)}"
    if label:
        faults.append(Diagnostic("NB111", title, base.span, label))
        return root
    faults.extend(source.diagnostics)
    under = _extended(_root(source, faults), source.document, faults, chain)
    return merge(under, root)


def differences(before: Config, after: Config) -> list[str]:
    """Return what a config has otherwise than another one, as `path: value → value`."""
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


#: So that two of them stand in a line of a terminal, behind a path.
_BRIEF = 24


def _brief(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= _BRIEF else f"{text[: _BRIEF - 1]}…"


def resolved(config: Config) -> str:
    """Return the text of a config that means the same without its base, settings and defaults."""
    return dump(resolved_values(config))


def resolved_values(config: Config) -> dict[str, Any]:
    """Return the sections of `resolved`, in their order."""
    values = {name: plain(e.value) for name, e in config.root.entries.items() if name != "extends"}
    values["name"] = config.name
    if config.terms:
        terms = [_term(term) for term in config.terms]
        values["loss"] = terms if len(terms) > 1 else terms[0]
    if config.optimizer is not None:
        values["optimizer"] = {type(config.optimizer).__name__: _explicit(config.optimizer)}
    if config.metrics:
        values["metrics"] = list(config.metrics)
    if config.groups:
        values["optimizer"]["groups"] = [
            {"match": group.match} | {name: _plain(v) for name, v in group.options.items()}
            for group in config.groups
        ]
    if config.scheduler is not None:
        values["scheduler"] = {**_plain(config.scheduler.scheduler), "step": config.scheduler.step}
    if config.data is not None:
        paths = {name: _anywhere(getattr(config.data, name)) for name in config.data.paths}
        source = {type(config.data).__name__: _explicit(config.data) | paths}
        values["data"] = source | _explicit(config.preparation)
    if config.pretrained is not None:
        file = {"file": _anywhere(config.pretrained.file)}
        values["pretrained"] = _explicit(config.pretrained) | file
    values["train"] = _explicit(config.train)
    order = sorted(values, key=SECTIONS.index)
    return {name: values[name] for name in order}


def _anywhere(path: str | None) -> str | None:
    """Return a path that means the same seen from any folder."""
    return path and str(Path(path).resolve())


def _term(term: Term) -> dict[str, Any]:
    """Return a loss with what stands beside it."""
    reads = {"inputs": [wire.outside for wire in term.reads]} if term.reads else {}
    weight = {"weight": term.weight} if term.weight != 1 else {}
    return {type(term.loss).__name__: _explicit(term.loss)} | reads | weight


def _explicit(component: Component) -> dict[str, Any]:
    """Return all fields with their values, as YAML can hold them."""
    return {name: _plain(getattr(component, name)) for name in type(component).model_fields}


def _plain(value: Any) -> Any:
    if isinstance(value, Component):
        return {type(value).__name__: _explicit(value)}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
