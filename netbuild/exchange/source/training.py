"""The training of a config as a plain loop of torch: data, loss, optimizer, schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.components.losses.classes import (
    AdaptiveLogSoftmaxWithLoss,
    LinearCrossEntropyLoss,
)
from netbuild.components.schedulers.cycle import CosineAnnealingLR, OneCycleLR
from netbuild.config.train import Train
from netbuild.exchange.operation_names import variable
from netbuild.exchange.source.samples import Samples, refuse
from netbuild.exchange.source.text import Argument, Code, Group, Text, call, lines, literal
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from netbuild.components.component import Component
    from netbuild.config.losses import LossTerm
    from netbuild.config.optimizer import Optimizing
    from netbuild.config.scheduler import Schedule
    from netbuild.exchange.source.needs import Needs
    from netbuild.graph.graph import Graph

#: The options of `train:` that a plain loop follows, or that change no result.
_PLAIN = frozenset(
    (
        *("epochs", "batch_size", "seed", "device", "clip_grad_norm", "clip_grad_value"),
        *("workers", "monitor", "channels_last", "deterministic", "tensorboard", "strategy"),
    )
)


def training(graph: Graph, network: str, needs: Needs) -> list[str]:
    """Return the functions that load the data and train the network, and the call of the last.

    Raises:
        ExportError: the config trains in a way that a plain loop does not.
    """
    loop = Loop(graph, network, needs)
    loop.expect_plain()
    main = ['if __name__ == "__main__":', "    train()"]
    return ["\n".join(loop.samples.lines()), "\n".join(loop.lines()), "\n".join(main)]


class Loop:
    """Writes the loop of a training."""

    def __init__(self, graph: Graph, network: str, needs: Needs) -> None:
        self.graph, self.config, self.network, self.needs = graph, graph.config, network, needs
        for section in ("data", "loss", "optimizer"):
            if self.config.items.get(section) is None and self.config.root.get(section) is None:
                raise refuse(self.config.start, f"the config has no {section}")
        if self.config.data is None or not self.config.optimizers:
            raise refuse(self.config.start, "the config has no data or no optimizer")
        self.samples = Samples(graph, needs)

    def expect_plain(self) -> None:
        """Refuse what a plain loop does not do.

        Raises:
            ExportError: names the first such thing with its line.
        """
        config, default = self.config, Train()
        for name in Train.model_fields:
            if name not in _PLAIN and getattr(config.train, name) != getattr(default, name):
                raise refuse(place(config.items["train"], name), f"train has {name}")
        for files in self.graph.files.values():  # the source would train other first weights
            raise refuse(files[0].node.span, "the network begins with the weights of a file")
        self.expect_one_optimizer()
        for term in config.losses:
            loss = term.loss
            kind = type(loss).__name__
            if loss.home != "torch.nn":
                raise refuse(term.item.type.span, f"{kind} is not a loss of torch.nn")
            if isinstance(loss, (AdaptiveLogSoftmaxWithLoss, LinearCrossEntropyLoss)):
                raise refuse(term.item.type.span, f"{kind} has weights of its own")
            if len(config.losses) > 1 and self.share(term) != "len(y)":
                what = f"{kind} is one of several losses, and is no mean over all samples"
                raise refuse(term.item.type.span, what)

    def expect_one_optimizer(self) -> None:
        """Refuse several optimizers, and one that does not step with each batch.

        Raises:
            ExportError: names the line.
        """
        optimizers = self.config.optimizers
        if len(optimizers) > 1:
            raise refuse(optimizers[1].item.type.span, "the weights have several optimizers")
        item = optimizers[0].item
        for name in ("every", "scheduler"):
            if name in item.modifiers:
                raise refuse(place(item, name), f"an optimizer in a list has {name}")
        if type(optimizers[0].optimizer).__name__ == "LBFGS":
            raise refuse(item.type.span, "LBFGS computes the loss itself")

    def lines(self) -> list[str]:
        """Return the lines of the function."""
        train = self.config.train
        self.needs.imports |= {
            "import torch",
            "from torch import nn",
            "from torch.utils.data import DataLoader",
        }
        schedule = self.config.schedules[0]
        batch = ", ".join([*self.samples.inputs, "y"])
        inputs = ", ".join(self.samples.inputs)
        device = '"cuda" if torch.cuda.is_available() else "cpu"'
        before = [
            "def train() -> None:",
            '    """Train the network, and print how well it does after each epoch."""',
            f"    torch.manual_seed({train.seed})",
            f"    device = torch.device({device})",
            f"    network = {self.network}().to(device)",
            "    learn, held = samples()",
            f"    batches = DataLoader(learn, batch_size={train.batch_size}, shuffle=True)",
            *self.losses(),
            *self.optimizer(self.config.optimizers[0]),
            *(self.scheduler(schedule) if schedule else []),
            "",
            f"    for epoch in range(1, {train.epochs + 1}):",
            "        network.train()",
            *self.batch(batch, "batches", 8),
        ]
        step = [
            *self.loss(inputs, 12),
            "            optimizer.zero_grad()",
            "            loss.backward()",
            *self.clipped(),
            "            optimizer.step()",
        ]
        if schedule:
            indent = 12 if schedule.step == "batch" else 8
            step.append(f"{' ' * indent}scheduler.step()")
        return [*before, *step, *self.validation(batch, inputs)]

    def losses(self) -> list[str]:
        """Return the lines that make the losses."""
        found: list[str] = []
        for name, term in zip(self.names(), self.config.losses, strict=True):
            kind = type(term.loss).torch_name()
            if kind == "Identity":
                continue
            node = call(f"nn.{kind}", **_arguments(term.loss))
            found += lines(node, 4, f"{name} = ")
        return found

    def names(self) -> list[str]:
        """Return the variables of the losses."""
        made = [type(term.loss).torch_name() != "Identity" for term in self.config.losses]
        if sum(made) < 2:
            return ["criterion"] * len(made)
        return [f"criterion{number}" for number in range(1, len(made) + 1)]

    def loss(self, inputs: str, indent: int) -> list[str]:
        """Return the lines that compute the loss of a batch, and the outputs of the network."""
        space = " " * indent
        outputs = [
            f"{variable(name)}_" if name in {"x", "y", "loss"} else variable(name)
            for name in self.graph.outputs
        ]
        if len(outputs) == 1:
            outputs = ["output"]
        used = {name for term in self.config.losses for name in term.compared(self.graph.outputs)}
        targets = [
            own if name in used or len(outputs) == 1 else "_"
            for own, name in zip(outputs, self.graph.outputs, strict=True)
        ]
        named = dict(zip(self.graph.outputs, outputs, strict=True))
        terms = [
            self.term(name, term, named)
            for name, term in zip(self.names(), self.config.losses, strict=True)
        ]
        total = " + ".join(terms)
        found = [f"{space}{', '.join(targets)} = network({inputs})"]
        return [*found, *lines(_sum(terms) if len(terms) > 1 else Text(total), indent, "loss = ")]

    def term(self, name: str, term: LossTerm, outputs: dict[str, str]) -> str:
        """Return one loss with its weight."""
        read = [outputs[own] for own in term.compared(self.graph.outputs)]
        against = self.graph.against(term)
        compared: list[str] = []
        if against.kind == "target":
            compared = ["y"]
        elif against.kind == "input":
            compared = [self.samples.inputs[list(self.config.inputs).index(against.name)]]
        elif against.kind == "number":
            compared = [f"torch.full_like({read[0]}, {against.number:g})"]
        elif against.kind == "output":
            compared = [outputs[against.name]]
        weight = "" if term.weight == 1 else f"{term.weight:g} * "
        if type(term.loss).torch_name() == "Identity":
            return f"{weight}{read[0]}.{getattr(term.loss, 'reduction', 'mean')}()"
        return f"{weight}{name}({', '.join([*read, *compared])})"

    def optimizer(self, one: Optimizing) -> list[str]:
        """Return the lines that make the optimizer, with its groups of weights."""
        keywords = _arguments(one.optimizer, always=("lr",))
        name = f"torch.optim.{type(one.optimizer).__name__}"
        if not one.groups:
            node = call(name, Text("network.parameters()"), **keywords)
            return lines(node, 4, "optimizer = ")
        self.needs.imports.add("from fnmatch import fnmatch")
        patterns = [group.match for group in one.groups]
        empty = ", ".join(f'"{pattern}": []' for pattern in ["", *patterns])
        groups: list[Code] = [Text('{"params": groups[""]}')]
        for group in one.groups:
            options = (
                Argument(literal(value), f'"{field}": ') for field, value in group.options.items()
            )
            own = Argument(Text(f'groups["{group.match}"]'), '"params": ')
            groups.append(Group("{", (own, *options), "}"))
        whole = Group("[", tuple(map(Argument, groups)), "]")
        return [
            *lines(Text(f"{{{empty}}}"), 4, "groups: dict[str, list[nn.Parameter]] = "),
            "    for name, parameter in network.named_parameters():",
            '        layer = name.rpartition(".")[0]',
            "        own = (p for p in groups if fnmatch(name, p) or fnmatch(layer, p))",
            '        groups[next(own, "")].append(parameter)',
            *lines(call(name, whole, **keywords), 4, "optimizer = "),
        ]

    def scheduler(self, schedule: Schedule) -> list[str]:
        """Return the line that makes the scheduler.

        Raises:
            ExportError: the schedule is more than one scheduler of torch.
        """
        scheduler = schedule.scheduler
        span = self.config.items["scheduler"].type.span
        if schedule.warmup is not None:
            raise refuse(span, "the schedule has a warmup")
        from netbuild.components.schedulers.scheduler import Use

        if scheduler.reads_monitor or scheduler.parts(Use()):
            raise refuse(span, f"the schedule is {type(scheduler).__name__}")
        keywords = _arguments(scheduler)
        open_ = scheduler.open_field()
        epochs = self.config.train.epochs
        steps = f"{epochs} * len(batches)" if schedule.step == "batch" else str(epochs)
        if isinstance(scheduler, (CosineAnnealingLR, OneCycleLR)) and open_ is not None:
            keywords[open_] = Text(steps)
        elif open_ is not None:
            raise refuse(span, f"the length of the training decides {open_}")
        name = f"torch.optim.lr_scheduler.{type(scheduler).__name__}"
        return lines(call(name, Text("optimizer"), **keywords), 4, "scheduler = ")

    def clipped(self) -> list[str]:
        """Return the lines that clip gradients."""
        train, found = self.config.train, []
        for name, limit in (("norm", train.clip_grad_norm), ("value", train.clip_grad_value)):
            if limit is not None:
                call_ = f"nn.utils.clip_grad_{name}_(network.parameters(), {limit:g})"
                found.append(f"            {call_}")
        return found

    def share(self, term: LossTerm) -> str | None:
        """Return what weighs the loss of a batch in the mean of an epoch; None for a sum."""
        loss = term.loss
        if getattr(loss, "reduction", "mean") == "sum":
            return None
        if not (loss.classifies and loss.divides_by_labels):
            return "len(y)"
        if getattr(loss, "weight", None) is not None and hasattr(loss, "ignore_index"):
            return f"criterion.weight[{self.labels(term)}].sum().item()"
        return "len(y)" if self.labels(term) == "y" else "int(counts.sum())"

    def labels(self, term: LossTerm) -> str:
        """Return the labels that count: all, or those that the loss does not ignore."""
        default = type(term.loss).model_fields.get("ignore_index")
        ignored = default and getattr(term.loss, "ignore_index", None)
        return "y" if default is None or ignored == default.default else "y[counts]"

    def validation(self, batch: str, inputs: str) -> list[str]:
        """Return the lines that measure loss and accuracy on held-out samples."""
        first = self.config.losses[0]
        told = first.compared(self.graph.outputs)
        scores = "output" if len(self.graph.outputs) == 1 else variable(next(iter(told), ""))
        classifies = first.loss.classifies and self.graph.against(first).kind == "target"
        share, some = self.share(first), self.labels(first) == "y[counts]"
        counted = {"shares": share not in {"len(y)", None}, "right": classifies, "labels": some}
        names = ["total", *(name for name, is_used in counted.items() if is_used)]
        zeros = ["0.0" if name in {"total", "shares"} else "0" for name in names]
        space = " " * 16
        found = [
            "",
            "        network.eval()",
            f"        {', '.join(names)} = {', '.join(zeros)}",
            "        with torch.no_grad():",
            *self.batch(batch, f"DataLoader(held, batch_size={self.config.train.batch_size})", 12),
            *self.loss(inputs, 16),
        ]
        if some:
            found.append(f"{space}counts = y != {first.loss.model_dump()['ignore_index']}")
        if counted["shares"]:
            found += [f"{space}share = {share}", f"{space}shares += share"]
        times = {None: "", "len(y)": " * len(y)"}.get(share, " * share")
        found.append(f"{space}total += loss.item(){times}")
        whole = "shares" if counted["shares"] else "len(held)"
        after: list[str] = []
        text = f"epoch {{epoch}}: val_loss {{total / {whole}:.4f}}"
        if classifies:
            hits = f"{scores}.argmax(1) == y"
            hits = f"({hits})[counts]" if some else f"({hits})"
            found.append(f"{space}right += int({hits}.sum())")
            found += [f"{space}labels += int(counts.sum())"] if some else []
            is_picture = len(next(iter(told.values())).shape) > 1
            count = "held.tensors[-1].numel()" if is_picture else "len(held)"
            count = "labels" if some else count
            after = [f"        value, accuracy = total / {whole}, right / {count}"]
            text = "epoch {epoch}: val_loss {value:.4f}, val_accuracy {accuracy:.4f}"
        return [*found, *after, f'        print(f"{text}")']

    @staticmethod
    def batch(names: str, batches: str, indent: int) -> list[str]:
        """Return the lines that take each batch to the device."""
        space, own = " " * indent, names.split(", ")
        if len(own) == 2:
            moved = ", ".join(f"{name}.to(device)" for name in own)
            return [f"{space}for {names} in {batches}:", f"{space}    {names} = {moved}"]
        moved = "(tensor.to(device) for tensor in batch)"
        return [f"{space}for batch in {batches}:", f"{space}    {names} = {moved}"]


def _sum(terms: list[str]) -> Code:
    from netbuild.exchange.source.text import Joined

    return Joined(tuple(map(Text, terms)), ("+",) * (len(terms) - 1), 11)


def _arguments(component: Component, always: tuple[str, ...] = ()) -> dict[str, Code]:
    """Return the arguments of a class of torch that differ from its defaults."""
    fields = type(component).model_fields
    found: dict[str, Code] = {}
    for name, value in component.model_dump().items():
        if name not in always and not fields[name].is_required() and value == fields[name].default:
            continue
        found[name] = _tensor(value) if name in {"weight", "pos_weight"} else literal(value)
    return found


def _tensor(value: Any) -> Code:
    return Text(f"torch.tensor({list(value)}, device=device)") if value else Text("None")
