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
from netbuild.config.optimizer import read_optimizer
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
from netbuild.diagnostics.diagnostic import Diagnostic, Document, Span, errors
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.diagnostics.wording import reason, suggest
from netbuild.syntax import parser as yaml_source
from netbuild.syntax.item import kind
from netbuild.syntax.node import Map, Scalar, is_null
from netbuild.syntax.overlay import apply_setting, merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netbuild.components.optimizers.optimizer import Optimizer
    from netbuild.components.tensor import Shape
    from netbuild.config.data import Data
    from netbuild.config.losses import LossTerm
    from netbuild.config.parameter_groups import Group
    from netbuild.config.scheduler import Schedule
    from netbuild.diagnostics.diagnostic import Found
    from netbuild.syntax.parser import Source

MAX_BASES = 10

T = TypeVar("T")


def load(path: str | Path, set: Sequence[str] = ()) -> Config:  # noqa: A002  the option's name
    """Read a config from a file, with `path=value` settings applied.

    >>> load("configs/lenet.yaml", set=["train.epochs=3"]).train.epochs
    3

    Raises:
        ConfigError: the file has faults; `.diagnostics` holds all of them.
        OSError: the file cannot be read.
    """
    if isinstance(set, str):
        message = f"set wants a list of settings, such as [{set!r}]"
        raise TypeError(message)
    config = read(yaml_source.from_file(Path(path)), set)
    if errors(config.diagnostics):
        raise ConfigError(config.diagnostics)
    return config


def read(source: Source, settings: Iterable[str] = (), shape: Shape | None = None) -> Config:
    """Read the sections of a source. Faults are collected and not raised.

    `shape` replaces the shape of the input. The config then has no data, because its samples have
    the old shape.
    """
    root, unreadable = _root(source, settings)
    # A file that cannot be read, or its base, may have the missing sections.
    needed = bool(root.entries or not unreadable) and "NB111" not in {f.code for f in unreadable}
    faults = [*unreadable, *unknown_sections(root)]

    def take(step: Found[T]) -> T:
        value, wrong = step
        faults.extend(wrong)
        return value

    sections = Sections(source.document, root, take(read_variables(root)), {})
    inputs = take(
        read_inputs(sections, needed=needed) if shape is None else input_of(sections, shape)
    )
    data = take(read_data(sections))
    optimizer, groups = take(read_optimizer(sections))
    train = take(sections.fields("train", Train, "epochs: 10"))
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
        optimizer=optimizer,
        groups=groups,
        scheduler=take(_scheduler(sections, optimizer, groups, data, train)),
        data=data.source if shape is None else None,
        preparation=data.preparation,
        train=train,
        budget=take(sections.fields("budget", Budget, "params: 5M")),
        object_sizes=inputs.object_sizes,
        items=sections.items,
        diagnostics=tuple(faults),
    )


def _scheduler(
    sections: Sections,
    optimizer: Optimizer | None,
    groups: Sequence[Group],
    data: Data,
    train: Train,
) -> Found[Schedule | None]:
    """Read the section `scheduler:`, and compare it with the length of the training."""
    if sections.root.get("scheduler") is None:
        return None, ()  # most files have no scheduler, and then its modules are not imported
    from netbuild.components.schedulers import SCHEDULERS
    from netbuild.config.scheduler import Training, read_schedule

    item, faults = sections.item("scheduler", "scheduler", SCHEDULERS)
    if item is None:
        return None, faults
    samples = data.source.size if data.source else None
    steps = train.steps(samples - data.preparation.held_out(samples)) if samples else None
    grouped = any("lr" in group.options for group in groups)
    schedule, wrong = read_schedule(item, Training(optimizer, train.epochs, steps, grouped))
    return schedule, (*faults, *wrong)


def _root(source: Source, settings: Iterable[str]) -> Found[Map]:
    """Return the sections of a file, merged with its base files and changed by the settings."""
    root, faults = _mapping(source)
    root, wrong = _extended(root, source.document, ())
    faults = (*source.diagnostics, *faults, *wrong)
    for setting in settings:
        root, wrong = apply_setting(root, setting, SECTIONS)
        faults += wrong
    return root, faults


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


def _extended(root: Map, document: Document, extending: tuple[object, ...]) -> Found[Map]:
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
    label, source = "", None
    if (there := identity(path)) is not None and there in chain:
        label = f"{base.value} extends this file in turn"
    elif len(chain) > MAX_BASES:
        label = f"more than {MAX_BASES} files extend one another"
    else:
        try:
            source = yaml_source.from_file(path)
            label = f"{base.value}: {refusal}" if (refusal := _no_config(source)) else ""
        except OSError as error:
            label = f"{base.value}: {reason(error)}"
    if label or source is None:
        # Not the faults of that file: they would quote it.
        help_ = f"netbuild validate {path} says more" if source else None
        return root, (Diagnostic("NB111", title, base.span, label, help=help_),)
    under, faults = _mapping(source)
    under, wrong = _extended(under, source.document, chain)
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
