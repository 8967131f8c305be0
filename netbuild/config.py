"""The sections of a file: what it extends, what `--set` changes, and each section validated.

The layers stay as they are written; `netbuild.graph` reads them, for their expressions depend on
the shapes that reach them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from netbuild import source as yaml_source
from netbuild.component import Component, fill, fill_fields, find
from netbuild.data import DATASETS, Preparation
from netbuild.diagnostic import (
    MAX_FAULTS,
    ConfigError,
    Diagnostic,
    Document,
    Span,
    brief,
    did_you_mean,
    errors,
)
from netbuild.emit import dump
from netbuild.expression import RESERVED, substitute
from netbuild.fields import NaturalInt, PositiveInt, Shaped, one_of
from netbuild.initialisation import read_rules
from netbuild.item import Item, is_stack, kind, name_fault, read_item
from netbuild.layers import LAYERS
from netbuild.layers.layer import Tensor
from netbuild.losses import LOSSES
from netbuild.optimizers import OPTIMIZERS
from netbuild.overlay import apply_setting, merge
from netbuild.source import UNKNOWN, Map, Node, Scalar, Source, plain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from netbuild.component import C
    from netbuild.data.dataset import Dataset
    from netbuild.initialisation import Rule
    from netbuild.losses import Loss
    from netbuild.optimizers import Optimizer
    from netbuild.schedule import Schedule

#: The sections of a file, in the order in which one is best read.
SECTIONS = (
    "extends",
    "name",
    "vars",
    "input",
    "inputs",
    "layers",
    "outputs",
    "init",
    "loss",
    "optimizer",
    "scheduler",
    "data",
    "train",
)
MAX_BASES = 10
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


class Input(Component):
    """`input: {shape: [128], dtype: int64}`; a list is its shape, of float32."""

    shape: Shaped
    # The weights are float32, and torch does not mix them with another floating-point dtype.
    dtype: Annotated[str, one_of("float32", "int64", "int32", "uint8", "bool")] = "float32"


class Train(Component):
    """`train:` how a network is trained."""

    epochs: PositiveInt = 10
    batch_size: PositiveInt = 64
    seed: NaturalInt = 0
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], one_of("auto", "cpu", "cuda", "mps")
    ] = "auto"


class Config(NamedTuple):
    """A file with its sections read; what has a fault or is absent is None or its default."""

    document: Document
    root: Map
    name: str
    names: Mapping[str, Any]
    inputs: Mapping[str, Tensor | None]
    layers: Node | None
    init: tuple[Rule, ...]
    loss: Loss | None
    optimizer: Optimizer | None
    scheduler: Schedule | None
    data: Dataset | None
    preparation: Preparation
    train: Train
    diagnostics: tuple[Diagnostic, ...]

    @property
    def start(self) -> Span:
        """The first character of the file, where a fault has no better place."""
        return Span(self.document, 1, 1, 1, 2)

    @property
    def input(self) -> Tensor | None:
        """The only input of the network; None where there are several, or none is known."""
        return next(iter(self.inputs.values())) if len(self.inputs) == 1 else None

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


def read(source: Source, settings: Iterable[str] = ()) -> Config:
    """Read the sections of a source, collecting faults instead of raising."""
    faults = list(source.diagnostics)
    root = _root(source, faults)
    root = _extended(root, source.document, faults, ())
    for setting in settings:
        root = apply_setting(root, setting, SECTIONS, faults)
    return _Reader(source.document, root, faults).config()


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
            label = f"{base.value}: {getattr(error, 'strerror', None) or error}"
    if label:
        faults.append(Diagnostic("NB111", title, base.span, label))
        return root
    faults.extend(source.diagnostics)
    under = _extended(_root(source, faults), source.document, faults, chain)
    return merge(under, root)


class _Reader:
    """Validates the sections one after the other, all faults into one list."""

    def __init__(self, document: Document, root: Map, faults: list[Diagnostic]) -> None:
        self.document, self.root, self.faults = document, root, faults
        self.names: dict[str, Any] = {}

    def config(self) -> Config:
        self.unknown_sections()
        self.variables()
        name = self.name()
        data, preparation = self.data()
        optimizer = self.component("optimizer", OPTIMIZERS, "optimizer")
        train = self.train()
        return Config(
            document=self.document,
            root=self.root,
            name=name,
            names=self.names,
            inputs=self.inputs(),
            layers=self.layers(),
            init=self.init(),
            loss=self.component("loss", LOSSES, "loss"),
            optimizer=optimizer,
            scheduler=self.scheduler(optimizer, data, preparation, train),
            data=data,
            preparation=preparation,
            train=train,
            diagnostics=tuple(self.faults),
        )

    def fault(
        self, code: str, title: str, span: Span, label: str, help_: str | None = None
    ) -> None:
        self.faults.append(Diagnostic(code, title, span, label, help=help_))

    def unknown_sections(self) -> None:
        unknown = [entry.key for name, entry in self.root.entries.items() if name not in SECTIONS]
        for key in unknown[:MAX_FAULTS]:
            help_, fixes = did_you_mean(key.text, SECTIONS, key.span)
            help_ = help_ or f"the sections are {', '.join(SECTIONS)}"
            title = f"no section is called {brief(key.text)}"
            fault = Diagnostic("NB101", title, key.span, "unknown", help=help_, fixes=fixes)
            self.faults.append(fault)

    def section(self, name: str) -> Node | None:
        """Return a section with its expressions evaluated; None where it is absent or empty."""
        node = self.root.get(name)
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return None
        return substitute(node, self.names, self.faults)

    def name(self) -> str:
        node = self.section("name")
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(self.document.name).stem).strip("-._")
        default = stem if re.fullmatch(NAME, stem) else "network"
        if node is None:
            return default
        if isinstance(node, Scalar):
            name = node.value if isinstance(node.value, str) else node.text
            if node.value is UNKNOWN or re.fullmatch(NAME, name):
                return name
        label = "a name is letters, digits, '.', '_' and '-': it names the folder of the runs"
        self.fault("NB106", "the file cannot have this name", node.span, label)
        return default

    def variables(self) -> None:
        node = self.root.get("vars")
        if node is None:
            return
        if not isinstance(node, Map):
            label = f"vars wants names with values, not {kind(node)}"
            self.fault("NB106", "vars is no mapping", node.span, label, "write vars: {width: 64}")
            return
        for name, (key, value) in node.entries.items():
            if not name.isidentifier():
                label = (
                    f"{brief(name)} is no name: letters, digits and _, not beginning with a digit"
                )
            elif name in RESERVED:
                label = f"{name} means something else in an expression"
            else:
                self.names[name] = plain(substitute(value, self.names, self.faults))
                continue
            self.fault("NB109", "a name that a variable cannot have", key.span, label)

    def inputs(self) -> dict[str, Tensor | None]:
        """Return the inputs of the network by name; what has a fault is None."""
        several = self.section("inputs")
        node = self.section("input")
        if several is not None:
            inputs = self.several_inputs(several)
            if node is None:
                return inputs
            span = self.root.entries["input"].key.span
            label = "a network has one input, or several inputs by name"
            self.fault("NB107", "input beside inputs", span, label, "keep one of them")
            return dict.fromkeys(inputs)
        if node is None:
            self.missing("input", "input: [1, 28, 28]  # channels, height, width")
            return {"input": None}
        return {"input": self.tensor(node, "input")}

    def several_inputs(self, node: Node) -> dict[str, Tensor | None]:
        if not isinstance(node, Map) or not node.entries:
            label = f"inputs wants names with shapes, not {kind(node)}"
            help_ = "write inputs: {left: [1, 28, 28], right: [1, 28, 28]}"
            self.fault("NB106", "inputs is no mapping", node.span, label, help_)
            return {"input": None}
        found: dict[str, Tensor | None] = {}
        for name, (key, value) in node.entries.items():
            fault = name_fault(name, key.span, found.keys(), by_key=True)
            if fault:
                self.faults.append(fault)
            found[name] = self.tensor(value, name)
        return found

    def tensor(self, node: Node, name: str) -> Tensor | None:
        """Read the shape of an input, and perhaps its dtype."""
        if isinstance(node, Map):
            entries = node.entries
        else:
            key = Scalar("shape", node.span, "shape")
            entries = {"shape": yaml_source.Entry(key, node)}
        filled = fill_fields(Input, entries, name, node.span, self.faults)
        return Tensor(filled.shape, filled.dtype) if filled else None

    def layers(self) -> Node | None:
        node = self.root.get("layers")
        if node is None or (isinstance(node, Scalar) and node.value is None):
            self.missing("layers", "layers: [Flatten, Linear: 10]")
            return None
        if is_stack(node):
            return node
        if not (isinstance(node, Scalar) and node.value is UNKNOWN):
            label = f"layers wants a list or a mapping of layers, not {kind(node)}"
            help_ = "begin each layer with '- '"
            if isinstance(node, Map):
                label = "these layers have neither dashes nor names"
                help_ += ", or give each its name: conv1: {Conv2d: …}"
            self.fault("NB108", "layers is no stack", node.span, label, help_)
        return None

    def missing(self, section: str, example: str) -> None:
        """Report a missing section, unless nothing at all could be read."""
        unread = any(fault.code == "NB111" for fault in self.faults)
        if not unread and (self.root.entries or not self.faults):
            span = Span(self.document, 1, 1, 1, 2)
            title = f"the file has no {section}"
            self.fault("NB102", title, span, "missing", f"write {example}")

    def component(self, section: str, known: Mapping[str, type[C]], what: str) -> C | None:
        item = self.item(section, what, known)
        if item is None:
            return None
        for key, _ in item.modifiers.values():
            self.fault(
                "NB104",
                f"{what} has no modifier {brief(key.text)}",
                key.span,
                "unknown",
                f"an argument stands inside: {item.type.text}: {{{brief(key.text)}: …}}",
            )
        component = find(item, known, what, self.faults)
        return fill(component, item, self.faults) if component else None

    def item(self, section: str, what: str, known: Collection[str]) -> Item | None:
        node = self.section(section)
        if node is None or (isinstance(node, Scalar) and node.value is UNKNOWN):
            return None
        item = read_item(node, what, known)
        if isinstance(item, Diagnostic):
            self.faults.append(item)
            return None
        return item

    def scheduler(
        self,
        optimizer: Optimizer | None,
        data: Dataset | None,
        preparation: Preparation,
        train: Train,
    ) -> Schedule | None:
        if self.root.get("scheduler") is None:
            return None
        from netbuild.schedule import Training, batches, read_schedule
        from netbuild.schedulers import SCHEDULERS

        item = self.item("scheduler", "scheduler", SCHEDULERS)
        samples = getattr(data, "samples", None)
        split = samples and batches(samples, preparation.validation, train.batch_size)
        training = Training(optimizer, train.epochs, split)
        return read_schedule(item, training, self.faults) if item else None

    def init(self) -> tuple[Rule, ...]:
        node = self.section("init")
        return read_rules(node, LAYERS, self.faults) if node else ()

    def data(self) -> tuple[Dataset | None, Preparation]:
        item = self.item("data", "data source", DATASETS)
        if item is None:
            return None, Preparation()
        source = find(item, DATASETS, "data source", self.faults)
        dataset = fill(source, item, self.faults) if source else None
        at = item.type.span
        preparation = fill_fields(Preparation, item.modifiers, "data", at, self.faults)
        return (dataset if preparation else None), preparation or Preparation()

    def train(self) -> Train:
        node = self.section("train")
        if node is None:
            return Train()
        if not isinstance(node, Map):
            label = f"train wants names with values, not {kind(node)}"
            self.fault(
                "NB106", "train is no mapping", node.span, label, "write train: {epochs: 10}"
            )
            return Train()
        return fill_fields(Train, node.entries, "train", node.span, self.faults) or Train()


def resolved(config: Config) -> str:
    """Return the text of a config that means the same without its base, settings and defaults."""
    values = {name: plain(e.value) for name, e in config.root.entries.items() if name != "extends"}
    values["name"] = config.name
    for section, component in (("loss", config.loss), ("optimizer", config.optimizer)):
        if component is not None:
            values[section] = {type(component).__name__: _explicit(component)}
    if config.scheduler is not None:
        values["scheduler"] = {**_plain(config.scheduler.scheduler), "step": config.scheduler.step}
    if config.data is not None:
        source = {type(config.data).__name__: _explicit(config.data)}
        values["data"] = source | _explicit(config.preparation)
    values["train"] = _explicit(config.train)
    order = sorted(values, key=SECTIONS.index)
    return dump({name: values[name] for name in order})


def _explicit(component: Component) -> dict[str, Any]:
    """Return all fields with their values, as YAML can hold them."""
    return {name: _plain(getattr(component, name)) for name in type(component).model_fields}


def _plain(value: Any) -> Any:
    if isinstance(value, Component):
        return {type(value).__name__: _explicit(value)}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def with_input(config: Config, shape: tuple[int, ...]) -> Config:
    """Return a config for another input; its data, which has another shape, is left out."""
    dtype = config.input.dtype if config.input else "float32"
    lacking = [d for d in config.diagnostics if not (d.code == "NB102" and "input" in d.title)]
    return config._replace(
        inputs={"input": Tensor(shape, dtype)}, data=None, diagnostics=tuple(lacking)
    )
