"""What the table of a family of layers holds, and what torch makes of a row or a case of it.

Torch's side is its own constructor and a forward pass of two samples in training mode; nothing of
netbuild is used for it.
"""

from __future__ import annotations

import json
import warnings
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import torch
from hypothesis import strategies as st
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from netbuild.checks.trace import infer
from netbuild.components.layers import LAYERS
from netbuild.components.tensor import Shape, Tensor
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from netbuild.graph.graph import Graph

__all__ = ["Shape", "Tensor"]

BATCH = 2
#: What torch raises for fields and inputs that it does not take.
REFUSALS = (
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
    AssertionError,
    ZeroDivisionError,
    OverflowError,
)

Weights: TypeAlias = dict[str, Shape]


class Row(NamedTuple):
    """A layer as it stands in YAML, and what it is expected to do to one sample.

    `others` are the inputs behind the first one, whose shape and dtype are `input` and `dtype`.
    """

    config: dict[str, dict[str, Any]]
    input: Shape
    output: Shape
    weights: Weights
    macs: int
    others: tuple[Tensor, ...] = ()
    dtype: str = "float32"
    #: The names of all inputs, if a file gives them by name.
    names: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The name of the layer."""
        return next(iter(self.config))

    @property
    def fields(self) -> dict[str, Any]:
        """The fields as they are written."""
        return self.config[self.type]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """All inputs."""
        return (Tensor(self.input, self.dtype), *self.others)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of all inputs, as the rules of a layer take them."""
        return tuple(tensor.shape for tensor in self.inputs)

    @property
    def case(self) -> Case:
        """The row without what is expected of it."""
        return Case(self.type, self.fields, self.input, self.others, self.dtype, self.names)

    @property
    def id(self) -> str:
        """The layer with its fields and its inputs, in one word."""
        fields = ",".join(f"{name}={value}" for name, value in self.fields.items())
        inputs = ",".join("x".join(map(str, shape)) for shape in self.shapes)
        dtype = "" if self.dtype == "float32" else f"-{self.dtype}"
        named = "-".join(f"{n}:{x.dtype}" for n, x in zip(self.names, self.inputs, strict=False))
        return f"{self.type}({fields})-{inputs}{dtype}{named}".replace(" ", "")


class Case(NamedTuple):
    """A layer with its fields, as it stands in YAML, and inputs for it."""

    kind: str
    fields: dict[str, Any]
    x: Shape
    others: tuple[Tensor, ...] = ()
    dtype: str = "float32"
    #: The names of all inputs, if a file gives them by name.
    names: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """All inputs."""
        return (Tensor(self.x, self.dtype), *self.others)


class Strictness(NamedTuple):
    """A reason for which netbuild refuses what torch runs, with one case of it."""

    reason: str
    applies: Callable[[Case], bool]
    example: Case


class Family(NamedTuple):
    """Everything that is tested of the layers of one module of `netbuild.layers`."""

    #: At least two for each layer.
    rows: Sequence[Row]
    #: Any fields and inputs, good and bad, for each layer.
    cases: dict[str, st.SearchStrategy[Case]]
    #: Cases at the edge of a rule, on either side, which a random draw seldom meets.
    edges: Sequence[Case] = ()
    strictness: Sequence[Strictness] = ()
    #: The arguments that torch requires and the inputs decide, with torch's rule for each.
    decided: dict[str, dict[str, Callable[..., Any]]] = {}  # noqa: RUF012  never changed
    #: How torch makes a layer of its arguments, where that is not the class of its name.
    make: dict[str, Callable[..., Callable[..., Any]]] = {}  # noqa: RUF012
    #: How torch calls one, giving a tuple of all results with the batch in front.
    call: dict[str, Callable[..., tuple[torch.Tensor, ...]]] = {}  # noqa: RUF012
    #: Tensors that the layer can take, where random and zero will not do.
    data: dict[str, Callable[[Case, int], list[torch.Tensor]]] = {}  # noqa: RUF012
    #: By layer and name: why a field is not an argument of torch's, or the other way round, or
    #: has another default.
    fields: dict[tuple[str, str], str] = {}  # noqa: RUF012
    #: Why torch's counter of operations does not tell a layer's multiply-adds.
    uncounted: dict[str, str] = {}  # noqa: RUF012


