"""Every declared layer against the tables of its family, and against torch itself."""

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from netbuild.builder.module import module as build
from netbuild.components.layers import LAYERS
from netbuild.components.layers.layer import Layer
from netbuild.components.layers.layout import Placed
from netbuild.components.layers.operation import Operation
from tests.components.layers import FAMILIES, READERS
from tests.components.layers.contract import (
    BATCH,
    Row,
    graph_of,
    graph_of_case,
    results,
    tensors,
    torch_layer,
    torch_may_warn,
)
from tests.tables import over
from tests.torch_release import IS_NEW, fields_there, of_new_torch

ROWS = [row for kind, family in FAMILIES.items() for row in family.rows if row.type == kind]
_BY_ID = {row.id: row for row in ROWS}
#: What a chain can hold: one input of floats.
CHAINED = [row for row in ROWS if not row.others and row.dtype == "float32"]
#: One row of each layer, the first.
FIRST = list({row.type: row for row in reversed(CHAINED)}.values())[::-1]

#: Arguments of torch that are no fields, and why.
NO_FIELDS = {
    "device": "not offered: the whole network is built on one device",
    "dtype": "not offered: the whole network is built in one dtype",
    "args": "some activations take anything and ignore it",
    "kwargs": "the same",
}


def each(rows: list[Row]) -> Callable[[Callable[[Row], None]], Callable[[], None]]:
    """Let a test try every row."""
    return over(rows, lambda row: row.id)


def declared(row: Row) -> Layer:
    """Return the layer that a row declares, filled as from a file."""
    graph = graph_of_case(row.case)
    assert not [fault for fault in graph.diagnostics if fault.severity == "error"]
    return graph.rows[-1].layer


def of_torch(row: Row, batch: int = BATCH) -> tuple[Any, tuple[torch.Tensor, ...]]:
    """Build torch's layer, and give its results for a batch."""
    family = FAMILIES[row.type]
    with torch_may_warn():
        module = torch_layer(family, row.case)
        return module, results(family, row.type, module, tensors(family, row.case, batch))


def on_meta(row: Row) -> tuple[Any, tuple[torch.Tensor, ...]]:
    """The same on the meta device.

    A batch norm without momentum reads the number of batches, which only a real tensor has, and
    torch reads lengths.
    """
    real = "momentum" in row.fields or "lengths" in row.names
    with torch.device("cpu" if real else "meta"):
        return of_torch(row)


@cache
def made_on_meta(row_id: str) -> tuple[Any, tuple[torch.Tensor, ...]]:
    """Return what `on_meta` gives for a row. Several tests look at it, and none changes it."""
    return on_meta(_BY_ID[row_id])


