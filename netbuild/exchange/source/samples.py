"""The data of a config, loaded by name with scikit-learn and numpy, as a function of the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netbuild.checks import objective
from netbuild.components.datasets.array_files import read_arrays
from netbuild.components.datasets.arrays import Arrays
from netbuild.components.datasets.bundled import BreastCancer, Diabetes, Digits, Iris, Wine
from netbuild.components.datasets.delimited import Csv
from netbuild.components.datasets.synthetic import Random
from netbuild.components.target import Classes, Labels, Nothing, Signs
from netbuild.diagnostics.exceptions import ExportError
from netbuild.exchange.source.text import Text, call, lines, literal
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Span
    from netbuild.exchange.source.needs import Needs
    from netbuild.graph.graph import Graph

#: The functions of scikit-learn that load what it ships.
_BUNDLED = {
    Iris: "load_iris()",
    Wine: "load_wine()",
    BreastCancer: "load_breast_cancer()",
    Diabetes: "load_diabetes(scaled=False)",
}


def refuse(span: Span, what: str) -> ExportError:
    """Return the fault of something that a plain loop of torch does not do."""
    message = f"{what}, which --train cannot write: leave out --train"
    return ExportError(f"{span.document.name}:{span.line}: {message}")


class Samples:
    """Writes the function that returns the samples for training and for validation."""

    def __init__(self, graph: Graph, needs: Needs) -> None:
        self.graph, self.config, self.needs = graph, graph.config, needs
        self.item = self.config.items["data"]
        self.inputs = [f"x{n + 1}" for n in range(len(self.config.inputs))]
        if len(self.inputs) == 1:
            self.inputs = ["x"]
        #: What the loss compares with.
        self.kind = objective.wanted(self.config, self.graph.outputs).target

    def lines(self) -> list[str]:
        """Return the lines of the function.

        Raises:
            ExportError: the data or its preparation is more than plain numpy and torch.
        """
        self.expect_plain()
        self.needs.imports |= {
            "import torch",
            "from torch.utils.data import TensorDataset",
        }
        loaded = self.loaded()
        preparation = self.config.preparation
        if preparation.resize:
            self.needs.imports.add("import torch.nn.functional as F")
            height, width = preparation.resize
            how = f'size=({height}, {width}), mode="bilinear", antialias=True'
            loaded += [f"    {x} = F.interpolate({x}, {how})" for x in self.inputs]
        return [
            "def samples() -> tuple[TensorDataset, TensorDataset]:",
            '    """Return the samples for training, and those for validation."""',
            *loaded,
            *self.split(),
            *self.normalized(),
            *self.parts(),
        ]

    def parts(self) -> list[str]:
        """Return the lines that give both parts of the samples."""
        if len(self.inputs) == 1:
            return ["    return TensorDataset(x[learn], y[learn]), TensorDataset(x[held], y[held])"]
        return [
            f"    tensors = ({', '.join(self.inputs)}, y)",
            "    return (",
            "        TensorDataset(*(tensor[learn] for tensor in tensors)),",
            "        TensorDataset(*(tensor[held] for tensor in tensors)),",
            "    )",
        ]

    def expect_plain(self) -> None:
        """Refuse preparations that a plain loop does not do.

        Raises:
            ExportError: names the first one.
        """
        preparation = self.config.preparation
        for name in ("test", "augment", "views", "class_weights"):
            if getattr(preparation, name) is not None:
                raise refuse(place(self.item, name), f"data has {name}")
        part = preparation.validation_part
        if part is None or part.group or part.of:
            raise refuse(
                place(self.item, "validation"), "the samples are split by more than a share"
            )
        if isinstance(preparation.normalize, dict):
            raise refuse(place(self.item, "normalize"), "normalize names inputs and targets")
        if len(self.config.targets) > 1:
            raise refuse(self.item.type.span, "the data has several targets")
        if isinstance(self.kind, Signs | Labels):
            raise refuse(self.item.type.span, f"the loss compares with {self.kind}")

    def loaded(self) -> list[str]:
        """Return the lines that load the samples: the inputs, and `y`."""
        source = self.config.data
        if isinstance(source, Digits):
            self.needs.imports.add("from sklearn.datasets import load_digits")
            return [
                "    digits = load_digits()",
                "    x = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16",
                *self.target("digits.target"),
            ]
        for kind, function in _BUNDLED.items():
            if isinstance(source, kind):
                self.needs.imports.add(f"from sklearn.datasets import {function.partition('(')[0]}")
                return [
                    f"    table = {function}",
                    "    x = torch.tensor(table.data, dtype=torch.float32)",
                    *self.target("table.target"),
                ]
        if isinstance(source, Random):
            return self.random(source)
        if isinstance(source, Arrays):
            return self.arrays(source)
        if isinstance(source, Csv):
            return self.table(source)
        raise refuse(self.item.type.span, f"the data is {type(source).__name__}")

    def target(self, values: str) -> list[str]:
        """Return the line of the target, with the type that the loss compares with."""
        if isinstance(self.kind, (Classes, Nothing)):
            return [f"    y = torch.tensor({values})"]
        shape = "".join(f", {size}" for size in self.kind.tensor.shape)
        made = f"    y = torch.tensor({values}, dtype=torch.float32)"
        return [f"{made}.reshape(-1{shape})"] if shape else [made]

    def random(self, source: Random) -> list[str]:
        """Return the lines of noise in the shapes of the network's inputs."""
        found = [f"    torch.manual_seed({source.seed})"]
        for name, x in zip(self.inputs, self.config.inputs.values(), strict=True):
            if x is None or x.dtype == "bool":
                raise refuse(self.item.type.span, "the noise is true or false")
            sizes = ", ".join(map(str, (source.samples, *x.shape)))
            call = f"torch.randn({sizes})"
            if not x.floating:
                call = f"torch.randint({source.below}, ({sizes}), dtype=torch.{x.dtype})"
            found.append(f"    {name} = {call}")
        wanted = objective.wanted(self.config, self.graph.outputs)
        target = source.sample(wanted).targets["target"]
        sizes = ", ".join(map(str, (source.samples, *target.tensor.shape))) if target else ""
        if isinstance(target, Classes):
            comma = "" if ", " in sizes else ","
            return [*found, f"    y = torch.randint({target.classes}, ({sizes}{comma}))"]
        return [
            *found,
            f"    y = torch.rand({sizes})" if sizes else f"    y = torch.zeros({source.samples})",
        ]

    def arrays(self, source: Arrays) -> list[str]:
        """Return the lines that read arrays of a .npz file."""
        if not source.file.endswith(".npz") or not isinstance(source.target, str):
            raise refuse(self.item.type.span, "the arrays are not in a .npz file with one target")
        if not Path(source.file).is_file():
            raise refuse(
                self.item.type.span, f"the types of the arrays are not known: {source.file}"
            )
        there = read_arrays(Path(source.file))
        pixels = {name for name, array in there.items() if array.tensor.dtype == "uint8"}
        self.needs.imports.add("import numpy as np")
        found = [f'    arrays = np.load("{source.file}")']
        for name, own, x in zip(
            self.inputs, source.inputs, self.config.inputs.values(), strict=True
        ):
            assert x is not None
            shape = ", ".join(map(str, (-1, *x.shape)))
            made = f'torch.tensor(arrays["{own}"], dtype=torch.{x.dtype})'
            scaled = " / 255" if own in pixels and x.floating else ""
            found.append(f"    {name} = {made}.reshape({shape}){scaled}")
        found += self.target(f'arrays["{source.target}"]')
        if source.target in pixels.intersection(source.inputs) and not isinstance(
            self.kind, Classes
        ):
            found.append("    y = y / 255")
        return found

    def table(self, source: Csv) -> list[str]:
        """Return the lines that read columns of numbers, and a target of numbers or classes."""
        plain = Csv(file=source.file, target=source.target, inputs=source.inputs)
        if source != plain or not isinstance(source.target, str) or source.inputs is None:
            raise refuse(self.item.type.span, "the table is more than columns of numbers by name")
        if isinstance(source.inputs, dict) or len(self.inputs) > 1:
            raise refuse(self.item.type.span, "the table has several inputs")
        self.needs.imports.add("import numpy as np")
        columns = ", ".join(f'"{name}"' for name in source.inputs)
        found = [
            f'    table = np.genfromtxt("{source.file}", delimiter=",", names=True, dtype=None)',
            f"    features = np.stack([table[name] for name in ({columns},)], axis=1)",
            "    x = torch.tensor(features, dtype=torch.float32)",
        ]
        if isinstance(self.kind, Classes):
            values = f'    labels = np.unique(table["{source.target}"], return_inverse=True)[1]'
            return [*found, values, *self.target("labels")]
        return [*found, *self.target(f'table["{source.target}"].copy()')]

    def split(self) -> list[str]:
        """Return the lines that hold samples out for validation."""
        part = self.config.preparation.validation_part
        assert part is not None
        seed = self.config.train.seed
        order = f"torch.randperm(len(y), generator=torch.Generator().manual_seed({seed}))"
        if part.by == "order":
            order = "torch.arange(len(y))"
        found = [
            f"    order = {order}",
            f"    count = round(len(y) * {part.part:g})  # as many samples validate",
        ]
        if part.by not in {None, "class"} or not isinstance(self.kind, Classes) or self.kind.shape:
            return [*found, "    learn, held = order[:-count], order[-count:]"]
        return [  # evenly spaced places take the same share of each class
            *found,
            "    order = order[y[order].argsort(stable=True)]  # class by class",
            "    held = order[((torch.arange(count) + 0.5) * len(y) / count).long()]",
            "    learn = order[~torch.isin(order, held)]",
        ]

    def normalized(self) -> list[str]:
        """Return the lines that give each channel mean 0 and deviation 1."""
        normalize = self.config.preparation.normalize
        if normalize is False:
            return []
        found = []
        for name, x in zip(self.inputs, self.config.inputs.values(), strict=True):
            if x is None or not x.floating:
                continue
            places = len(x.shape) - 1
            if normalize is True:
                axes = (0, *range(2, 2 + places)) if places else (0,)
                how = {"dim": literal(axes), "correction": Text("0"), "keepdim": Text("True")}
                node = call("torch.std_mean", Text(f"{name}[learn]"), **how)
                found += lines(node, 4, "deviation, mean = ")
                constant = "deviation[deviation <= 1e-6 * mean.abs()] = 1  # a constant channel"
                found.append(f"    {constant}")
            else:
                mean, deviation = normalize
                shape = f".reshape(-1{', 1' * places})" if places else ""
                found.append(f"    mean = torch.tensor({list(mean)}){shape}")
                found.append(f"    deviation = torch.tensor({list(deviation)}){shape}")
            found.append(f"    {name} = ({name} - mean) / deviation")
        return found
