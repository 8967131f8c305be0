"""Load a config: read its file and its base files, and apply the settings of `--set`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from netbuild.components.files import identity
from netbuild.components.layers import LAYERS
from netbuild.config.blocks import read_blocks
from netbuild.config.budget import Budget
from netbuild.config.config import Config
from netbuild.config.data import read_data
from netbuild.config.init import read_rules
from netbuild.config.inputs import input_of, read_inputs
from netbuild.config.losses import read_losses
from netbuild.config.metrics import measured, read_metrics
from netbuild.config.optimizer import read_optimizers
from netbuild.config.pretrained import read_pretrained
from netbuild.config.sections import (
    SECTIONS,
    Sections,
    read_layers,
    read_name,
    read_variables,
    unknown_sections,
)
from netbuild.config.train import Train
from netbuild.diagnostics.diagnostic import Diagnostic, Document, Fix, Span, collect, errors
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.diagnostics.wording import did_you_mean, reason, similar_path, suggest
from netbuild.syntax import parser as yaml_source
from netbuild.syntax.item import kind
from netbuild.syntax.node import Map, Scalar, is_null
from netbuild.syntax.overlay import apply_setting, merge, replaced_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netbuild.components.tensor import Shape
    from netbuild.config.data import Data
    from netbuild.config.losses import LossTerm
    from netbuild.config.optimizer import Optimizing
    from netbuild.config.scheduler import Schedule
    from netbuild.diagnostics.diagnostic import Faults, Found
    from netbuild.syntax.parser import Source

MAX_BASES = 10

T = TypeVar("T")


def load(path: str | Path, set: str | Sequence[str] = ()) -> Config:  # noqa: A002  the option's name
    """Read a config from a file, with a `path=value` setting applied, or with several.

    >>> load("configs/lenet.yaml", set=["train.epochs=3"]).train.epochs
    3

    Raises:
        ConfigError: the file has faults; `.diagnostics` holds all of them.
        OSError: the file cannot be read.
    """
    settings = [set] if isinstance(set, str) else set
    config = read(yaml_source.from_file(Path(path)), settings)
    if errors(config.diagnostics):
        raise ConfigError(config.diagnostics)
    return config


def read(
    source: Source,
    settings: Iterable[str] = (),
    shape: Shape | None = None,
    opened: Callable[[Path], Source] = yaml_source.from_file,
) -> Config:
    """Read the sections of a source. Faults are collected and not raised.

    `shape` replaces the shape of the input. The config then has no data, because its samples have
    the old shape. `opened` reads a base file.
    """
    settings = tuple(settings)
    (root, replaced), unreadable = _root(source, settings, opened)
    config = _read(source, root, unreadable, shape)
    return config._replace(settings=settings, shape=shape, replaced=replaced)


def _read(source: Source, root: Map, unreadable: Faults, shape: Shape | None) -> Config:
    """Read the sections of a tree; `unreadable` are the faults of its text."""
    # A file that cannot be read, or its base, may have the missing sections.
    needed = bool(root.entries or not unreadable) and "NB111" not in {f.code for f in unreadable}
    faults = [*unreadable, *unknown_sections(root)]

    def take(step: Found[T]) -> T:
        value, wrong = step
        faults.extend(wrong)
        return value

    sections = Sections(source.document, root, take(read_variables(root)), {})
    found = read_inputs(sections, needed=needed) if shape is None else input_of(sections, shape)
    inputs = take(found)
    data = take(read_data(sections))
    optimizers = take(read_optimizers(sections))
    train = take(sections.fields("train", Train, "epochs: 10"))
    optimizers, schedule = take(_schedules(sections, optimizers, data, train))
    losses: tuple[LossTerm, ...] = take(sections.read("loss", read_losses, ()))
    loss = losses[0].loss if losses else None
    return Config(
        document=source.document,
        root=root,
        name=take(read_name(sections)),
        names=sections.names,
        blocks=take(read_blocks(root.get("blocks"))),
        inputs=inputs.tensors,
        layers=take(read_layers(sections, needed=needed)),
        init=take(sections.read("init", lambda node: read_rules(node, LAYERS), ())),
        pretrained=take(sections.read("pretrained", read_pretrained, None)),
        losses=losses,
        metrics=take(
            sections.read("metrics", lambda node: read_metrics(node, loss), measured(loss))
        ),
        optimizers=optimizers,
        scheduler=schedule,
        data=data.source if shape is None else None,
        preparation=data.preparation,
        train=train,
        budget=take(sections.fields("budget", Budget, "params: 5M")),
        object_sizes=inputs.object_sizes,
        items=sections.items,
        diagnostics=tuple(faults),
    )


def _schedules(
    sections: Sections, optimizers: tuple[Optimizing, ...], data: Data, train: Train
) -> Found[tuple[tuple[Optimizing, ...], Schedule | None]]:
    """Read the schedules beside the optimizers, and that of the section `scheduler:`.

    They are compared with the length of the training.
    """
    beside = any("scheduler" in one.item.modifiers for one in optimizers)
    if not beside and sections.root.get("scheduler") is None:
        return (optimizers, None), ()  # most files have none, and do not import its modules
    from netbuild.config.scheduler import Training
    from netbuild.config.schedules import read_beside, read_section

    samples = data.source.size if data.source else None
    steps = train.steps(samples - data.preparation.held_out(samples)) if samples else None
    trainings = [Training(o.optimizer, train.epochs, steps, o.grouped) for o in optimizers]
    several, faults = collect(map(read_beside, optimizers, trainings))
    first = trainings[0] if trainings else Training(None, train.epochs, steps)
    schedule, wrong = read_section(sections, several, first)
    return (tuple(several), schedule), (*faults, *wrong)


def _root(
    source: Source, settings: Iterable[str], opened: Callable[[Path], Source]
) -> Found[tuple[Map, tuple[tuple[Span, str], ...]]]:
    """Return the sections of a file, merged with its base files and changed by the settings.

    The settings that replace a value come with its place.
    """
    root, faults = _mapping(source)
    root, wrong = _extended(root, source.document, (), opened)
    faults = (*source.diagnostics, *faults, *wrong)
    replaced = []
    for setting in settings:
        old = replaced_value(root, setting)
        if old is not None:
            replaced.append((old, setting))
        root, wrong = apply_setting(root, setting, SECTIONS)
        faults += tuple(_with_full_path(fault, root, setting) for fault in wrong)
    return (root, tuple(replaced)), faults


def _with_full_path(fault: Diagnostic, root: Map, setting: str) -> Diagnostic:
    """Return the fault of a setting with the full path that its author may have meant."""
    from netbuild.config import misplaced

    paths = misplaced.full_paths(root, setting)
    if fault.code != "NB112" or not paths:
        return fault
    return fault._replace(help=f"did you mean --set {' or --set '.join(paths)}?")


def _mapping(source: Source) -> Found[Map]:
    """Return the root of a file; an empty mapping if the root is not a mapping."""
    if isinstance(source.root, Map):
        return source.root, ()
    empty = Map({}, Span(source.document, 1, 1, 1, 1))
    if source.root is None:
        return empty, ()
    label = f"a config is a mapping of sections, not {kind(source.root)}"
    help_ = "begin with input: … and layers: …"
    title = "this file is not a config"
    return empty, (Diagnostic("NB108", title, source.root.span, label, help=help_),)


def _extended(
    root: Map, document: Document, extending: tuple[object, ...], opened: Callable[[Path], Source]
) -> Found[Map]:
    """Return a file merged into its base file, which is merged into its own base file first."""
    base = root.get("extends")
    if base is None or is_null(base):
        return root, ()
    title = "a base file that cannot be extended"
    if not isinstance(base, Scalar) or not isinstance(base.value, str):
        label = f"extends wants the path of a file, not {kind(base)}"
        return root, (Diagnostic("NB111", title, base.span, label),)
    path = Path(document.name).parent / base.value
    chain = (*extending, identity(document.name))
    label, help_, source = "", None, None
    fixes: tuple[Fix, ...] = ()
    if (there := identity(path)) is not None and there in chain:
        label = f"{base.value} extends this file in turn"
    elif len(chain) > MAX_BASES:
        label = f"more than {MAX_BASES} files extend one another"
    else:
        try:
            source = opened(path)
            label = f"{base.value}: {refusal}" if (refusal := _no_config(source)) else ""
            # Not the faults of that file: they would quote it.
            help_ = f"netbuild validate {path} says more" if label else None
        except (OSError, ValueError) as error:
            label = f"{base.value}: {reason(error)}"
            near = similar_path(base.value, Path(document.name).parent)
            help_, fixes = did_you_mean(base.value, (), base.span, near)
    if label or source is None:
        return root, (Diagnostic("NB111", title, base.span, label, help=help_, fixes=fixes),)
    under, faults = _mapping(source)
    under, wrong = _extended(under, source.document, chain, opened)
    return merge(under, root), (*source.diagnostics, *faults, *wrong)


def _no_config(source: Source) -> str:
    """Return why a base file is no config; an empty text if it is one.

    The text quotes nothing of the file, and its own faults, which would, are left out: a config of
    a stranger may extend a file with secrets. In a config every key is a section, or nearly one.
    """
    if source.root is None:
        fault = source.diagnostics[0]
        return f"line {fault.span.line} cannot be read ({fault.code})"
    if not isinstance(source.root, Map):
        return "it is not a config, which is a mapping of sections"
    for name, entry in source.root.entries.items():
        if name not in SECTIONS and suggest(name, SECTIONS) is None:
            return f"it is not a config: the key in line {entry.key.span.line} is not a section"
    return ""
