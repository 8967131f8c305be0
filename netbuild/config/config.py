"""The config: the sections of a file, after `extends` and `--set`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.datasets.dataset import ONE_TARGET
from netbuild.diagnostics.above import above
from netbuild.diagnostics.diagnostic import Diagnostic, Document, Span
from netbuild.syntax.item import place
from netbuild.syntax.node import Map, Node

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from netbuild.components.datasets.dataset import Dataset
    from netbuild.components.losses.loss import Loss
    from netbuild.components.optimizers.optimizer import Optimizer
    from netbuild.components.tensor import Shape, Tensor
    from netbuild.config.against import Against
    from netbuild.config.blocks import Definition
    from netbuild.config.budget import Budget
    from netbuild.config.init import Rule
    from netbuild.config.losses import LossTerm
    from netbuild.config.metrics import MetricTerm
    from netbuild.config.optimizer import Optimizing
    from netbuild.config.preparation import Preparation
    from netbuild.config.pretrained import Given, Pretrained
    from netbuild.config.scheduler import Schedule
    from netbuild.config.train import Train
    from netbuild.syntax.item import Item


class Config(NamedTuple):
    """The values of a file's sections. An absent or faulty section is None or its default."""

    document: Document
    root: Map
    name: str
    names: Mapping[str, Any]
    blocks: Mapping[str, Definition | None]
    inputs: Mapping[str, Tensor | None]
    layers: Node | None
    init: tuple[Rule, ...]
    #: The files of weights of the section. Stacks may have files of their own.
    pretrained: tuple[Given, ...]
    #: The losses. Training minimises their weighted sum.
    losses: tuple[LossTerm, ...]
    #: The metrics, each with the output and the target that it compares.
    metrics: tuple[MetricTerm, ...]
    #: The optimizers, each for weights of its own.
    optimizers: tuple[Optimizing, ...]
    #: The schedule of the only optimizer. In a list, the optimizers have their own.
    scheduler: Schedule | None
    data: Dataset | None
    preparation: Preparation
    train: Train
    budget: Budget
    #: The sizes of the objects, for the inputs that give `object_size`.
    object_sizes: Mapping[str, int | Shape]
    #: The item of each section, before expressions are evaluated. The type of a mapping such as
    #: `train` is the name of the section.
    items: Mapping[str, Item]
    diagnostics: tuple[Diagnostic, ...]
    #: How the file was read: the settings of `--set`, and the shape that replaces the input's.
    settings: tuple[str, ...] = ()
    shape: Shape | None = None
    #: The settings of `--set`, each with the place of the value that it replaces.
    replaced: tuple[tuple[Span, str], ...] = ()
    #: Whether the file holds only blocks. It then has a fault NB102, because it is no network.
    is_library: bool = False
    #: Whether the files of weights beside stacks count. A checkpoint has all weights.
    inner_files: bool = True

    def with_(self, values: Mapping[str, Any]) -> Config:
        """Return the config with other values, each at a path as in `--set`.

        >>> import netbuild
        >>> config = netbuild.load("configs/lenet.yaml")
        >>> config.with_({"train.epochs": 3, "optimizer": {"SGD": {"lr": 0.1}}}).train.epochs
        3

        Raises:
            ConfigError: there is no such path, or the config now has faults.
        """
        found: Config = above("config.load", "changed")(self, values)
        return found

    def dumps(self) -> str:
        """Return an equal config as the text of a file.

        It holds its base files, its settings and all defaults, and absolute paths.
        """
        text: str = above("config.resolution", "resolved")(self)
        return text

    def __str__(self) -> str:
        return self.dumps()

    def __repr__(self) -> str:
        return f"<Config {self.name}: {', '.join(self.root.entries)}>"

    def __rich__(self) -> Any:
        return above("reports.showing.config", "table")(self)

    def _repr_html_(self) -> str:
        html: str = above("reports.showing.config", "html")(self)
        return html

    def starting_from(self, *files: Pretrained) -> Config:
        """Return the config with these files of weights alone, and none beside its stacks."""
        from netbuild.config.pretrained import Given

        node = self.root.get("pretrained") or self.root
        return self._replace(
            pretrained=tuple(Given(file, node) for file in files), inner_files=False
        )

    @property
    def start(self) -> Span:
        """The first character of the file, for faults without a better place."""
        return Span(self.document, 1, 1, 1, 2)

    @property
    def loss(self) -> Loss | None:
        """The first loss; None without a loss."""
        return self.losses[0].loss if self.losses else None

    @property
    def over_batch(self) -> LossTerm | None:
        """The first loss over a whole batch, which is no mean or sum over samples."""
        return next((term for term in self.losses if term.loss.over_batch), None)

    def against(self, term: LossTerm, outputs: Collection[str]) -> Against | None:
        """Return what a loss compares with, given the network's outputs; None after a fault."""
        from netbuild.config.against import against

        targets = self.data.target_names if self.data is not None else None
        if targets is None and self.root.get("data") is not None:
            outputs = ()  # the section has a fault: the name may be a target of the data
        return against(term, targets, outputs, self.inputs)

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets of the data; without data, the one that most data has."""
        return self.data.target_names if self.data is not None else ONE_TARGET

    @property
    def optimizer(self) -> Optimizer | None:
        """The first optimizer; None without an optimizer."""
        return self.optimizers[0].optimizer if self.optimizers else None

    @property
    def schedules(self) -> tuple[Schedule | None, ...]:
        """The schedule of each optimizer; None if its learning rate stays as it is."""
        return tuple(one.schedule or self.scheduler for one in self.optimizers)

    @property
    def input(self) -> Tensor | None:
        """The only input of the network; None if there are several, or if its shape is unknown."""
        return next(iter(self.inputs.values())) if len(self.inputs) == 1 else None

    @property
    def input_nodes(self) -> dict[str, Node]:
        """The nodes of the network's inputs, by name."""
        one, several = self.root.get("input"), self.root.get("inputs")
        if isinstance(several, Map):
            return {name: entry.value for name, entry in several.entries.items()}
        return {} if one is None else {"input": one}

    def input_span(self, name: str) -> Span:
        """Return the place of an input of the network in the text."""
        inputs = self.root.get("inputs")
        if isinstance(inputs, Map) and name in inputs.entries:
            return inputs.entries[name].key.span
        return self.span("input")

    def place(self, section: str, field: str | None = None) -> Span:
        """Return the place of a section's type, or of one of its fields."""
        item = self.items.get(section)
        return place(item, field) if item else self.span(section)

    def span(self, section: str) -> Span:
        """Return the place of a section's whole value."""
        node = self.root.get(section)
        return node.span if node else self.root.span
