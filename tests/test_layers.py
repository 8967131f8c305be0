"""Every declared layer against the table of `layer_table`, and against torch itself."""

import inspect
import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from layer_table import DECIDED, DECIDED_BY_LAYER, ROWS, Row, Shape, graph_of, torch_arguments
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from netbuild.layers import LAYERS
from netbuild.layers.layer import Layer, Tensor, Window, product
from netbuild.layers.spatial import Spatial

BATCH = 2
SPATIAL = [row for row in ROWS if issubclass(LAYERS[row.type], Spatial)]
#: One row of each layer, the first.
FIRST = list({row.type: row for row in reversed(ROWS)}.values())[::-1]

#: Where the fields of a layer are not the arguments of torch's class, and why.
FIELD_EXCEPTIONS = {
    "device": "not offered: the whole network is built on one device",
    "dtype": "not offered: the whole network is built in one dtype",
    "args": "Sigmoid, Tanh and Identity take anything and ignore it",
    "kwargs": "Sigmoid, Tanh and Identity take anything and ignore it",
    **dict.fromkeys(DECIDED, "required in torch; here the input decides, so that it may be None"),
}


def each(rows: list[Row]) -> pytest.MarkDecorator:
    """Run a test for every row."""
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.id)


def declared(row: Row) -> Layer:
    """Return the layer that a row declares."""
    return LAYERS[row.type].model_validate(row.fields)


@contextmanager
def torch_may_warn() -> Iterator[None]:
    """Allow the two warnings that torch gives for layers that it runs."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Implicit dimension choice for")
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel")
        yield


def torch_layer(row: Row) -> nn.Module:
    """Build torch's layer from a row, without netbuild, in training mode."""
    kind: type[nn.Module] = getattr(nn, row.type)
    return kind(**torch_arguments(row.type, row.fields, row.input)).train()


def on_meta(row: Row) -> tuple[nn.Module, Any]:
    """Build torch's layer on the meta device, and give its results for a batch of two.

    A batch norm without momentum reads the number of batches, which only a real tensor has.
    """
    with torch.device("cpu" if "momentum" in row.fields else "meta"), torch_may_warn():
        module = torch_layer(row)
        return module, module(torch.empty(BATCH, *row.input))


def shapes(named: Iterator[tuple[str, torch.Tensor]]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of named tensors."""
    return {name: tuple(tensor.shape) for name, tensor in named}


def test_every_layer_has_rows() -> None:
    """Every declared layer stands in the table at least twice, and nothing else does."""
    counts = {kind: sum(row.type == kind for row in ROWS) for kind in LAYERS}
    assert {kind for kind, count in counts.items() if count < 2} == set()
    assert {row.type for row in ROWS} == set(LAYERS)
    assert len({row.id for row in ROWS}) == len(ROWS)


@each(ROWS)
def test_output_is_the_one_expected(row: Row) -> None:
    """The shape of the output is the one worked out by hand."""
    assert declared(row).shape(row.input) == row.output


@each(ROWS)
def test_weights_are_the_ones_expected(row: Row) -> None:
    """The learned parameters are the ones worked out by hand."""
    assert declared(row).weights(row.input) == row.weights


@each(ROWS)
def test_macs_are_the_ones_expected(row: Row) -> None:
    """The multiply-adds of a sample are the ones worked out by hand."""
    assert declared(row).macs(row.input) == row.macs


@each(ROWS)
def test_results_are_those_of_torch(row: Row) -> None:
    """Torch gives as many results, of the same shapes and dtypes, in the same order."""
    results = on_meta(row)[1]
    results = results if isinstance(results, tuple) else (results,)
    outputs = declared(row).outputs(Tensor(row.input))
    assert [((BATCH, *output.shape), output.dtype) for output in outputs.values()] == [
        (tuple(result.shape), str(result.dtype).removeprefix("torch.")) for result in results
    ]


@each(ROWS)
def test_parameters_are_those_of_torch(row: Row) -> None:
    """`named_parameters()` of torch's layer has the declared names and shapes, in their order."""
    module, _ = on_meta(row)
    assert list(declared(row).weights(row.input).items()) == list(
        shapes(module.named_parameters()).items()
    )


@each(ROWS)
def test_buffers_are_those_of_torch(row: Row) -> None:
    """`named_buffers()` of torch's layer has the declared names, shapes and dtypes."""
    module, _ = on_meta(row)
    buffers = declared(row).buffers(row.input)
    assert {name: buffer.shape for name, buffer in buffers.items()} == shapes(
        module.named_buffers()
    )
    assert {name: f"torch.{buffer.dtype}" for name, buffer in buffers.items()} == {
        name: str(buffer.dtype) for name, buffer in module.named_buffers()
    }
    assert set(module.state_dict()) == {*declared(row).weights(row.input), *buffers}


@each(ROWS)
def test_macs_are_half_of_torchs_flops(row: Row) -> None:
    """Torch counts two operations for a multiply-add, and none outside convolution and linear."""
    with FlopCounterMode(display=False) as counter:
        on_meta(row)
    assert declared(row).macs(row.input) * 2 * BATCH == counter.get_total_flops()


@each(ROWS)
def test_what_is_built_computes_the_same(row: Row) -> None:
    """The constructor with the declared arguments gives what torch gives with its own defaults."""
    reference = torch_layer(row)
    module = getattr(nn, row.type)(**declared(row).arguments(row.input)).train()
    module.load_state_dict(reference.state_dict())
    results = []
    for each_module in (reference, module):
        torch.manual_seed(0)
        x = torch.randn(BATCH, *row.input)
        with torch_may_warn():
            results.append(each_module(x))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=0)


