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
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from netbuild.builder.module import module as build
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.graph.tracing import overwriting
from netbuild.syntax.parser import from_bytes
from tests.components.layers.contract import torch_may_warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netbuild.graph.graph import Graph

#: What torch says of a tensor that was overwritten.
OVERWRITTEN = ("inplace", "in-place", "single memory location", "in place")
Shape = tuple[int, ...]
Item = dict[str, Any]


class Drawn(NamedTuple):
    """A network as a file, and the shapes and dtypes of its inputs."""

    text: str
    inputs: list[tuple[Shape, str]]


def draw(rng: random.Random) -> Drawn:
    """Return a random network."""
    values: dict[str, tuple[Shape, str]] = {}
    for number in range(rng.choice([1, 1, 2])):
        shape = tuple(rng.choice([1, 2, 3, 4, 6]) for _ in range(rng.choice([1, 2, 2, 3, 3])))
        values[f"i{number}"] = shape, "int64" if rng.random() < 0.1 else "float32"
    inputs = list(values.values())
    layers: dict[str, Item] = {}
    for number in range(rng.randint(2, 6)):
        item, results = _layer(rng, values)
        name = f"m{number}"
        layers[name] = item
        for port, found in results.items():
            values[name if port == "" else f"{name}.{port}"] = found
    ends = [name for name in layers if values.get(name, ((), "int64"))[1] == "float32"]
    outputs = rng.sample(ends, min(len(ends), rng.choice([1, 2])))
    if ends and ends[-1] not in outputs:
        outputs[0] = ends[-1]
    file: Item = {
        "inputs": {
            f"i{number}": {"shape": list(shape), "dtype": dtype}
            for number, (shape, dtype) in enumerate(inputs)
        },
        "layers": layers,
        "outputs": {name: name for name in outputs},
    }
    return Drawn(json.dumps(file), inputs)


def _layer(rng: random.Random, values: dict[str, tuple[Shape, str]]) -> tuple[Item, Any]:
    """Return a random layer that fits the values so far, with its results by port."""
    for _ in range(200):
        recent = list(values)[-3:] if rng.random() < 0.7 else list(values)
        name = rng.choice(recent)
        shape, dtype = values[name]
        if dtype == "int64":
            item: Item = {"Embedding": {"num_embeddings": 5, "embedding_dim": 4}}
            found: Any = {"": ((*shape, 4), "float32")}
            if len(shape) > 2:
                continue
        elif rng.random() < 0.25:
            drawn = _join(rng, name, values)
            if drawn is None:
                continue
            return drawn
        else:
            offered = _offers(rng, shape)
            kind = rng.choice(list(offered))
            if kind == "Parameter":
                item, y = offered[kind]
                return {**item}, {"": (y, "float32")}
            item, y = offered[kind]
            ports = y if isinstance(y, dict) else {"": y}
            found = {port: (size, "float32") for port, size in ports.items()}
        item = {**item, "inputs": name}
        if rng.random() < 0.25 and not set(item) & _COMPOSED:
            item["freeze"] = True
        return item, found
    return {"Identity": {}, "inputs": name}, {"": (shape, dtype)}


#: Layers whose parts need different gradients.
_COMPOSED: set[str] = set()