def torch_arguments(family: Family, case: Case) -> dict[str, Any]:
    """Return what a user of torch would write for these fields and these inputs."""
    names = case.names or ("",) * len(case.inputs)
    pairs = zip(names, case.inputs, strict=True)
    shapes = [tensor.shape for name, tensor in pairs if "mask" not in name]
    decided = family.decided.get(case.kind, {})
    arguments = {name: rule(*shapes) for name, rule in decided.items()}
    for name, value in case.fields.items():
        if name not in decided or value is not None:
            arguments[name] = tuple(value) if isinstance(value, list) else value
    return arguments


def torch_layer(family: Family, case: Case) -> Any:
    """Build torch's layer, without netbuild, in training mode."""
    make = family.make.get(case.kind) or getattr(nn, case.kind)
    made = make(**torch_arguments(family, case))
    if isinstance(made, LazyModuleMixin):  # as its first forward would, without going forward
        made._infer_parameters(made, tuple(tensors(family, case)))
    if case.names:
        made.names = case.names
    return made.train() if isinstance(made, nn.Module) else made


def tensors(family: Family, case: Case, batch: int = BATCH) -> list[torch.Tensor]:
    """Return inputs of a case: random where they are floats, else zeros."""
    if case.kind in family.data:
        return family.data[case.kind](case, batch)
    return [torch.rand(batch, *x.shape) if x.floating else zeros(x, batch) for x in case.inputs]


def zeros(x: Tensor, batch: int = BATCH) -> torch.Tensor:
    """Return a tensor of zeros."""
    return torch.zeros(batch, *x.shape, dtype=getattr(torch, x.dtype))


def results(family: Family, kind: str, module: Any, x: Sequence[Any]) -> tuple[torch.Tensor, ...]:
    """Return all results of a torch layer, with the batch in front."""
    if kind in family.call:
        return family.call[kind](module, *x)
    y = module(*x)
    return tuple(y) if isinstance(y, tuple) else (y,)


@contextmanager
def torch_may_warn() -> Iterator[None]:
    """Allow the warnings that torch gives for layers that it runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Outcome(NamedTuple):
    """What comes of a layer: the shapes and dtypes of its results, and the `state_dict()`."""

    results: tuple[tuple[Shape, str], ...]
    state: dict[str, Shape]


def outcome(
    module: Any,
    run: Callable[..., tuple[torch.Tensor, ...]],
    x: Sequence[torch.Tensor],
    *,
    backward: bool,
) -> Outcome:
    """Run a module in training mode, forward and perhaps backward."""
    leaves = [t.clone().requires_grad_(t.is_floating_point()) for t in x]
    with torch_may_warn():
        found = run(module, *[leaf.clone() for leaf in leaves])
        if backward and any(y.requires_grad for y in found):
            sum(y.sum() for y in found if y.requires_grad).backward()
    state = module.state_dict() if isinstance(module, nn.Module) else {}
    return Outcome(
        tuple((tuple(y.shape), str(y.dtype).removeprefix("torch.")) for y in found),
        {name: tuple(value.shape) for name, value in state.items()},
    )


def by_torch(family: Family, case: Case, *, backward: bool) -> Outcome | Exception:
    """Return what torch makes of a layer, or how it refuses."""
    try:
        with torch_may_warn():
            module = torch_layer(family, case)
            x = tensors(family, case)
        return outcome(module, lambda m, *x: results(family, case.kind, m, x), x, backward=backward)
    except REFUSALS as error:
        return error


def text_of(layers: Any, *inputs: Tensor, **sections: Any) -> str:
    """Return a file with these layers and other sections.

    A single input is `input:`; several are `inputs:`, called `in0`, `in1` and so on.
    """
    given = [{"shape": list(x.shape), "dtype": x.dtype} for x in inputs]
    named: dict[str, Any] = {"input": given[0]}
    if len(given) > 1:
        named = {"inputs": {f"in{number}": x for number, x in enumerate(given)}}
    return json.dumps({**named, "layers": layers, **sections}).replace("Infinity", ".inf")


#: The names of the inputs of a layer that lets the file choose them.
NAMES = ("x", "m", "v")


def wires(kind: str, sources: list[str], names: tuple[str, ...] = ()) -> Any:
    """Return `inputs:` of a layer that reads these sources, by names if it has any."""
    if len(sources) == 1:
        return sources[0]
    if LAYERS[kind].names_inputs:
        names = NAMES[: len(sources)]
    return dict(zip(names, sources, strict=True)) if names else sources


def text_of_case(case: Case, **modifiers: Any) -> str:
    """Return a file with one layer that reads all inputs."""
    item: dict[str, Any] = {case.kind: case.fields, **modifiers}
    if case.others:
        names = [f"in{number}" for number in range(len(case.inputs))]
        item["inputs"] = wires(case.kind, names, case.names)
    return text_of([item], *case.inputs)


def graph_of(layers: Any, *inputs: Tensor, **sections: Any) -> Graph:
    """Return what netbuild infers of a file with these layers, faults included."""
    return _inferred(text_of(layers, *inputs, **sections))


def graph_of_case(case: Case, **modifiers: Any) -> Graph:
    """Return what netbuild infers of a file with one layer, faults included."""
    return _inferred(text_of_case(case, **modifiers))


@lru_cache(maxsize=1024)
def _inferred(text: str) -> Graph:
    """Return what netbuild infers of a file. Several tests ask the same row, so it is kept."""
    return infer(read(from_bytes("network.yaml", text.encode())))


def affine(*sizes: int) -> Weights:
    """Return the weight and the bias of a norm."""
    return {"weight": sizes, "bias": sizes}


BOOLS = st.booleans()
NUMBERS = st.sampled_from([0.0, 1e-5, 0.1, 1.0, -1.0, 2, 30.0])
#: Shapes of any rank, small; one number a sample has none.
SMALL = st.lists(st.integers(1, 4), max_size=4).map(tuple)
#: Numbers of axes, that are there or not.
DIMS = st.integers(-6, 6)


def shapes(rank: int, *, most: int = 9) -> st.SearchStrategy[Shape]:
    """Draw inputs of channels and `rank` axes mostly, and of one axis more or less sometimes."""
    ranks = st.sampled_from([rank] * 8 + [rank - 1, rank + 1])
    sizes = st.integers(1, most if rank < 3 else min(most, 6))
    return ranks.flatmap(
        lambda axes: (
            st.tuples(st.sampled_from([1, 2, 3, 4, 6]), *[sizes] * axes)
            if axes >= 0
            else st.tuples(sizes)
        )
    )


def per_axis(rank: int, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw one value, or one for each axis; now and then for another number of axes."""
    lengths = st.sampled_from([rank] * 12 + [rank + 1, max(rank - 1, 1)])
    return values | lengths.flatmap(lambda n: st.lists(values, min_size=n, max_size=n))


