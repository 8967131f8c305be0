"""Load a config: read its file and its base files, and apply the settings of `--set`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from netbuild.components.layers import LAYERS
from netbuild.config.bases import Files, extended, mapping
from netbuild.config.block_files import BlockFiles
from netbuild.config.blocks import read_blocks
from netbuild.config.budget import Budget
from netbuild.config.config import Config
from netbuild.config.data import read_data
from netbuild.config.init import read_rules
from netbuild.config.inputs import input_of, read_inputs
from netbuild.config.losses import read_losses
from netbuild.config.metrics import read_metrics
from netbuild.config.optimizer import read_optimizers
from netbuild.config.pretrained import read_pretrained
from netbuild.config.sections import (
    SECTIONS,
    Sections,
    check_library,
    read_layers,
    read_name,
    read_variables,
    unknown_sections,
)
from netbuild.config.train import Train
from netbuild.diagnostics.diagnostic import collect, errors
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.syntax import parser as yaml_source
from netbuild.syntax.node import Map
from netbuild.syntax.overlay import apply_setting, replaced_value
from netbuild.syntax.parser import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from netbuild.components.tensor import Shape
    from netbuild.config.data import Data
    from netbuild.config.losses import LossTerm
    from netbuild.config.optimizer import Optimizing
    from netbuild.config.scheduler import Schedule
    from netbuild.diagnostics.diagnostic import Diagnostic, Faults, Found, Span

T = TypeVar("T")


def load(
    source: str | Path | Mapping[str, Any],
    set: str | Sequence[str] = (),  # noqa: A002  the option's name
) -> Config:
    """Read a config from a file, with a `path=value` setting applied, or with several.

    A mapping has the sections of a file as plain values of Python. Paths in it start from the
    current folder.

    >>> load("configs/lenet.yaml", set=["train.epochs=3"]).train.epochs
    3
    >>> load({"input": [4], "layers": [{"Linear": 3}]}).input
    Tensor(shape=(4,), dtype='float32')

    Raises:
        ConfigError: the config has faults; `.diagnostics` holds all of them.
        OSError: the file cannot be read.
    """
    if isinstance(source, str | Path):
        return _without_faults(read(yaml_source.from_file(Path(source)), _settings(set)))
    from netbuild.config.python_values import as_text

    text, faults = as_text(source)
    if faults:
        raise ConfigError(faults)
    return loads(text, set, name="<mapping>")


def loads(
    text: str,
    set: str | Sequence[str] = (),  # noqa: A002  the option's name
    *,
    name: str = "<text>",
) -> Config:
    """Read a config from the text of a file; `name` stands for its path in messages.

    Paths in the text start from the folder of `name`, which is the current one without it.

    >>> loads("{name: small, input: [4], layers: [Linear: 3]}").input
    Tensor(shape=(4,), dtype='float32')

    Raises:
        ConfigError: the config has faults; `.diagnostics` holds all of them.
    """
    if not isinstance(text, str):
        message = f"loads takes the text of a file, and no {type(text).__name__}: load takes others"
        raise TypeError(message)
    source = yaml_source.from_bytes(name, text.encode("utf-8", "surrogatepass"))
    return _without_faults(read(source, _settings(set)))


def changed(config: Config, values: Mapping[str, Any]) -> Config:
    """Return a config with other values, each at a path as in `--set`.

    Raises:
        ConfigError: there is no such path, or the config now has faults.
    """
    from netbuild.config.python_values import as_setting

    if not isinstance(values, Mapping):
        message = f"with_ takes a mapping of paths to values, and no {type(values).__name__}"
        raise TypeError(message)
    settings, wrong = collect(as_setting(path, value) for path, value in values.items())
    if wrong:
        raise ConfigError(wrong)
    # The tree has its base files already: they are not read again.
    entries = {name: entry for name, entry in config.root.entries.items() if name != "extends"}
    source = Source(config.document, Map(entries, config.root.span))
    found = read(source, settings, config.shape)
    if not config.inner_files and "pretrained" not in values:
        found = found._replace(pretrained=config.pretrained, inner_files=False)
    return _without_faults(
        found._replace(
            settings=(*config.settings, *settings),
            replaced=(*config.replaced, *found.replaced),
        )
    )


def _settings(given: str | Sequence[str]) -> Sequence[str]:
    return [given] if isinstance(given, str) else given


def _without_faults(config: Config) -> Config:
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
    files = Files(opened).behind(source.document.name)
    (root, replaced), unreadable = _root(source, settings, files)
    config = _read(source, root, unreadable, shape, files)
    return config._replace(settings=settings, shape=shape, replaced=replaced)


def _read(
    source: Source, root: Map, unreadable: Faults, shape: Shape | None, files: Files
) -> Config:
    """Read the sections of a tree; `unreadable` are the faults of its text."""
    # A file that cannot be read, or its base, may have the missing sections.
    needed = bool(root.entries or not unreadable) and "NB111" not in {f.code for f in unreadable}
    library = check_library(source.document, root) if needed else ()
    needed = needed and not library
    faults = [*unreadable, *unknown_sections(root), *library]

    def take(step: Found[T]) -> T:
        value, wrong = step
        faults.extend(wrong)
        return value

    sections = Sections(source.document, root, take(read_variables(root)), {})
    found = read_inputs(sections, needed=needed) if shape is None else input_of(sections, shape)
    inputs = take(found)
    data = take(read_data(sections, inputs.tensors))
    train = take(sections.fields("train", Train, "epochs: 10"))
    losses: tuple[LossTerm, ...] = take(sections.read("loss", read_losses, ()))
    optimizers, schedule = take(_optimizers(sections, data, train, losses))
    targets: tuple[str, ...] = data.source.target_names if data.source else ()
    return Config(
        document=source.document,
        root=root,
        name=take(read_name(sections)),
        names=sections.names,
        blocks=take(read_blocks(root.get("blocks"), BlockFiles(files).read)),
        inputs=inputs.tensors,
        layers=take(read_layers(sections, needed=needed)),
        init=take(sections.read("init", lambda node: read_rules(node, LAYERS), ())),
        pretrained=take(sections.read("pretrained", read_pretrained, ())),
        losses=losses,
        metrics=take(read_metrics(sections, losses, targets)),
        optimizers=optimizers,
        scheduler=schedule,
        data=data.source if shape is None else None,
        preparation=data.preparation,
        train=train,
        budget=take(sections.fields("budget", Budget, "params: 5M")),
        object_sizes=inputs.object_sizes,
        items=sections.items,
        diagnostics=tuple(faults),
        is_library=bool(library),
    )


def _optimizers(
    sections: Sections, data: Data, train: Train, losses: tuple[LossTerm, ...]
) -> Found[tuple[tuple[Optimizing, ...], Schedule | None]]:
    """Read the optimizers with the schedules beside them, and that of the section `scheduler:`.

    Schedules are compared with the length of the training. A loss over the whole batch leaves out a
    smaller last batch.
    """
    optimizers, wrong = read_optimizers(sections)
    beside = any("scheduler" in one.item.modifiers for one in optimizers)
    if not beside and sections.root.get("scheduler") is None:
        return (optimizers, None), wrong  # most files have none, and do not import its modules
    from netbuild.config.schedules import read_beside, read_section, training_of

    every = optimizers or (None,)
    whole = any(term.loss.over_batch for term in losses)
    trainings = [
        training_of(one, data.source, data.preparation, train, whole=whole) for one in every
    ]
    several, faults = collect(map(read_beside, optimizers, trainings))
    first = trainings[0]
    schedule, unfit = read_section(sections, several, first)
    return (tuple(several), schedule), (*wrong, *faults, *unfit)


def _root(
    source: Source, settings: Iterable[str], files: Files
) -> Found[tuple[Map, tuple[tuple[Span, str], ...]]]:
    """Return the sections of a file, merged with its base files and changed by the settings.

    The settings that replace a value come with its place.
    """
    root, faults = mapping(source)
    root, wrong = extended(root, files)
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