def shapes(named: Iterator[tuple[str, torch.Tensor]]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of named tensors."""
    return {name: tuple(tensor.shape) for name, tensor in named}


def test_every_layer_has_rows() -> None:
    """Every declared layer stands in the table at least twice, and nothing else does."""
    counts = {kind: sum(row.type == kind for row in ROWS) for kind in READERS}
    assert {kind for kind, count in counts.items() if count < 2 and IS_NEW} == set()
    assert {row.type for row in ROWS} == set(READERS)
    assert len({row.id for row in ROWS}) == len(ROWS)


@each(ROWS)
def test_output_is_the_one_expected(row: Row) -> None:
    """The shape of the first result is the one worked out by hand."""
    outputs = declared(row).apply(*row.inputs)
    assert next(iter(outputs.values())).shape == row.output, row.id
    first = {"Chunk": "0", "Split": "0", "Topk": "values", "Sort": "values"}
    assert next(iter(outputs)) == first.get(row.type, "output"), row.id


@each(ROWS)
def test_weights_are_the_ones_expected(row: Row) -> None:
    """The learned parameters are the ones worked out by hand."""
    assert declared(row).weights(*row.shapes) == row.weights


@each(ROWS)
def test_macs_are_the_ones_expected(row: Row) -> None:
    """The multiply-adds of a sample are the ones worked out by hand."""
    assert declared(row).macs(*row.shapes) == row.macs


@each(ROWS)
def test_results_are_those_of_torch(row: Row) -> None:
    """Torch gives as many results, of the same shapes and dtypes, in the same order."""
    outputs = declared(row).apply(*row.inputs)
    assert [((BATCH, *output.shape), output.dtype) for output in outputs.values()] == [
        (tuple(result.shape), str(result.dtype).removeprefix("torch."))
        for result in made_on_meta(row.id)[1]
    ]


@each(ROWS)
def test_parameters_are_those_of_torch(row: Row) -> None:
    """`named_parameters()` of torch's layer has the declared names and shapes, in their order."""
    module, _ = made_on_meta(row.id)
    named = module.named_parameters() if isinstance(module, nn.Module) else iter(())
    assert list(declared(row).weights(*row.shapes).items()) == list(shapes(named).items())


@each(ROWS)
def test_buffers_are_those_of_torch(row: Row) -> None:
    """`named_buffers()` of torch's layer has the declared names, shapes and dtypes."""
    module, _ = made_on_meta(row.id)
    if not isinstance(module, nn.Module):
        assert declared(row).buffers(*row.shapes) == {}
        return
    buffers = declared(row).buffers(*row.shapes)
    assert {name: buffer.shape for name, buffer in buffers.items()} == shapes(
        module.named_buffers()
    )
    assert {name: f"torch.{buffer.dtype}" for name, buffer in buffers.items()} == {
        name: str(buffer.dtype) for name, buffer in module.named_buffers()
    }
    assert set(module.state_dict()) == {*declared(row).weights(*row.shapes), *buffers}


@each([row for row in ROWS if row.type not in FAMILIES[row.type].uncounted])
def test_macs_are_half_of_torchs_flops(row: Row) -> None:
    """Torch counts two operations for a multiply-add, and none for what is element by element."""
    with FlopCounterMode(display=False) as counter:
        on_meta(row)
    assert declared(row).macs(*row.shapes) * 2 * BATCH == counter.get_total_flops()


@each(ROWS)
def test_what_is_built_computes_the_same(row: Row) -> None:
    """What netbuild builds gives, with the same weights, what torch gives with its own defaults."""
    family = FAMILIES[row.type]
    reference = torch_layer(family, row.case)
    module = build(graph_of_case(row.case)).train()
    if isinstance(reference, nn.Module):
        module.load_state_dict({f"0.{name}": t for name, t in reference.state_dict().items()})
    x = tensors(family, row.case)
    with torch_may_warn():
        torch.manual_seed(0)
        expected = results(family, row.type, reference, [t.clone() for t in x])[0]
        torch.manual_seed(0)
        torch.testing.assert_close(module(*[t.clone() for t in x]), expected, rtol=0, atol=0)


@over(READERS)
def test_fields_are_torchs_arguments(kind: str) -> None:
    """Names, order and defaults of the fields are those of torch's constructor."""
    family = FAMILIES[kind]
    excused = {name for layer, name in family.fields if layer == kind}
    torchs = family.make.get(kind) or getattr(nn, kind)
    given = [
        parameter
        for name, parameter in inspect.signature(torchs).parameters.items()
        if name not in NO_FIELDS and name not in excused
    ]
    required = inspect.Parameter.empty
    has = fields_there(LAYERS[kind])
    fields = {
        name: required if field.is_required() else field.default
        for name, field in LAYERS[kind].model_fields.items()
        if name not in excused and name in has
    }
    assert list(fields) == [parameter.name for parameter in given]
    for parameter in given:
        if parameter.name in family.decided.get(kind, {}):
            assert parameter.default is required
            assert fields[parameter.name] is None
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
    case = row.case._replace(dtype="int64")
    graph = graph_of_case(case)
    if row.type in WHOLE_NUMBERS_ON_A_CPU_ONLY:
        pytest.skip("torch computes it for whole numbers on a CPU, and on no other device")
    family = FAMILIES[row.type]
    with torch_may_warn():
        module = torch_layer(family, case)
        x = [torch.ones_like(t) for t in tensors(family, case)]
        if graph.output is None:
            assert [fault.code for fault in graph.diagnostics] == ["NB207"]
            with pytest.raises(
                (RuntimeError, TypeError, ValueError), match=r"(?i)not implemented|type|long"
            ):
                results(family, row.type, module, x)
        else:
            y = results(family, row.type, module, x)
            assert [f"torch.{t.dtype}" for t in graph.rows[-1].outputs.values()] == [
                str(t.dtype) for t in y
            ]


@each(ROWS)
def test_memory_is_shared_where_torch_shares_it(row: Row) -> None:
    """The output lies in the first input's memory for views and for layers with `inplace`."""
    family = FAMILIES[row.type]
    x = tensors(family, row.case)
    with torch_may_warn():
        y = results(family, row.type, torch_layer(family, row.case), x)[0]
    placed = [Placed(tensor.shape, dtype=tensor.dtype) for tensor in row.inputs]
    shares = declared(row).memory(*placed) != "new"
    alike = x[0].untyped_storage().data_ptr() == y.untyped_storage().data_ptr()
    assert shares == alike, row.id


def bytes_kept(module: Any, run: Any, x: list[torch.Tensor]) -> int:
    """Return the bytes that torch keeps for the backward pass of a module, without its state."""
    held = module.state_dict().values() if isinstance(module, nn.Module) else ()
    state = {tensor.untyped_storage().data_ptr() for tensor in held}
    kept: dict[int, torch.UntypedStorage] = {}  # which keeps them alive: no address comes twice

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in state:
            kept[storage.data_ptr()] = storage
        return tensor

    # as layers before would give them: a leaf cannot be changed in place
    start = [t.clone() for t in x]
    with torch_may_warn(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = run(module, start)
    if y.requires_grad:
        y.sum().backward()
    return sum(storage.nbytes() for storage in kept.values())


def learning(x: list[torch.Tensor]) -> list[torch.Tensor]:
    """Return the tensors as they come from layers that learn."""
    return [t.requires_grad_(t.is_floating_point()) for t in x]


@of_new_torch
@each(ROWS)
def test_activation_memory_is_what_torch_keeps(row: Row) -> None:
    """One more sample costs the declared bytes: tensors kept and workspace, constants cancelled."""
    family = FAMILIES[row.type]
    traced = graph_of_case(row.case).rows[-1]
    learning_inputs = [Placed(x.shape, None, x.floating, x.dtype) for x in row.inputs]
    needs = traced.layer.needs(*learning_inputs, learns=True)
    expected = sum(row.inputs[n].nbytes for n in set(needs.inputs))
    expected += sum(traced.outputs[port].nbytes for port in needs.outputs) + needs.workspace
    module = torch_layer(family, row.case)

    def kept(batch: int) -> int:
        return bytes_kept(
            module,
            lambda module, x: results(family, row.type, module, x)[0],
            learning(tensors(family, row.case, batch)),
        )

    assert expected == kept(3) - kept(2)


#: Torch gives Fold's output in a buffer as large as its input, of which a part is used.
OVERSIZED = {"Fold"}


@of_new_torch
@each(
    [
        row
        for row in CHAINED
        if not issubclass(LAYERS[row.type], Operation) and row.type not in OVERSIZED
    ]
)
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
    family = FAMILIES[row.type]
    graph = graph_of([*before, row.config, {"PReLU": {}}], *row.inputs)
    assert graph.output is not None
    head, middle, tail = nn.Sequential(*first), torch_layer(family, row.case), nn.PReLU()
    module = nn.ModuleList([head, middle, tail]).train()

    def run(_: Any, x: list[torch.Tensor]) -> torch.Tensor:
        found: torch.Tensor = tail(results(family, row.type, middle, [head(*x)])[0])
        return found

    more, less = (bytes_kept(module, run, tensors(family, row.case, batch)) for batch in (3, 2))
    assert graph.activations_bytes == more - less
