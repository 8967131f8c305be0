"""A file of ONNX as a module of torch. It has the names of the file's weights as its own."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn
from torch.overrides import handle_torch_function, has_torch_function

from netbuild.diagnostics.exceptions import ImportedError
from netbuild.exchange.importer.onnx import functions, layers
from netbuild.exchange.importer.onnx.node import Step, steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_PATH = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)+")
#: The operators whose constants count as weights, and are not written into the config.
_WEIGHTED = {"Add", "Sub", "Mul", "Div", "MatMul", "Gemm", "Where", "Concat", "Max", "Min", "Pow"}
#: Python's values of the types of ONNX's tensors that a network reads.
_READ = {1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool}


class Stack(nn.Module):
    """A module that holds others under their names."""


class Input(NamedTuple):
    """An input: its name in the config, its name in the file, its shape without the batch."""

    name: str
    own: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    def samples(self, size: int) -> torch.Tensor:
        """Return samples like those that the file takes."""
        if self.dtype.is_floating_point:
            return torch.randn(size, *self.shape)
        return torch.randint(0, 2, (size, *self.shape)).to(self.dtype)


class OnnxModule(nn.Module):
    """The network of a file. `forward` takes the inputs in their order.

    Args:
        path: the file.
        sizes: the sizes of inputs without the batch, by name, where the file leaves them open. A
            single input needs no name.
    """

    def __init__(
        self, path: Path, sizes: Mapping[str, tuple[int, ...]] = MappingProxyType({})
    ) -> None:
        super().__init__()
        model = _loaded(path)
        self.constants = _constants(model)
        self.given, self.batch = _inputs(model, self.constants, sizes)
        self.results = tuple(one.name for one in model.graph.output)
        self.steps = _joined(steps(model, self.batch), self.constants)
        #: The layer of each step, by the name of its first output.
        self.layers: dict[str, str] = {}
        self._made: dict[tuple[Any, ...], str] = {}
        self.held: dict[str, str] = {}
        with torch.no_grad():
            self._run([one.samples(2) for one in self.given], building=True)
        self.eval()

    def forward(self, *x: torch.Tensor) -> Any:
        """Return the output, or the outputs by name."""
        return self._run(x, building=False)

    def _run(self, x: Sequence[torch.Tensor], *, building: bool) -> Any:
        values: dict[str, torch.Tensor | None] = {"": None, **self.constants}
        values |= {name: self.get_parameter(path) for name, path in self.held.items()}
        values |= {one.own: value for one, value in zip(self.given, x, strict=True)}
        known = {*self.constants}
        for step in self.steps:
            if building:
                self._prepare(step, values, known)
                values |= {n: self.get_parameter(p) for n, p in self.held.items()}
            several = self._results(step, values)
            values |= dict(zip(step.outputs, several, strict=False))
            if step.type == "Constant" or (step.inputs and {*step.inputs} <= known | {""}):
                known |= {*step.outputs}
        found = {plain(name): values[name] for name in self.results}
        return next(iter(found.values())) if len(found) == 1 else found

    def _results(self, step: Step, values: Mapping[str, torch.Tensor | None]) -> Sequence[Any]:
        """Return the results of a step.

        Raises:
            ImportedError: its inputs do not fit it.
        """
        try:
            y = self._computed(step, values)
            several = y if isinstance(y, (tuple, list)) else (y,)
            if len(several) < len([name for name in step.outputs if name]):
                y = unknown(step, [one for n in step.inputs if (one := values[n]) is not None])
                several = y if isinstance(y, (tuple, list)) else (y,)
        except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
            if isinstance(error, ImportedError):
                raise
            first = (str(error).splitlines() or [""])[0]
            message = f"{step.name} ({step.type}) cannot be computed: {first}"
            raise ImportedError(message) from error
        return several

    def _computed(self, step: Step, values: Mapping[str, torch.Tensor | None]) -> Any:
        if step.outputs[0] in self.layers:
            layer: Any = self.get_submodule(self.layers[step.outputs[0]])
            x: Any = values[step.inputs[1 if step.type == "Gather" else 0]]
            if step.type == "Conv":
                x = layers.before_conv(step, x, layer.kernel_size)
            return layer(x)
        if step.type == "Constant":
            return _constant(step)
        if step.type == "ConstantOfShape":
            value = step.get("value")
            fill = 0.0 if value is None else _tensor(value).item()
            return torch.full(functions.ints(values[step.inputs[0]]), fill)
        function = layers.TABLE.get(step.type) or functions.TABLE.get(step.type)
        given = [values[name] for name in step.inputs]
        if function is None:
            return unknown(step, [one for one in given if one is not None])
        return function(step, *given)

    def _prepare(
        self, step: Step, values: Mapping[str, torch.Tensor | None], known: set[str]
    ) -> None:
        """Make the layer of a step, if its weights stand in the file, or hold its weights."""
        weights = {
            at: value
            for at, name in enumerate(step.inputs)
            if name in known and (value := values[name]) is not None
        }
        if self._is_layer(step, weights):
            names = tuple(step.inputs[at] for at in weights)
            key: tuple[Any, ...] = (
                step.type,
                names,
                repr(sorted(step.attributes.items(), key=str)),
            )
            if step.type.endswith("Normalization"):  # exporters write equal statistics once
                key = (*key, step.outputs)
            if key not in self._made:
                x = values[step.inputs[1 if step.type == "Gather" else 0]]
                made = layers.MAKERS[step.type](step, x, weights).eval()
                first = step.inputs[min(weights)]
                self._made[key] = self._placed(made, step, first)
            self.layers[step.outputs[0]] = self._made[key]
            return
        if step.type not in _WEIGHTED or len(weights) == len([n for n in step.inputs if n]):
            return
        for at, value in weights.items():
            name = step.inputs[at]
            if value.is_floating_point() and value.numel() > 1 and name in self.constants:
                self._hold(name, value)

    @staticmethod
    def _is_layer(step: Step, weights: Mapping[int, torch.Tensor]) -> bool:
        if step.type not in layers.MAKERS:
            return False
        if step.type == "Gather":
            table = weights.get(0)
            is_table = table is not None and table.dim() == 2 and table.is_floating_point()
            return is_table and 1 not in weights and step.get("axis", 0) == 0
        if step.type in {"Gemm", "MatMul"}:
            matrix, bias = weights.get(1), weights.get(2)
            fits = matrix is not None and matrix.dim() == 2 and 0 not in weights
            alone = len(step.inputs) < 3 or (bias is not None and bias.squeeze().dim() <= 1)
            return fits and alone and not step.get("transA", 0)
        if step.type == "PRelu":
            slope = weights.get(1)
            return slope is not None and slope.squeeze().dim() <= 1
        wanted = [at for at, name in enumerate(step.inputs) if name and at]
        if not wanted or any(at not in weights for at in wanted):
            raise ImportedError(f"{step.name} reads weights that another node computes")
        return True

    def _placed(self, made: nn.Module, step: Step, weight: str) -> str:
        """Add a layer to the tree of modules, and return its path."""
        for path in (*_paths(step, weight), _invented(step)):
            number, free = 0, path
            while not self._is_free(free):
                number += 1
                free = f"{path}_{number}"
            if number == 0 or path == _invented(step):
                *above, own = free.split(".")
                around: nn.Module = self
                for name in above:
                    if not hasattr(around, name):
                        around.add_module(name, Stack())
                    around = getattr(around, name)
                around.add_module(own, made)
                return free
        raise AssertionError

    def _is_free(self, path: str) -> bool:
        around: Any = self
        *above, own = path.split(".")
        for name in above:
            if name not in around._modules:  # noqa: SLF001
                return not hasattr(around, name)
            around = getattr(around, name)
            if not isinstance(around, Stack):
                return False
        return not hasattr(around, own)

    def _hold(self, name: str, value: torch.Tensor) -> None:
        """Hold a constant that counts as a weight."""
        if name in self.held:
            return
        path = name if _PATH.fullmatch(name) and self._is_free(name) else ""
        path = path or self._free(f"weight_{plain(name)}")
        *above, own = path.split(".")
        around: nn.Module = self
        for part in above:
            if not hasattr(around, part):
                around.add_module(part, Stack())
            around = getattr(around, part)
        around.register_parameter(own, nn.Parameter(value.clone(), requires_grad=False))
        self.held[name] = path

    def _free(self, path: str) -> str:
        while not self._is_free(path):
            path += "_1"
        return path


def _paths(step: Step, weight: str) -> list[str]:
    """Return the paths that the names in a file tell of a layer: `layer1.0.conv1`."""
    found = []
    if weight.endswith(".weight") and _PATH.fullmatch(weight):
        found.append(weight.removesuffix(".weight"))
    if step.name.startswith("/"):  # torch's older exporter: /layer1/layer1.0/conv1/Conv
        path = ""
        for scope in step.name.split("/")[1:-1]:
            path = scope if scope.startswith(f"{path}.") or not path else f"{path}.{scope}"
        if _PATH.fullmatch(f"{path}.x"):
            found.append(path)
    return found


def _invented(step: Step) -> str:
    name = plain(step.name)
    return name if name[:1].isalpha() else f"{step.type.lower()}_{name}"


def plain(name: str) -> str:
    """Return a name as a config can have it."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_-") or "value"