def sizes(rank: int, least: int, most: int) -> st.SearchStrategy[Any]:
    """Draw whole numbers per axis, the larger ones less often, and sometimes one too small."""
    usual = st.integers(least, most)
    return per_axis(rank, st.one_of(*[usual] * 15, st.integers(least - 1, most + 6)))


def cases(
    kind: str,
    x: st.SearchStrategy[Shape],
    required: dict[str, st.SearchStrategy[Any]] | None = None,
    optional: dict[str, st.SearchStrategy[Any]] | None = None,
    *,
    others: st.SearchStrategy[tuple[Tensor, ...]] | None = None,
    dtype: st.SearchStrategy[str] | None = None,
) -> st.SearchStrategy[Case]:
    """Draw a layer with its fields, of which the optional ones may be left out, and inputs."""
    fields = st.fixed_dictionaries(required or {}, optional=optional or {})
    return st.builds(
        Case,
        st.just(kind),
        fields,
        x,
        others if others is not None else st.just(()),
        dtype if dtype is not None else st.just("float32"),
        st.just(()),
    )


def without_batch(family: str, fields: dict[str, Any]) -> list[Strictness]:
    """Return why a layer over one, two or three axes refuses an input of that many."""
    return [
        Strictness(
            f"an input without its batch axis: {family}{rank}d takes the samples for channels",
            lambda case, rank=rank: case.kind == f"{family}{rank}d" and len(case.x) == rank,  # type: ignore[misc]
            Case(f"{family}{rank}d", fields, (8,) * rank),
        )
        for rank in (1, 2, 3)
    ]


def another_number_of_axes(family: str, fields: dict[str, Any]) -> list[Strictness]:
    """Return why a list of sizes has one for each axis, with `fields` that have fewer."""
    return [
        Strictness(
            f"{family}{rank}d: torch repeats a single size of a list, or reads some only",
            lambda case, rank=rank: (  # type: ignore[misc]
                case.kind == f"{family}{rank}d"
                and any(isinstance(v, list) and len(v) != rank for v in case.fields.values())
            ),
            Case(f"{family}{rank}d", fields, (2, *(8,) * rank)),
        )
        for rank in (2, 3)
    ]