@pytest.mark.parametrize("kind", LAYERS)
def test_fields_are_torchs_arguments(kind: str) -> None:
    """Names, order and defaults of the fields are those of torch's constructor."""
    given = [
        parameter
        for name, parameter in inspect.signature(getattr(nn, kind)).parameters.items()
        if FIELD_EXCEPTIONS.get(name) is None or name in DECIDED
    ]
    required = inspect.Parameter.empty
    fields = {
        name: required if field.is_required() else field.default
        for name, field in LAYERS[kind].model_fields.items()
    }
    assert list(fields) == [parameter.name for parameter in given]
    for parameter in given:
        if parameter.name in DECIDED:
            assert parameter.default is required
            assert fields[parameter.name] is None
            assert DECIDED_BY_LAYER[kind] == parameter.name
        else:
            assert fields[parameter.name] == parameter.default


WHOLE_NUMBERS_ON_A_CPU_ONLY = {
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "LocalResponseNorm",
    "MaxPool2d",
    "MaxPool3d",
}


@each(FIRST)
def test_whole_numbers_are_taken_where_torch_takes_them(row: Row) -> None:
    """A layer that needs no floats computes with int64 in torch, and gives the declared dtype."""
    layer, module = declared(row), torch_layer(row)
    if type(layer).__name__ in WHOLE_NUMBERS_ON_A_CPU_ONLY:
        pytest.skip("torch pools whole numbers on a CPU, and on no other device")
    x = torch.ones((BATCH, *row.input), dtype=torch.int64)
    with torch_may_warn():
        if layer.needs_float:
            with pytest.raises((RuntimeError, TypeError), match=r"(?i)not implemented|type|long"):
                module(x)
        else:
            outputs = layer.outputs(Tensor(row.input, "int64"))
            assert str(module(x).dtype) == f"torch.{outputs['output'].dtype}"


@each(ROWS)
def test_memory_is_shared_where_torch_shares_it(row: Row) -> None:
    """The output lies in the input's memory exactly for views and for layers with `inplace`."""
    layer = declared(row)
    x = torch.randn(BATCH, *row.input)
    with torch_may_warn():
        result = torch_layer(row)(x)
    y = result[0] if isinstance(result, tuple) else result
    shares = layer.memory() != "new"
    assert shares == (x.untyped_storage().data_ptr() == y.untyped_storage().data_ptr())