def unknown(step: Step, given: Sequence[torch.Tensor]) -> Any:
    """Compute an operator that has no counterpart, so that what follows can be read."""
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    def function(*x: torch.Tensor) -> Any:
        if has_torch_function(x):
            return handle_torch_function(function, x, *x)
        names = [f"x{number}" for number in range(len(x))]
        node = helper.make_node(step.type, names, [*step.outputs], **step.attributes)
        infos = [helper.make_tensor_value_info(n, TensorProto.UNDEFINED, None) for n in names]
        ends = [helper.make_tensor_value_info(n, TensorProto.UNDEFINED, None) for n in step.outputs]
        graph = helper.make_graph([node], "node", infos, ends)
        opset = [helper.make_opsetid("", step.opset)]
        try:
            run = ReferenceEvaluator(helper.make_model(graph, opset_imports=opset))
            y = run.run(None, {n: v.numpy() for n, v in zip(names, x, strict=True)})
        except Exception as error:  # its exceptions have no public base
            message = f"{step.name}: {step.type} has no counterpart in a config"
            raise ImportedError(message) from error
        made = tuple(torch.tensor(one) for one in y)
        return made[0] if len(made) == 1 else made

    function.__name__ = step.type
    return function(*given)


def _loaded(path: Path) -> Any:
    import onnx

    try:
        model = onnx.load(str(path))
    except Exception as error:  # its exceptions have no public base
        first = (str(error).splitlines() or [""])[0]
        raise ImportedError(f"{path} is not a file of ONNX that can be read: {first}") from error
    if not model.graph.node:
        raise ImportedError(f"{path} is not a file of ONNX, or its network is empty")
    return model


