"""Each section of a file, validated: from what is written to what it means.

The layers stay as they are written; `netbuild.tracer` reads them, for their expressions depend on
the shapes that reach them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import field_validator

from netbuild.components.component import Component
from netbuild.components.datasets import DATASETS
from netbuild.components.fields import OptionalSizes, Shaped, one_of, unwanted
from netbuild.components.layers import LAYERS
from netbuild.components.optimizers import OPTIMIZERS
from netbuild.components.tensor import Tensor
from netbuild.config.blocks import read_blocks
from netbuild.config.budget import Budget
from netbuild.config.filling import fill, fill_fields, find, refuse_modifiers
from netbuild.config.init import read_rules
from netbuild.config.losses import read_terms
from netbuild.config.metrics import measured, read_metrics
from netbuild.config.parameter_groups import read_groups
from netbuild.config.preparation import Preparation
from netbuild.config.pretrained import read_pretrained
from netbuild.config.train import Train
from netbuild.diagnostics.diagnostic import MAX_FAULTS, Diagnostic, Document, Span
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.syntax.expression import RESERVED, substitute, value_of
from netbuild.syntax.item import Item, is_stack, kind, place, read_item
from netbuild.syntax.names import input_name_fault
from netbuild.syntax.node import UNKNOWN, Entry, Map, Node, Scalar, is_unknown

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from netbuild.components.datasets.dataset import Dataset
    from netbuild.components.losses.loss import Loss
    from netbuild.components.optimizers.optimizer import Optimizer
    from netbuild.components.tensor import Shape
    from netbuild.config.blocks import Definition
    from netbuild.config.init import Rule
    from netbuild.config.losses import Term
    from netbuild.config.parameter_groups import Group
    from netbuild.config.pretrained import Pretrained
    from netbuild.config.scheduler import Schedule

#: The sections of a file, in the order in which one is best read.
SECTIONS = (
    "extends",
    "name",
    "vars",
    "blocks",
    "input",
    "inputs",
    "layers",
    "outputs",
    "init",
    "pretrained",
    "loss",
    "metrics",
    "optimizer",
    "scheduler",
    "data",
    "train",
    "budget",
)
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


class Input(Component):
    """`input: {shape: [128], dtype: int64}`; a list is its shape, of float32."""

    shape: Shaped
    # The weights are float32, and torch does not mix them with another floating-point dtype.
    dtype: Annotated[str, one_of("float32", "int64", "int32", "uint8", "bool")] = "float32"
    #: How large what is to be found is, along the axes behind the first: lints ask whether it fits.
    object_size: OptionalSizes = None

    @field_validator("object_size")
    @classmethod
    def _one_per_axis(cls, object_size: Any, info: Any) -> Any:
        axes = max(0, len(info.data.get("shape", ())) - 1)
        if isinstance(object_size, tuple) and len(object_size) != axes:
            raise unwanted(f"one number, or one for each of the {axes} axes behind the first")
        return object_size


class Reader:
    """Validates the sections one after the other, all faults into one list."""

    def __init__(self, document: Document, root: Map, faults: list[Diagnostic]) -> None:
        self.document, self.root, self.faults = document, root, faults
        #: How large objects are, of the inputs that say it.
        self.object_sizes: dict[str, int | Shape] = {}
        #: What the sections were read from, with its expressions where it is more than one.
        self.items: dict[str, Item] = {}
        self._unknown_sections()
        self.names = self._variables()

    def _fault(
        self, code: str, title: str, span: Span, label: str, help_: str | None = None
    ) -> None:
        self.faults.append(Diagnostic(code, title, span, label, help=help_))

    def _unknown_sections(self) -> None:
        unknown = [entry.key for name, entry in self.root.entries.items() if name not in SECTIONS]
        for key in unknown[:MAX_FAULTS]:
            help_, fixes = did_you_mean(key.text, SECTIONS, key.span)
            help_ = help_ or f"the sections are {', '.join(SECTIONS)}"
            title = f"no section is called {brief(key.text)}"
            fault = Diagnostic("NB101", title, key.span, "unknown", help=help_, fixes=fixes)
            self.faults.append(fault)

    def _section(self, name: str) -> Node | None:
        """Return a section with its expressions evaluated; None where it is absent or empty."""
        node = self.root.get(name)
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return None
        return substitute(node, self.names, self.faults)

    def name(self) -> str:
        """Return what the runs are called: the file's own name where none is given."""
        node = self._section("name")
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(self.document.name).stem).strip("-._")
        default = stem if re.fullmatch(NAME, stem) else "network"
        if node is None:
            return default
        if isinstance(node, Scalar):
            name = node.value if isinstance(node.value, str) else node.text
            if node.value is UNKNOWN or re.fullmatch(NAME, name):
                return name
        label = "a name is letters, digits, '.', '_' and '-': it names the folder of the runs"
        self._fault("NB106", "the file cannot have this name", node.span, label)
        return default

    def _variables(self) -> dict[str, Any]:
        """Return the names that expressions know; each value may use those above it."""
        node = self.root.get("vars")
        if node is None:
            return {}
        if not isinstance(node, Map):
            label = f"vars wants names with values, not {kind(node)}"
            self._fault("NB106", "vars is no mapping", node.span, label, "write vars: {width: 64}")
            return {}
        names: dict[str, Any] = {}
        for name, (key, value) in node.entries.items():
            if len(self.faults) > MAX_FAULTS:
                names[name] = UNKNOWN
                continue
            if not name.isidentifier():
                label = (
                    f"{brief(name)} is no name: letters, digits and _, not beginning with a digit"
                )
            elif name in RESERVED:
                label = f"{name} means something else in an expression"
            else:
                names[name] = value_of(substitute(value, names, self.faults))
                continue
            self._fault("NB109", "a name that a variable cannot have", key.span, label)
        return names

    def blocks(self) -> dict[str, Definition | None]:
        """Return the blocks that are defined, by their types."""
        node = self.root.get("blocks")
        return read_blocks(node, self.faults) if node else {}

    def inputs(self) -> dict[str, Tensor | None]:
        """Return the inputs of the network by name; what has a fault is None."""
        several = self._section("inputs")
        node = self._section("input")
        if several is not None:
            inputs = self._several_inputs(several)
            if node is None:
                return inputs
            span = self.root.entries["input"].key.span
            label = "a network has one input, or several inputs by name"
            self._fault("NB107", "input beside inputs", span, label, "keep one of them")
            return dict.fromkeys(inputs)
        if node is None:
            self._missing("input", "input: [1, 28, 28]  # channels, height, width")
            return {"input": None}
        return {"input": self._tensor(node, "input")}

    def input_of(self, shape: Shape) -> dict[str, Tensor | None]:
        """Return the only input with another shape."""
        if "inputs" in self.root.entries:
            span = self.root.entries["inputs"].key.span
            label = "another shape is for a network of one input"
            self._fault("NB107", "--input beside inputs", span, label)
        node = self._section("input")
        written = self._tensor(node, "input") if node else None
        return {"input": Tensor(shape, written.dtype if written else "float32")}

    def _several_inputs(self, node: Node) -> dict[str, Tensor | None]:
        if is_unknown(node):
            return {"input": None}
        if not isinstance(node, Map) or not node.entries:
            label = f"inputs wants names with shapes, not {kind(node)}"
            help_ = "write inputs: {left: [1, 28, 28], right: [1, 28, 28]}"
            self._fault("NB106", "inputs is no mapping", node.span, label, help_)
            return {"input": None}
        found: dict[str, Tensor | None] = {}
        for name, (key, value) in node.entries.items():
            fault = input_name_fault(name, key.span)
            if fault:
                self.faults.append(fault)
            found[name] = self._tensor(value, name)
        return found

    def _tensor(self, node: Node, name: str) -> Tensor | None:
        """Read the shape of an input, and perhaps its dtype."""
        if isinstance(node, Map):
            entries = node.entries
        else:
            key = Scalar("shape", node.span, "shape")
            entries = {"shape": Entry(key, node)}
        filled = fill_fields(Input, entries, name, node.span, self.faults)
        if filled and filled.object_size is not None:
            self.object_sizes[name] = filled.object_size
        return Tensor(filled.shape, filled.dtype) if filled else None

    def layers(self) -> Node | None:
        """Return the network as it is written; None where it is missing or no stack."""
        node = self.root.get("layers")
        if node is None or (isinstance(node, Scalar) and node.value is None):
            self._missing("layers", "layers: [Flatten, Linear: 10]")
            return None
        if is_stack(node):
            return node
        if not is_unknown(node):
            label = f"layers wants a list or a mapping of layers, not {kind(node)}"
            help_ = "begin each layer with '- '"
            if isinstance(node, Map):
                label = "these layers have neither dashes nor names"
                help_ += ", or give each its name: conv1: {Conv2d: …}"
            self._fault("NB108", "layers is no stack", node.span, label, help_)
        return None

    def _missing(self, section: str, example: str) -> None:
        """Report a missing section, unless nothing at all could be read."""
        unread = any(fault.code == "NB111" for fault in self.faults)
        if not unread and (self.root.entries or not self.faults):
            span = Span(self.document, 1, 1, 1, 2)
            title = f"the file has no {section}"
            self._fault("NB102", title, span, "missing", f"write {example}")

    def optimizer(self) -> tuple[Optimizer | None, tuple[Group, ...]]:
        """Return the optimizer, and the groups of weights that it treats otherwise."""
        item = self._item("optimizer", "optimizer", OPTIMIZERS)
        found = find(item, OPTIMIZERS, "optimizer", self.faults) if item else None
        if item is None or found is None:
            return None, ()
        refuse_modifiers(item, found, "optimizer", self.faults, allowed=["groups"])
        optimizer = fill(found, item, self.faults)
        return optimizer, read_groups(item, optimizer, self.faults) if optimizer else ()

    def terms(self) -> tuple[Term, ...]:
        """Return the losses, and the outputs that each reads where it says which."""
        node = self._section("loss")
        return () if node is None or is_unknown(node) else read_terms(node, self.faults)

    def metrics(self, loss: Loss | None) -> tuple[str, ...]:
        """Return the names of what is measured beside the loss."""
        node = self._section("metrics")
        if node is None or is_unknown(node):
            return measured(None, loss)
        return read_metrics(node, loss, self.faults)

    def _item(self, section: str, what: str, known: Collection[str]) -> Item | None:
        node = self._section(section)
        if node is None or is_unknown(node):
            return None
        item = read_item(node, what, known)
        if isinstance(item, Diagnostic):
            self.faults.append(item)
            return None
        written = read_item(self.root.entries[section].value, what, known)
        self.items[section] = written if isinstance(written, Item) else item
        return item

    def _keep(self, section: str) -> None:
        """Keep a mapping as if it were an item that its section's name is the type of."""
        key, written = self.root.entries[section]
        self.items[section] = Item(key, written)

    def scheduler(
        self,
        optimizer: Optimizer | None,
        groups: Sequence[Group],
        data: Dataset | None,
        preparation: Preparation,
        train: Train,
    ) -> Schedule | None:
        """Return how the learning rate changes, checked against how long the training is."""
        if self.root.get("scheduler") is None:
            return None
        from netbuild.components.schedulers import SCHEDULERS
        from netbuild.config.scheduler import Training, read_schedule

        item = self._item("scheduler", "scheduler", SCHEDULERS)
        samples = data.size if data else None
        steps = None
        if samples:
            steps = train.steps(samples - preparation.held_out(samples))
        grouped = any("lr" in group.options for group in groups)
        training = Training(optimizer, train.epochs, steps, grouped)
        return read_schedule(item, training, self.faults) if item else None

    def init(self) -> tuple[Rule, ...]:
        """Return the rules by which weights begin."""
        node = self._section("init")
        return read_rules(node, LAYERS, self.faults) if node else ()

    def pretrained(self) -> Pretrained | None:
        """Return the file of weights to begin with."""
        node = self._section("pretrained")
        if node is None or is_unknown(node):
            return None
        self._keep("pretrained")
        return read_pretrained(node, self.faults)

    def data(self) -> tuple[Dataset | None, Preparation]:
        """Return the source of the samples, and what is done to them."""
        item = self._item("data", "data source", DATASETS)
        if item is None:
            return None, Preparation()
        source = find(item, DATASETS, "data source", self.faults)
        dataset = fill(source, item, self.faults) if source else None
        dataset = dataset and self._located(dataset, item)
        at = item.type.span
        preparation = fill_fields(Preparation, item.modifiers, "data", at, self.faults)
        return (dataset if preparation else None), preparation or Preparation()

    def _located(self, dataset: Dataset, item: Item) -> Dataset:
        """Return a source whose paths are seen from here, not from the folder of their file."""
        found = {}
        for name in dataset.paths:
            if getattr(dataset, name) is not None:
                folder = Path(place(item, name).document.name).parent
                found[name] = str(folder / getattr(dataset, name))
        return dataset.model_copy(update=found) if found else dataset

    def train(self) -> Train:
        """Return how the network is trained."""
        node = self._section("train")
        if node is None or is_unknown(node):
            return Train()
        if not isinstance(node, Map):
            label = f"train wants names with values, not {kind(node)}"
            self._fault(
                "NB106", "train is no mapping", node.span, label, "write train: {epochs: 10}"
            )
            return Train()
        self._keep("train")
        return fill_fields(Train, node.entries, "train", node.span, self.faults) or Train()

    def budget(self) -> Budget:
        """Return how large the network may be."""
        node = self._section("budget")
        if node is None or is_unknown(node):
            return Budget()
        if not isinstance(node, Map):
            label = f"budget wants names with values, not {kind(node)}"
            help_ = "write budget: {params: 5M}"
            self._fault("NB106", "budget is no mapping", node.span, label, help_)
            return Budget()
        self._keep("budget")
        return fill_fields(Budget, node.entries, "budget", node.span, self.faults) or Budget()
