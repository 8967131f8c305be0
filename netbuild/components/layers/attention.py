"""Attention: https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from netbuild.components.fields import Bool, PositiveInt, Probability, SizeFromInput
from netbuild.components.first_values import (
    FirstValues,
    by_size,
    constant,
    xavier_normal,
    xavier_uniform,
)
from netbuild.components.layers._attending import (
    BatchFirst,
    attended,
    attends_to_itself,
    expect_heads,
    expect_sequence,
    hidden,
    mask_seen,
    still,
)
from netbuild.components.layers._masks import Attention, Masked
from netbuild.components.layers.formula import Equation, Formulas, formula, unchanged
from netbuild.components.layers.layer import Modes, Needs, Window
from netbuild.components.layers.layout import BATCH, Placed, Strides, ordered
from netbuild.components.layers.ranges import ANY
from netbuild.components.layers.sight import Sight, every
from netbuild.components.tensor import Shape, ShapeError, Tensor, product

_T = TypeVar("_T")


class MultiheadAttention(Masked):
    """Attention of query (L, E) to key (S, kdim) and value (S, vdim); the result is (L, E).

    Each head computes softmax(q · kᵀ / √d) · v from its d = E / num_heads features of the projected
    inputs. A last projection combines the heads. A single input attends to itself. With two inputs,
    the second one is both key and value. The second result, `weights`, holds the softmaxes: (L, S),
    averaged over the heads, or (num_heads, L, S). `add_bias_kv` and `add_zero_attn` each add one
    position to key and value. `need_weights`, `average_attn_weights` and `is_causal` are arguments
    of torch's `forward`. For `is_causal`, netbuild makes the mask that torch needs as well. Without
    weights, torch uses `scaled_dot_product_attention`.

    Two masks are inputs by name: `key_padding_mask` (S), and `attn_mask` (L, S) or
    (num_heads, L, S). A bool mask is true where nothing may be seen. A float mask is added to the
    scores q · kᵀ / √d.

    - MultiheadAttention: {num_heads: 8}  # 16×64 to 16×64, weights: 16×16
    """

    inputs: ClassVar[tuple[str, ...]] = ("query",)
    optional_inputs: ClassVar[tuple[str, ...]] = ("key", "value")
    named_inputs: ClassVar[tuple[str, ...]] = ("key_padding_mask", "attn_mask")
    results = ANY
    other_results = MappingProxyType({"weights": None})  # dropout may scale them
    modes = Modes(
        "each attention weight w becomes 0 with probability dropout, and w / (1 − dropout) "
        "otherwise",
        "attention weights are used unchanged",
    )

    embed_dim: SizeFromInput = None
    """Number of features of query and of the result."""
    num_heads: PositiveInt
    """Number of heads; the heads share the features evenly."""
    dropout: Probability = 0.0
    """Probability that an attention weight is dropped in training; 0 drops none."""
    bias: Bool = True
    """Whether the projections have learned biases."""
    add_bias_kv: Bool = False
    """Whether key and value get one more position, which is learned."""
    add_zero_attn: Bool = False
    """Whether key and value get one more position, which is zeros."""
    kdim: SizeFromInput = None
    """Number of features of key."""
    vdim: SizeFromInput = None
    """Number of features of value."""
    batch_first: BatchFirst = True
    """Always true: axis 0 is the batch, as in every layer."""
    need_weights: Bool = True
    """Whether the attention weights are a second result; false is faster."""
    average_attn_weights: Bool = True
    """Whether the attention weights are averaged over the heads; false gives those of each head."""
    is_causal: Bool = False
    """Whether a position sees only the positions of key up to its own; false lets it see all."""

    @property
    def switches(self) -> bool:
        return self.dropout > 0

    def stilled(self) -> dict[str, Any]:
        return {"dropout": 0.0}

    @property
    def heads(self) -> int:
        return self.num_heads

    @property
    def added(self) -> int:
        return self.add_bias_kv + self.add_zero_attn

    @property
    def is_plain(self) -> bool:
        return False

    def attentions(
        self, x: Sequence[Shape], gradients: Sequence[bool] = (), *, learns: bool = True
    ) -> Iterator[Attention]:
        query, key, _ = _three(*x)
        causal = "is_causal" if self.is_causal else None
        yield Attention(query[0], key[0], "attn_mask", "key_padding_mask", causal)

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        sequences, _ = self.apart(x)
        for tensor, name in zip(sequences, (*self.inputs, *self.optional_inputs), strict=False):
            expect_sequence(tensor.shape, name)
        query, key, value = _three(*(tensor.shape for tensor in sequences))
        expect_heads(query[1], self.num_heads, at="num_heads")
        if key[0] != value[0]:
            message = f"key has length {key[0]} and value {value[0]}: they must be equal"
            raise ShapeError("NB212", message)
        self.expect_masks(*x)
        output = {"output": Tensor(query, x[0].dtype)}
        if not self.need_weights:
            return output
        heads = () if self.average_attn_weights else (self.num_heads,)
        weights = Tensor((*heads, query[0], self._attended(key)), x[0].dtype)
        return {**output, "weights": weights}

    def decide(self, x: Shape, *others: Shape) -> dict[str, Any]:
        query, key, value = self._three(x, *others)
        return {"embed_dim": query[1], "kdim": key[1], "vdim": value[1]}

    def weights(self, x: Shape, *others: Shape) -> dict[str, Shape]:
        query, key, value = self._three(x, *others)
        features = query[1]
        if _packed(query, key, value):
            weights: dict[str, Shape] = {"in_proj_weight": (3 * features, features)}
        else:
            weights = {
                "q_proj_weight": (features, features),
                "k_proj_weight": (features, key[1]),
                "v_proj_weight": (features, value[1]),
            }
        if self.bias:
            weights["in_proj_bias"] = (3 * features,)
        if self.add_bias_kv:
            weights |= {"bias_k": (1, 1, features), "bias_v": (1, 1, features)}
        weights["out_proj.weight"] = (features, features)
        return weights | ({"out_proj.bias": (features,)} if self.bias else {})

    def first_values(self, x: Shape, *others: Shape) -> dict[str, FirstValues]:
        weights = self.weights(x, *others)
        found = {name: constant(0.0) for name in weights if name.endswith("bias")}
        found |= {
            name: xavier_normal(weights[name]) for name in ("bias_k", "bias_v") if name in weights
        }
        found["out_proj.weight"] = by_size("embed_dim", weights["out_proj.weight"][1])
        return {n: found[n] if n in found else xavier_uniform(s) for n, s in weights.items()}

    def macs(self, x: Shape, *others: Shape) -> int:
        """L·E² + S·kdim·E + S·vdim·E for projections, 2·L·S·E to attend, L·E² for the output."""
        query, key, value = self._three(x, *others)
        length, features = query
        projections = features * (2 * product(query) + product(key) + product(value))
        return projections + 2 * length * self._attended(key) * features

    def over_one(self, x: Shape, *others: Shape) -> str | None:
        """A single position of another sequence is left alone: a vector to condition on."""
        more = self.add_bias_kv or self.add_zero_attn
        return None if len(self.apart((x, *others))[0]) > 1 or more else attends_to_itself(x)

    def window(self, x: Shape, *others: Shape) -> Window | None:
        """Every position sees all positions."""
        return None

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        sequences, _ = self.apart(x)
        if port == "weights" and source == 2 < len(sequences):
            return every(0)  # the values have no part in it
        place = 1 if port == "weights" and not self.average_attn_weights else 0
        if source >= len(sequences):
            return mask_seen(place, axis, x[source], self.input_names(len(x))[source])
        if axis == 1:
            return every(x[source][1])
        seen = attended(place, sequences, source, causal=self.is_causal)
        return hidden(seen, loose="attn_mask" in self.given)

    def causal_fields(self, source: int) -> dict[str, Any]:
        return {"is_causal": True}

    def saved(self, x: Shape, *others: Shape) -> tuple[str, ...]:
        """The weights of each head, and inputs of length 1.

        torch transposes the batch and the length. It keeps a copy of every input whose order in
        memory this changes.
        """
        found = self.needs(*self.placed(x, *others), learns=True)
        names = self.input_names(1 + len(others))
        return (*(names[n] for n in found.inputs), *found.outputs)

    def needs(self, *x: Placed, learns: bool) -> Needs:
        return self.needs_for(("output", "weights"), *x, learns=learns)

    def needs_for(self, read: Collection[str], *x: Placed, learns: bool) -> Needs:
        """The inputs, and mostly the attended values, are for the gradients of weights only.

        The values and the last projection are for the result only, not for the attention weights.
        """
        return self.with_masks(self.unmasked(read, *x, learns=learns), x, learns=learns)

    def unmasked(self, read: Collection[str], *x: Placed, learns: bool) -> Needs:
        """Return the same without what it keeps of the masks."""
        sequences, masks = self.apart(x)
        given = _different(sequences)
        attended = "output" in read
        kept: tuple[int, ...] = ()
        numbers, weights_kept = self._attending(given, masks, attended=attended, learns=learns)
        if learns:
            projected = given if _packed(*_three(*(one.shape for one in given))) else _three(*given)
            projected = projected if attended or len(projected) < 3 else projected[:2]
            kept = tuple(n for n, one in enumerate(given[: len(projected)]) if still(one))
            numbers += sum(product(one.shape) for one in projected if not still(one))
        if self.is_fused(masks) or (learns and attended):
            numbers += product(x[0].shape)
        return Needs(kept, ("weights",) if weights_kept else (), 4 * numbers)

    def feeding(self, port: str, x: Sequence[Any]) -> Sequence[Any]:
        """The attention weights do not depend on the values."""
        count = len(self.apart(x)[0])
        return [*x[:2], *x[3:]] if port == "weights" and count == 3 else x

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        """The positions of the result are the outermost axis in memory."""
        return (ordered((BATCH, *y[0]), (1, 0, 2)), None)[: len(y)]

    def workspace(self, x: Shape, *others: Shape) -> int:
        """What torch keeps on a CPU: the attended values, and more in each of three ways.

        With weights: the scaled query, key and value. Without weights and dropout, torch calls
        `_scaled_dot_product_flash_attention_for_cpu`: query, key, value and the logarithm of each
        softmax's sum. Otherwise torch calls `_scaled_dot_product_attention_math`: the scaled query,
        the scaled key and the value. Projections from one product share one piece of memory, and
        are kept together. Positions added to key and value make copies of key and value.
        """
        return self.needs(*self.placed(x, *others), learns=True).workspace

    def _attending(
        self, x: Sequence[Placed], masks: Mapping[str, Placed], *, attended: bool, learns: bool
    ) -> tuple[int, bool]:
        """Return how many numbers are kept between the projections and the attended values.

        The second result is whether the attention weights are kept, if they are a result.
        """
        query, key, _ = _three(*(one.shape for one in x))
        with_query, with_key, with_value = _three(*(learns or one.gradient for one in x))
        softmax = with_query or with_key or any(mask.gradient for mask in masks.values())
        scores = self.num_heads * query[0] * self._attended(key)
        if self.is_fused(masks):  # one node of autograd keeps everything
            places = self._projections(x, "query", "key", "value")
            return places + self.num_heads * query[0], False
        read = [name for name, it in (("key", with_query), ("value", softmax and attended)) if it]
        numbers = product(query) if with_key else 0
        if not self.need_weights and with_query:  # the key is scaled too
            read.remove("key")
            numbers += self._attended(key) * query[1]
        numbers += self._projections(x, *read)
        summed = with_value and attended
        if not self.dropout:
            kept = int(softmax or summed)
            given = bool(kept)
        else:
            kept = softmax * (1 + (self.dropout < 1)) + summed
            given = summed
        given = given and self.need_weights and not self.average_attn_weights
        return numbers + scores * (kept - given), given

    def is_fused(self, masks: Mapping[str, Placed]) -> bool:
        learned = any(mask.gradient for mask in masks.values())
        return not (self.need_weights or self.dropout or learned)

    def _projections(self, x: Sequence[Placed], *read: str) -> int:
        """Return the size of the memory that holds these projections.

        Projections from one product share one piece of memory, and are kept together.
        """
        query, key, value = _three(*(one.shape for one in x))
        one, many = product(query), self._attended(key) * query[1]
        together = _packed(query, key, value)
        places = {"query": ("query", one), "key": ("key", many), "value": ("value", many)}
        if self._attended(key) == key[0]:
            if together and len(x) == 2:
                places |= dict.fromkeys(("key", "value"), ("both", 2 * many))
            elif together and len(x) == 1:
                places = dict.fromkeys(places, ("all", 3 * one))
        elif len(x) == 1:
            places["query"] = ("all", 3 * one)
        return sum(dict(places[name] for name in read).values())

    def _attended(self, key: Shape) -> int:
        """Return the number of positions that each query attends to."""
        return key[0] + self.added

    def _three(self, *x: _T) -> tuple[_T, _T, _T]:
        """Return query, key and value of all inputs."""
        return _three(*self.apart(x)[0])

    def formulas(self, x: Shape, *others: Shape) -> Formulas:
        query, key, value = self._three(x, *others)
        numbers: dict[str, int] = {"embed_dim": query[1], "kdim": key[1], "vdim": value[1]}
        numbers |= {"L": query[0], "S": key[0], "A": self._attended(key)}
        numbers |= {"num_heads": self.num_heads}
        own = self.weights(x, *others)
        rules = {
            "query": "L·embed_dim·embed_dim",
            "key": "S·kdim·embed_dim",
            "value": "S·vdim·embed_dim",
            "scores": "L·A·embed_dim",
            "sums": "L·A·embed_dim",
            "output": "L·embed_dim·embed_dim",
        }
        axes = ("L", "A") if self.average_attn_weights else ("num_heads", "L", "A")
        names = {"num_heads": "heads", "L": "length", "A": "attended"}
        return Formulas(
            {"length": unchanged(query[0]), "features": Equation("embed_dim", numbers)},
            {name: Equation(_WEIGHTS[name], numbers) for name in own},
            {name: Equation(rule, numbers) for name, rule in rules.items()},
            {"weights": {names[axis]: formula(axis, **{axis: numbers[axis]}) for axis in axes}},
            terms=_TERMS,
        )

    def arguments(self, x: Shape, *others: Shape) -> dict[str, Any]:
        """Leave out the arguments of `forward`, and the sizes that torch takes from `embed_dim`."""
        values = super().arguments(x, *others)
        for name in ("need_weights", "average_attn_weights", "is_causal"):
            del values[name]
        for name in ("kdim", "vdim"):
            values[name] = None if values[name] == x[1] else values[name]
        return values

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        given: dict[str, Any] = {
            name: False
            for name in ("need_weights", "average_attn_weights")
            if not getattr(self, name)
        }
        sequences, masks = self.apart(x)
        query, key, value = _three(*sequences)
        (attention,) = self.attentions([(0, 0)] * 3)
        given |= self.for_torch(attention, masks, query, key)
        if self.is_causal and not self.added:
            given |= {"is_causal": True}  # torch's hint would hide the added positions
        y = forward(query, key, value, **given)
        return {"output": y[0], "weights": y[1]} if self.need_weights else {"output": y[0]}


#: The rules for the number of values of each weight.
_WEIGHTS = {
    "in_proj_weight": "3·embed_dim·embed_dim",
    "q_proj_weight": "embed_dim·embed_dim",
    "k_proj_weight": "embed_dim·kdim",
    "v_proj_weight": "embed_dim·vdim",
    "in_proj_bias": "3·embed_dim",
    "bias_k": "embed_dim",
    "bias_v": "embed_dim",
    "out_proj.weight": "embed_dim·embed_dim",
    "out_proj.bias": "embed_dim",
}
_TERMS = {
    "L": "the length of query",
    "S": "the length of key and value",
    "A": "the number of attended positions: S, plus one each for add_bias_kv and add_zero_attn",
}


def _three(*x: _T) -> tuple[_T, _T, _T]:
    """Return query, key and value; an omitted one is the one before."""
    query, key, value = (*x, x[-1], x[-1])[:3]
    return query, key, value


def _different(x: tuple[Placed, ...]) -> tuple[Placed, ...]:
    """Leave out a value that is the same tensor as the key, and then a key that is the query.

    torch asks `key is value` and `query is key`, and projects the same tensor only once.
    """
    while len(x) > 1 and x[-1].same is not None and x[-1].same == x[-2].same:
        x = x[:-1]
    return x


def _packed(query: Shape, key: Shape, value: Shape) -> bool:
    """Tell whether the projections share one weight: all inputs have as many features."""
    return query[1] == key[1] == value[1]