def _tensor(proto: Any) -> torch.Tensor:
    from onnx import numpy_helper

    return torch.from_numpy(numpy_helper.to_array(proto).copy())


def _constants(model: Any) -> dict[str, torch.Tensor]:
    """Return the constants of a file, those of its nodes too."""
    found = {one.name: _tensor(one) for one in model.graph.initializer}
    for step in steps(model, None):
        if step.type == "Constant":
            found[step.outputs[0]] = _constant(step)
        elif step.type == "Identity" and step.inputs[0] in found:
            found[step.outputs[0]] = found[step.inputs[0]]
    return found


def _constant(step: Step) -> torch.Tensor:
    ((kind, value),) = step.attributes.items()
    return _tensor(value) if kind == "value" else torch.tensor(value)


def _inputs(
    model: Any, constants: Iterable[str], sizes: Mapping[str, tuple[int, ...]]
) -> tuple[list[Input], int | None]:
    """Return the inputs, and the number of samples in a batch if the file fixes it."""
    found, batches = [], set()
    read = [one for one in model.graph.input if one.name not in {*constants}]
    other = next((n for n in sizes if n and n not in {one.name for one in read}), None)
    if other is not None:
        names = ", ".join(one.name for one in read)
        raise ImportedError(f"the file has no input {other}: its inputs are {names}")
    for one in read:
        kind = one.type.tensor_type
        if kind.elem_type not in _READ:
            raise ImportedError(f"the input {one.name} has a type that a config does not have")
        dims = [d.dim_value or None for d in kind.shape.dim]
        if not dims:
            raise ImportedError(f"the input {one.name} has no axis for the batch")
        batches.add(dims[0])
        shape: Any = sizes.get(one.name) or sizes.get("") or tuple(dims[1:])
        if None in shape or len(shape) != len(dims) - 1:
            message = (
                f"the file leaves sizes of {one.name} open: name them, as in --input 3,224,224"
            )
            raise ImportedError(message)
        found.append(Input(plain(one.name), one.name, shape, _READ[kind.elem_type]))
    fixed = {one for one in batches if one}
    return found, fixed.pop() if len(fixed) == 1 else None


def _joined(given: list[Step], constants: Mapping[str, torch.Tensor]) -> list[Step]:
    """Return the steps with each `MatMul` and the addition behind it as one."""
    readers: dict[str, list[Step]] = {}
    for step in given:
        for name in step.inputs:
            readers.setdefault(name, []).append(step)
    found, dropped = [], set[str]()
    for step in given:
        if step.outputs[0] in dropped:
            continue
        after = readers.get(step.outputs[0], [])
        if step.type == "MatMul" and step.inputs[1] in constants and len(after) == 1:
            (add,) = after
            others = [n for n in add.inputs if n != step.outputs[0]]
            weight = constants[step.inputs[1]]
            bias = constants.get(others[0]) if len(others) == 1 else None
            if add.type == "Add" and bias is not None and bias.shape == weight.shape[-1:]:
                dropped.add(add.outputs[0])
                inputs = (*step.inputs, others[0])
                found.append(step._replace(inputs=inputs, outputs=add.outputs))
                continue
        found.append(step)
    return found