def _offers(rng: random.Random, shape: Shape) -> dict[str, tuple[Item, Any]]:
    """Return a layer of each kind for this shape, with its result."""
    n = len(shape)
    inplace = rng.random() < 0.6
    found: dict[str, tuple[Item, Any]] = {}

    def add(kind: str, fields: Any, y: Any) -> None:
        found[kind] = {kind: fields}, y

    for kind in ("Sigmoid", "GELU", "Tanh", "Softplus", "Softsign", "LogSigmoid", "PReLU"):
        if rng.random() < 0.5:
            add(kind, {}, shape)
    for kind in ("ReLU", "SiLU", "ELU", "LeakyReLU", "Hardtanh", "Dropout", "RReLU"):
        found[kind] = {kind: {"inplace": inplace}}, shape
    add("Identity", {}, shape)
    add("Linear", rng.choice([{"out_features": 4}, {"out_features": 3, "bias": False}]), None)
    features = found["Linear"][0]["Linear"]["out_features"]
    found["Linear"] = found["Linear"][0], (*shape[:-1], features)
    add("LayerNorm", {}, shape)
    add("RMSNorm", {"elementwise_affine": rng.random() < 0.7}, shape)
    add("Softmax", {"dim": rng.randint(1, n)}, shape)
    add("Flatten", {"start_dim": rng.randint(1, n)}, None)
    start = found["Flatten"][0]["Flatten"]["start_dim"] - 1
    found["Flatten"] = found["Flatten"][0], (*shape[:start], _product(shape[start:]))
    size = _product(shape)
    halves = [d for d in (1, 2, 3) if size % d == 0]
    first = rng.choice(halves)
    add("Reshape", {"shape": [first, -1]}, (first, size // first))
    order = rng.sample(range(n), n)
    add("Permute", {"dims": [0, *(d + 1 for d in order)]}, tuple(shape[d] for d in order))
    axis = rng.randrange(n)
    if n > 1:
        add("Select", {"dim": axis + 1, "index": rng.randrange(shape[axis])}, _without(shape, axis))
        add("Mean", {"dim": axis + 1}, _without(shape, axis))
        add("Amax", {"dim": axis + 1}, _without(shape, axis))
        if shape[axis] == 1:
            add("Squeeze", {"dim": axis + 1}, _without(shape, axis))
    length = rng.randint(1, shape[axis])
    narrow = {"dim": axis + 1, "start": shape[axis] - length, "length": length}
    add("Narrow", narrow, _with(shape, axis, length))
    if n < 3:
        add("Unsqueeze", axis + 1, (*shape[:axis], 1, *shape[axis:]))
    if 1 in shape:
        wide = tuple(rng.choice([2, 3]) if s == 1 else s for s in shape)
        add("Expand", {"sizes": list(wide)}, wide)
    if shape[axis] % 2 == 0:
        half = _with(shape, axis, shape[axis] // 2)
        add("Chunk", {"chunks": 2, "dim": axis + 1}, {"": half, "1": half})
        add("GLU", {"dim": axis + 1}, half)
    if shape[0] % 2 == 0 and (n < 3 or _product(shape[1:]) > 1):  # torch crashes on one place
        add("GroupNorm", {"num_groups": 2}, shape)
    add("Parameter", {"shape": list(shape)}, shape)
    if n == 2:
        _sequences(rng, shape, add)
    if n == 3:
        _images(rng, shape, add)
    return found


def _sequences(rng: random.Random, shape: Shape, add: Callable[[str, Any, Any], None]) -> None:
    length, features = shape
    both = rng.random() < 0.4
    hidden = rng.choice([2, 3])
    wide = hidden * (1 + both)
    for kind in ("GRU", "RNN"):
        fields = {"hidden_size": hidden, "bidirectional": both, "num_layers": rng.choice([1, 2])}
        cells = (1 + both) * fields["num_layers"]
        add(kind, fields, {"": (length, wide), "h_n": (cells, hidden)})
    # Without a projection, oneDNN keeps whole pages of memory, which a small network is less than.
    fields = {"hidden_size": hidden, "proj_size": 1, "bidirectional": both}
    # `c_n` alone would leave out a part of the last step.
    add("LSTM", fields, {"": (length, 1 + both), "h_n": (1 + both, 1)})
    heads = rng.choice([h for h in (1, 2, 3) if features % h == 0])
    dropout = rng.choice([0, 0.1])
    needs = rng.random() < 0.5
    fields = {"num_heads": heads, "dropout": dropout, "need_weights": needs}
    add("MultiheadAttention", fields, (length, features))
    fields = {"nhead": heads, "dim_feedforward": 5, "dropout": dropout}
    fields |= {"norm_first": rng.random() < 0.5, "activation": rng.choice(["relu", "gelu"])}
    add("TransformerEncoderLayer", fields, shape)
    conv = {"out_channels": 3, "kernel_size": 1, "bias": rng.random() < 0.5}
    add("Conv1d", conv, (3, features))
    add("BatchNorm1d", {}, shape)
    if features > 1:
        add("InstanceNorm1d", {"affine": rng.random() < 0.5}, shape)
        add("MaxPool1d", 2, (length, features // 2))
        add("LocalResponseNorm", 3, shape)


def _images(rng: random.Random, shape: Shape, add: Callable[[str, Any, Any], None]) -> None:
    channels, height, width = shape
    mode = rng.choice(["zeros", "zeros", "reflect", "circular"])
    if min(height, width) > 1:
        fields = {"out_channels": 2, "kernel_size": 3, "padding": 1, "padding_mode": mode}
        add("Conv2d", fields, (2, height, width))
        add("MaxPool2d", 2, (channels, height // 2, width // 2))
        add("AvgPool2d", 2, (channels, height // 2, width // 2))
        add("ReflectionPad2d", 1, (channels, height + 2, width + 2))
    if height * width > 1:
        add("InstanceNorm2d", {"affine": rng.random() < 0.5}, shape)
        side = rng.choice([1, 2])
        add("AdaptiveAvgPool2d", side, (channels, side, side))
    add("Conv2d", {"out_channels": 4, "kernel_size": 1}, (4, height, width))
    add("ConvTranspose2d", {"out_channels": 2, "kernel_size": 1}, (2, height, width))
    add("BatchNorm2d", {}, shape)
    add("Upsample", {"scale_factor": 2}, (channels, 2 * height, 2 * width))
    add("ZeroPad2d", 1, (channels, height + 2, width + 2))
    add("Dropout2d", {"inplace": rng.random() < 0.6}, shape)
    add("AdaptiveMaxPool2d", {"output_size": 1}, (channels, 1, 1))


def _join(
    rng: random.Random, name: str, values: dict[str, tuple[Shape, str]]
) -> tuple[Item, Any] | None:
    """Return a random join of a value with others that fit; None if no other fits."""
    shape, _ = values[name]
    alike = [key for key, value in values.items() if value == (shape, "float32")]
    wider = [key for key, (other, dtype) in values.items() if dtype == "float32"]
    wider = [key for key in wider if _broadcasts(values[key][0], shape)]
    kind = rng.choice(["Add", "Multiply", "Divide", "Maximum", "Concat", "Stack", "MatMul", "Dist"])
    if kind in {"Add", "Multiply", "Maximum"}:
        names = [name, *rng.choices(wider, k=rng.choice([1, 1, 2]))]
        y = tuple(map(max, *(values[key][0] for key in names)))
        return {kind: {}, "inputs": names}, {"": (y, "float32")}
    if kind == "Divide":
        names = [name, rng.choice(wider)]
        y = tuple(map(max, *(values[key][0] for key in names)))
        return {kind: {}, "inputs": names}, {"": (y, "float32")}
    if kind in {"Concat", "Stack"}:
        names = [name, rng.choice(alike)]
        y = (2 * shape[0], *shape[1:]) if kind == "Concat" else (2, *shape)
        return ({kind: {}, "inputs": names}, {"": (y, "float32")}) if len(y) < 4 else None
    if kind == "Dist":
        one = rng.choice(["CosineSimilarity", "PairwiseDistance", "Bilinear"])
        names = [name, rng.choice(alike)]
        if one == "Bilinear":
            return {one: 3, "inputs": names}, {"": ((*shape[:-1], 3), "float32")}
        if len(shape) < 2:
            return None
        y = shape[1:] if one == "CosineSimilarity" else shape[:-1]
        return {one: {}, "inputs": names}, {"": (y, "float32")}
    if len(shape) < 2:
        return None
    others = [key for key, (other, _) in values.items() if len(other) == len(shape)]
    others = [key for key in others if values[key][0][-2] == shape[-1]]
    others = [key for key in others if values[key][0][:-2] == shape[:-2]]
    if not others:
        return None
    other = rng.choice(others)
    y = (*shape[:-1], values[other][0][-1])
    return {kind: {}, "inputs": [name, other]}, {"": (y, "float32")}


def _broadcasts(one: Shape, other: Shape) -> bool:
    pairs = zip(one, other, strict=True) if len(one) == len(other) else ()
    return len(one) == len(other) and all(a == b or 1 in {a, b} for a, b in pairs)


def _product(shape: Shape) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _with(shape: Shape, axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


class _Saved:
    """A tensor that a node of autograd holds."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def torch_keeps(graph: Graph, drawn: Drawn, batch: int) -> int:
    """Return the bytes that torch keeps for a batch after the forward pass."""
    torch.manual_seed(0)
    module = build(graph).train()
    own = {tensor.untyped_storage().data_ptr() for tensor in module.state_dict().values()}
    held: list[weakref.ref[_Saved]] = []

    def pack(tensor: torch.Tensor) -> _Saved:
        saved = _Saved(tensor.detach())  # otherwise a result holds its own node
        held.append(weakref.ref(saved))
        return saved

    with torch_may_warn(), torch.autograd.graph.saved_tensors_hooks(pack, lambda it: it.tensor):
        y = module(*_inputs(drawn, batch))
    saved = [one.tensor.untyped_storage() for one in (ref() for ref in held) if one is not None]
    kept = {one.data_ptr(): one.nbytes() for one in saved if one.data_ptr() not in own}
    return sum(kept.values())


def torch_runs(graph: Graph, drawn: Drawn) -> str:
    """Return why torch refuses a step forward and backward; "" if it runs."""
    module = build(graph).train()
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
        torch.randint(0, 5, (batch, *shape)) if dtype == "int64" else torch.rand(batch, *shape)
        for shape, dtype in drawn.inputs
    ]


def infer_without_check(text: str) -> Graph:
    """Infer a network as if each layer could overwrite its input."""
    check = overwriting.check
    overwriting.check = lambda *_: ()
    try:
        return infer(read(from_bytes("network.yaml", text.encode())))
    finally:
        overwriting.check = check


def disagreement(drawn: Drawn) -> tuple[str, str]:
    """Return what was compared, and the difference between netbuild and torch; "" if none."""
    graph = infer(read(from_bytes("network.yaml", drawn.text.encode())))
    errors = {fault.code for fault in graph.diagnostics if fault.severity == "error"}
    if errors - {"NB211"}:
        return "refused", ""
    free = infer_without_check(drawn.text) if errors else graph
    refused = torch_runs(free, drawn)
    if bool(refused) != bool(errors):
        return "NB211", f"torch refuses: {refused}" if refused else "torch runs it"
    if errors:
        return "NB211", ""
    kept = torch_keeps(graph, drawn, 3) - torch_keeps(graph, drawn, 2)
    if kept != graph.activations_bytes:
        return "kept", f"torch keeps {kept}, netbuild says {graph.activations_bytes}"
    inplace = "true" in drawn.text and "inplace" in drawn.text
    return ("kept, in place" if inplace else "kept"), ""


def run(seed: int, count: int) -> Iterator[tuple[str, str, str]]:
    """Yield what was compared, the difference, and the text of each network."""
    rng = random.Random(seed)
    for _ in range(count):
        drawn = draw(rng)
        yield (*disagreement(drawn), drawn.text)


if __name__ == "__main__":
    counts: dict[str, int] = {}
    for compared, wrong, text in run(int(sys.argv[1]), int(sys.argv[2])):
        counts[compared] = counts.get(compared, 0) + 1
        if wrong:
            print(f"{compared}: {wrong}\n{text}", flush=True)
    print(counts)
