"""Random small networks, whose memory netbuild foresees and torch measures.

Each network has up to six layers: views between layers, joins, frozen layers, parameters, inputs
that need no gradient, and layers that overwrite their input. Run many with

    python -m tests.graph.memory_fuzz SEED COUNT
"""

from __future__ import annotations

import json
import random
import sys
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from netbuild.builder.module import module as build
from netbuild.checks.trace import infer
from netbuild.components.tensor import product
from netbuild.config.load import read
from netbuild.graph.tracing import overwriting
from netbuild.syntax.parser import from_bytes
from tests.components.layers.contract import torch_may_warn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.graph.graph import Graph

#: What torch says of a tensor that was overwritten.
OVERWRITTEN = ("inplace", "in-place", "single memory location", "in place")
Shape = tuple[int, ...]
Item = dict[str, Any]
#: The shapes and dtypes of the values so far, by name.
Values = dict[str, tuple[Shape, str]]
#: A layer, and its results by port; the port of the first result is empty.
Layer = tuple[Item, dict[str, Shape]]


class Drawn(NamedTuple):
    """A network as a file, and the shapes and dtypes of its inputs."""

    text: str
    inputs: list[tuple[Shape, str]]


def draw(rng: random.Random) -> Drawn:
    """Return a random network."""
    values: Values = {}
    for number in range(rng.choice([1, 1, 2])):
        shape = tuple(rng.choice([1, 2, 3, 4, 6]) for _ in range(rng.choice([1, 2, 2, 3, 3])))
        is_index = len(shape) < 3 and rng.random() < 0.15
        values[f"i{number}"] = shape, rng.choice(["int64", "int32"]) if is_index else "float32"
    inputs = list(values.values())
    named = {
        name: {"shape": list(shape), "dtype": dtype} for name, (shape, dtype) in values.items()
    }
    layers: dict[str, Item] = {}
    for number in range(rng.randint(2, 6)):
        name = f"m{number}"
        layers[name], results = _layer(rng, values)
        for port, shape in results.items():
            values[f"{name}.{port}" if port else name] = shape, "float32"
    results = [name for name in values if name not in named]
    outputs = {rng.choice(results), rng.choice([list(layers)[-1], results[-1]])}
    file = {
        "inputs": named,
        "layers": layers,
        "outputs": {name.replace(".", "_"): name for name in sorted(outputs)},
    }
    return Drawn(json.dumps(file), inputs)


def _layer(rng: random.Random, values: Values) -> Layer:
    """Return a random layer that fits one of the values."""
    floats = [name for name, (_, dtype) in values.items() if dtype == "float32"]
    recent = rng.random() < 0.7
    name = rng.choice(list(values)[-3:] if recent else list(values))
    shape, dtype = values[name]
    if dtype != "float32":
        item, results = _lookup(rng, shape)
    else:
        shapes = {key: values[key][0] for key in floats}
        joins = _joins(rng, name, shapes)
        if joins and rng.random() < 0.3:
            return rng.choice(joins)
        item, results = rng.choice(_alone(rng, shape))
    if "Parameter" in item:
        return item, results
    item = {**item, "inputs": name}
    if rng.random() < 0.25:
        item["freeze"] = True
    return item, results


def _lookup(rng: random.Random, shape: Shape) -> Layer:
    table = {"num_embeddings": 5, "embedding_dim": 4}
    if len(shape) == 1 and rng.random() < 0.5:
        return {"EmbeddingBag": {**table, "mode": rng.choice(["sum", "max"])}}, {"": (4,)}
    return {"Embedding": table}, {"": (*shape, 4)}


def _alone(rng: random.Random, shape: Shape) -> list[Layer]:
    """Return one layer of each kind with a single input of this shape."""
    found = [*_pointwise(rng, shape), *_over_features(rng, shape), *_views(rng, shape)]
    more = {1: _cells, 2: _sequences, 3: _images}[len(shape)](rng, shape)
    return [*found, *more]


def _same(shape: Shape, **kinds: Any) -> list[Layer]:
    return [({kind: fields}, {"": shape}) for kind, fields in kinds.items()]


def _pointwise(rng: random.Random, shape: Shape) -> list[Layer]:
    kept = rng.sample(["Sigmoid", "GELU", "Tanh", "Softplus", "Softsign", "LogSigmoid"], 2)
    kinds = ["ReLU", "SiLU", "ELU", "LeakyReLU", "Hardtanh", "Dropout", "RReLU"]
    found = _same(shape, **{kind: {} for kind in kept}, PReLU={}, Identity={})
    found += _same(shape, **{kind: {"inplace": rng.random() < 0.6} for kind in kinds})
    found += _same(shape, Detach={}, RandnLike={}, To="float32")
    found += _same(shape, Triu={}) if len(shape) > 1 else []
    depth = {"p": 0.4, "mode": rng.choice(["row", "batch"])}
    found += _same(shape, StochasticDepth=depth)
    return [*found, *_same(shape, Parameter={"shape": list(shape)}, AlphaDropout=0.2)]