def bytes_kept(module: nn.Module, x: Shape, batch: int, *, of_data: bool = False) -> int:
    """Return the bytes that torch keeps for the backward pass of a module, without its state.

    The input comes from a layer that learns, unless it is `of_data`.
    """
    state = {tensor.untyped_storage().data_ptr() for tensor in module.state_dict().values()}
    kept: dict[int, torch.UntypedStorage] = {}  # which keeps them alive: no address comes twice

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in state:
            kept[storage.data_ptr()] = storage
        return tensor

    leaf = torch.randn(batch, *x, requires_grad=not of_data)
    start = leaf.clone()  # as a layer before would give it: a leaf cannot be changed in place
    with torch_may_warn(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = module(start)
    result = result[0] if isinstance(result, tuple) else result
    result.sum().backward()
    return sum(storage.nbytes() for storage in kept.values())


@each(ROWS)
def test_activation_memory_is_what_torch_keeps(row: Row) -> None:
    """One more sample costs the declared bytes: tensors kept and workspace, constants cancelled."""
    layer = declared(row)
    tensors = {"input": Tensor(row.input), "output": Tensor(layer.shape(row.input))}
    expected = sum(tensors[name].nbytes for name in set(layer.saved(row.input)))
    expected += layer.workspace(row.input)
    module = torch_layer(row)
    kept = bytes_kept(module, row.input, 3) - bytes_kept(module, row.input, 2)
    assert expected == kept


@each([row for row in ROWS if "return_indices" not in row.fields])
def test_activation_memory_of_neighbours_counts_once(row: Row) -> None:
    """A tensor that two neighbours keep costs its bytes once, a copy that one makes once more.

    Tanh keeps its output and PReLU its input. What works in place stands behind Linear, which does
    without its output. The first Sigmoid has nothing to learn before it, and keeps nothing.
    """
    before: list[dict[str, Any]] = [{"Sigmoid": {}}, {"Linear": {"out_features": row.input[-1]}}]
    first: list[nn.Module] = [nn.Sigmoid(), nn.Linear(row.input[-1], row.input[-1])]
    if not row.fields.get("inplace", False):
        before.append({"Tanh": {}})
        first.append(nn.Tanh())
    graph = graph_of([*before, row.config, {"PReLU": {}}], row.input)
    assert graph.output is not None
    module = nn.Sequential(*first, torch_layer(row), nn.PReLU()).train()
    more, less = (bytes_kept(module, row.input, batch, of_data=True) for batch in (3, 2))
    assert graph.activations_bytes == more - less


def influence(row: Row) -> torch.Tensor:
    """Return which spatial input positions change which output positions: [inputs, outputs].

    Each input position in turn is 1, in every channel, while all others are 0; with weights of 1
    nothing cancels.
    """
    module = torch_layer(row)
    for parameter in module.parameters():
        nn.init.ones_(parameter)
    channels, *spatial = row.input
    count = product(tuple(spatial))
    hot = torch.eye(count).reshape(count, 1, *spatial).expand(count, channels, *spatial)
    inputs = torch.cat([torch.zeros(1, channels, *spatial), hot])
    with torch.no_grad(), torch_may_warn():
        result = module(inputs)
    y = (result[0] if isinstance(result, tuple) else result).flatten(2)
    return (y[1:] != y[:1]).any(dim=1)


def seen(window: Window, axis: int, position: int) -> list[int]:
    """Return the input positions, inside and outside, that a window covers along an axis."""
    kernel, stride, padding, dilation = (values[axis] for values in window)
    return [position * stride - padding + dilation * step for step in range(kernel)]


@each(SPATIAL)
def test_window_is_what_influences_an_output(row: Row) -> None:
    """Every output position depends on the input positions of its window, and on no others.

    Where the padding repeats the input, only windows that lie inside are compared; pools to a
    given size have windows of one size only where the sizes divide.
    """
    window = declared(row).window(row.input)
    spatial, out = row.input[1:], row.output[1:]
    if window is None:
        sizes = zip(spatial, out, strict=True)
        assert "Adaptive" in row.type
        assert any(n % m for n, m in sizes)
        return
    touched = influence(row)
    compared = 0
    for number, position in enumerate(itertools.product(*map(range, out))):
        covered = [seen(window, axis, index) for axis, index in enumerate(position)]
        inside = [
            [i for i in places if 0 <= i < n] for places, n in zip(covered, spatial, strict=True)
        ]
        if row.fields.get("padding_mode", "zeros") != "zeros" and inside != covered:
            continue
        compared += 1
        expected = torch.zeros(spatial, dtype=torch.bool)
        for place in itertools.product(*inside):
            expected[place] = True
        assert torch.equal(touched[:, number].reshape(spatial), expected), position
    assert compared > 0
