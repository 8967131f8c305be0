"""Load a config: read its file, the files that it extends, and the settings of `--set`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netbuild.config.config import Config
from netbuild.config.sections import SECTIONS, Reader
from netbuild.diagnostics.diagnostic import Diagnostic, Document, Span, errors
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.diagnostics.wording import reason
from netbuild.syntax import parser as yaml_source
from netbuild.syntax.item import kind
from netbuild.syntax.node import Map, Scalar
from netbuild.syntax.overlay import apply_setting, merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netbuild.components.tensor import Shape
    from netbuild.syntax.parser import Source

MAX_BASES = 10


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
        items=sections.items,
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