def _over_features(rng: random.Random, shape: Shape) -> list[Layer]:
    axis = rng.randrange(len(shape))
    features, bias = rng.choice([3, 4]), rng.random() < 0.5
    linear = {"out_features": features, "bias": bias}
    found: list[Layer] = [({"Linear": linear}, {"": (*shape[:-1], features)})]
    affine = {"elementwise_affine": rng.random() < 0.7}
    found += _same(shape, LayerNorm={}, RMSNorm=affine, Softmax={"dim": axis + 1})
    if len(shape) > 1:
        less = (*shape[:axis], *shape[axis + 1 :])
        found += _same(less, Mean={"dim": axis + 1}, Amax={"dim": axis + 1})
        found += _same(less, **{kind: {"dim": axis + 1} for kind in ("Prod", "Logsumexp")})
        found += _same(less, VectorNorm={"dim": axis + 1})
        found += _same(less, Std={"dim": axis + 1, "correction": 0}) if shape[axis] > 1 else []
    over = {kind: {"dim": axis + 1} for kind in ("Cumsum", "Cumprod", "Normalize")}
    found += _same(shape, **over, Flip={"dims": axis + 1})
    ordered: Layer = ({"Sort": {"dim": axis + 1}}, {"": shape})
    found.append(ordered)
    found += _same(_with(shape, axis, 1), Topk={"k": 1, "dim": axis + 1})
    wider = _with(shape, axis, shape[axis] + 1)
    found += _same(wider, Pad={"pad": [0, 0] * (len(shape) - 1 - axis) + [1, 0]})
    found += _same(
        _with(shape, axis, 2 * shape[axis]), RepeatInterleave={"repeats": 2, "dim": axis + 1}
    )
    if shape[axis] % 2 == 0:
        found += _same(_with(shape, axis, shape[axis] // 2), GLU={"dim": axis + 1})
    # With one place, torch's backward pass of a tensor with the channels last crashes.
    if shape[0] % 2 == 0 and (len(shape) < 3 or product(shape[1:]) > 1):
        found += _same(shape, GroupNorm={"num_groups": 2})
    return found


def _views(rng: random.Random, shape: Shape) -> list[Layer]:
    n = len(shape)
    axis = rng.randrange(n)
    size, total = shape[axis], product(shape)
    less = (*shape[:axis], *shape[axis + 1 :])
    flat = (*shape[:axis], product(shape[axis:]))
    first = rng.choice([d for d in (1, 2, 3) if total % d == 0])
    order = rng.sample(range(n), n)
    length = rng.randint(1, size)
    narrow = {"dim": axis + 1, "start": size - length, "length": length}
    found = _same(flat, Flatten={"start_dim": axis + 1})
    found += _same((first, total // first), Reshape={"shape": [first, -1]})
    moved = tuple(shape[d] for d in order)
    found += _same(moved, Permute={"dims": [0, *(d + 1 for d in order)]})
    found += _same(_with(shape, axis, length), Narrow=narrow)
    if n > 1:
        diagonal = [one for place, one in enumerate(shape) if place not in {0, n - 1}]
        found += _same((*diagonal, min(shape[0], shape[-1])), Diagonal={"dim1": 1, "dim2": n})
        found += _same(less, Select={"dim": axis + 1, "index": rng.randrange(size)})
    if n > 1 and size == 1:
        found += _same(less, Squeeze={"dim": axis + 1})
    if n < 3:
        found += _same((*shape[:axis], 1, *shape[axis:]), Unsqueeze=axis + 1)
    if 1 in shape:
        wide = tuple(rng.choice([2, 3]) if one == 1 else one for one in shape)
        found += _same(wide, Expand={"sizes": list(wide)})
    if size % 2 == 0:
        half = _with(shape, axis, size // 2)
        split = {"split_size_or_sections": size // 2, "dim": axis + 1}
        found.append(({"Split": split}, {"": half, "1": half}))
        found.append(({"Chunk": {"chunks": 2, "dim": axis + 1}}, {"": half, "1": half}))
    return found


def _cells(rng: random.Random, _: Shape) -> list[Layer]:
    hidden = rng.choice([2, 3])
    found = _same((hidden,), RNNCell=hidden, GRUCell=hidden)
    return [*found, ({"LSTMCell": hidden}, {"": (hidden,), "c_1": (hidden,)})]


def _sequences(rng: random.Random, shape: Shape) -> list[Layer]:
    length, features = shape
    hidden, layers, both = rng.choice([2, 3]), rng.choice([1, 2]), rng.random() < 0.4
    cells, wide = layers * (1 + both), hidden * (1 + both)
    stack = {"hidden_size": hidden, "bidirectional": both, "num_layers": layers}
    found: list[Layer] = [
        ({kind: stack}, {"": (length, wide), "h_n": (cells, hidden)}) for kind in ("GRU", "RNN")
    ]
    # Without a projection, oneDNN keeps whole pages, and these networks are smaller than a page.
    projected = {**stack, "proj_size": 1}
    states = {"h_n": (cells, 1), "c_n": (cells, hidden)}
    found.append(({"LSTM": projected}, {"": (length, 1 + both), **states}))
    heads = rng.choice([h for h in (1, 2, 3) if features % h == 0])
    dropout = rng.choice([0, 0.1])
    attention = {"num_heads": heads, "dropout": dropout, "need_weights": rng.random() < 0.7}
    weights = {"weights": (length, length)} if attention["need_weights"] else {}
    found.append(({"MultiheadAttention": attention}, {"": shape, **weights}))
    layer: Item = {"nhead": heads, "dim_feedforward": 5, "dropout": dropout}
    layer |= {"norm_first": rng.random() < 0.5, "activation": rng.choice(["relu", "gelu"])}
    encoder = {"encoder_layer": {"TransformerEncoderLayer": layer}, "num_layers": 2}
    found += _same(shape, TransformerEncoderLayer=layer)
    found += _same(shape, TransformerEncoder=encoder, BatchNorm1d={})
    found += _same((3, features), Conv1d={"out_channels": 3, "kernel_size": 1})
    if features > 1:
        norm = {"affine": rng.random() < 0.5}
        found += _same(shape, InstanceNorm1d=norm, LocalResponseNorm=3, SwitchableNorm1d=norm)
        found += _same((length, features // 2), MaxPool1d=2, AvgPool1d=2)
    return found


def _images(rng: random.Random, shape: Shape) -> list[Layer]:
    channels, height, width = shape
    wide = (channels, height + 2, width + 2)
    found = _same((4, height, width), Conv2d={"out_channels": 4, "kernel_size": 1})
    found += _same((2, height, width), ConvTranspose2d={"out_channels": 2, "kernel_size": 1})
    found += _same(shape, BatchNorm2d={}, Dropout2d={"inplace": rng.random() < 0.6})
    found += _same((channels, 2 * height, 2 * width), Upsample={"scale_factor": 2})
    found += _same(wide, ZeroPad2d=1)
    found += _same((channels, 1, 1), AdaptiveMaxPool2d=1, AdaptiveAvgPool2d=1)
    if min(height, width) > 1:
        mode = rng.choice(["zeros", "reflect", "circular"])
        conv = {"out_channels": 2, "kernel_size": 3, "padding": 1, "padding_mode": mode}
        found += _same((2, height, width), Conv2d=conv)
        found += _same((channels, height // 2, width // 2), MaxPool2d=2, AvgPool2d=2)
        found += _same(wide, ReflectionPad2d=1)
    if height * width > 1:
        norm = {"affine": rng.random() < 0.5}
        found += _same(shape, InstanceNorm2d=norm, SwitchableNorm2d=norm)
    return found


def _joins(rng: random.Random, name: str, shapes: Mapping[str, Shape]) -> list[Layer]:
    """Return joins of each kind of a value with other values."""
    shape = shapes[name]
    alike = rng.choice([key for key, other in shapes.items() if other == shape])
    wider = [key for key, other in shapes.items() if _broadcasts(other, shape)]
    wide = rng.choice(wider)
    both = tuple(map(max, shapes[wide], shape))
    several = {"inputs": [name, wide, name]}
    found: list[Layer] = [
        ({kind: {}, "inputs": [name, wide]}, {"": both})
        for kind in ("Add", "Multiply", "Divide", "Maximum")
    ]
    found += [({kind: {}, **several}, {"": both}) for kind in ("Multiply", "Maximum")]
    pair = {"inputs": [name, alike]}
    found.append(({"Concat": {}, **pair}, {"": (2 * shape[0], *shape[1:])}))
    found.append(({"Bilinear": 3, **pair}, {"": (*shape[:-1], 3)}))
    if len(shape) < 3:
        found.append(({"Stack": {}, **pair}, {"": (2, *shape)}))
    if len(shape) > 1:
        found.append(({"CosineSimilarity": {}, **pair}, {"": shape[1:]}))
        found.append(({"PairwiseDistance": {}, **pair}, {"": shape[:-1]}))
        found += [
            ({"MatMul": {}, "inputs": [name, key]}, {"": (*shape[:-1], other[-1])})
            for key, other in shapes.items()
            if len(other) == len(shape) and other[:-1] == (*shape[:-2], shape[-1])
        ]
    if len(shape) == 2 and alike != name:
        layer = {"nhead": 1, "dim_feedforward": 5, "dropout": rng.choice([0, 0.1])}
        found.append(({"TransformerDecoderLayer": layer, **pair}, {"": shape}))
    if len(shape) == 2:
        three = {"inputs": rng.choice([[name, alike], [name, alike, alike], [name, name, alike]])}
        attention = {"MultiheadAttention": 1, **three}
        found.append((attention, {"": shape, "weights": (shape[0], shape[0])}))
    return found


def _broadcasts(one: Shape, other: Shape) -> bool:
    if len(one) != len(other):
        return False
    return all(a == b or 1 in {a, b} for a, b in zip(one, other, strict=True))


def _with(shape: Shape, axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])


class _Saved:
    """A tensor that a node of autograd holds."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor.detach()  # otherwise a result holds its own node


def torch_keeps(graph: Graph, drawn: Drawn, batch: int) -> int:
    """Return the bytes that torch keeps for a batch after the forward pass.

    A node without a reader is gone by then, with all that it has kept.
    """
    module = build(graph)
    own = {tensor.untyped_storage().data_ptr() for tensor in module.state_dict().values()}
    held: list[weakref.ref[_Saved]] = []

    def pack(tensor: torch.Tensor) -> _Saved:
        saved = _Saved(tensor)
        held.append(weakref.ref(saved))
        return saved

    with torch_may_warn(), torch.autograd.graph.saved_tensors_hooks(pack, lambda it: it.tensor):
        results = module(*_inputs(drawn, batch))
    saved = [one.tensor.untyped_storage() for one in (ref() for ref in held) if one is not None]
    kept = {one.data_ptr(): one.nbytes() for one in saved if one.data_ptr() not in own}
    del results  # up to here they hold the nodes
    return sum(kept.values())


def torch_refuses(graph: Graph, drawn: Drawn) -> str:
    """Return why torch refuses a step forward and backward; "" if it runs."""
    module = build(graph)
    try:
        with torch_may_warn():
            y = module(*_inputs(drawn, 2))
            results = [one for one in (y if isinstance(y, tuple) else (y,)) if one.requires_grad]
            if results:
                torch.autograd.backward([one.sum() for one in results])
    except RuntimeError as error:
        if any(word in str(error) for word in OVERWRITTEN):
            return str(error)
        raise
    return ""


def _inputs(drawn: Drawn, batch: int) -> list[torch.Tensor]:
    return [
        torch.rand(batch, *shape)
        if dtype == "float32"
        else torch.randint(0, 2, (batch, *shape), dtype=getattr(torch, dtype))
        for shape, dtype in drawn.inputs
    ]


def drawn_of(graph: Graph, text: str) -> Drawn:
    """Return a network of a text, with the inputs that netbuild has read."""
    return Drawn(text, [(x.shape, x.dtype) for x in graph.config.inputs.values() if x])


def _inferred(text: str, *, checked: bool = True) -> Graph:
    """Infer a network; without a check, as if each layer could overwrite its input."""
    check = overwriting.check
    if not checked:
        overwriting.check = lambda *_: ()
    try:
        return infer(read(from_bytes("network.yaml", text.encode())))
    finally:
        overwriting.check = check


def disagreement(drawn: Drawn) -> tuple[str, str]:
    """Return what was compared, and the difference between netbuild and torch; "" if none."""
    graph = _inferred(drawn.text)
    errors = {fault.code for fault in graph.diagnostics if fault.severity == "error"}
    if errors - {"NB211"}:
        return "refused for another reason", ""
    refused = torch_refuses(_inferred(drawn.text, checked=False), drawn)
    if bool(refused) != bool(errors):
        return "NB211", f"torch refuses: {refused}" if refused else "torch runs it"
    if errors:
        return "NB211", ""
    kept = torch_keeps(graph, drawn, 3) - torch_keeps(graph, drawn, 2)
    if kept != graph.activations_bytes:
        return "kept", f"torch keeps {kept}, netbuild says {graph.activations_bytes}"
    return ("runs in place" if '"inplace": true' in drawn.text else "kept"), ""


def run(seed: int, count: int) -> Iterator[tuple[str, str, str]]:
    """Yield what was compared, the difference, and the text of each network."""
    rng = random.Random(seed)  # noqa: S311  no cryptography
    for _ in range(count):
        drawn = draw(rng)
        yield (*disagreement(drawn), drawn.text)


if __name__ == "__main__":
    counts: Counter[str] = Counter()
    for compared, wrong, text in run(int(sys.argv[1]), int(sys.argv[2])):
        counts[compared] += 1
        if wrong:
            print(f"{compared}: {wrong}\n{text}", flush=True)  # noqa: T201
    print(dict(counts))  # noqa: T201
