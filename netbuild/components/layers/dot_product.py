"""Attention without weights.

https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import inf
from typing import Annotated, Any, ClassVar

from netbuild.components.fields import Bool, Probability, Wants, optional, real
from netbuild.components.layers._attending import hidden
from netbuild.components.layers.formula import Equation, Formulas, by_axis, unchanged
from netbuild.components.layers.layer import Modes, Needs, Window
from netbuild.components.layers.layout import Placed, Strides, elementwise
from netbuild.components.layers.named import Named
from netbuild.components.layers.ranges import Range
from netbuild.components.layers.sight import Sight, every, repeated
from netbuild.components.tensor import BYTES, Shape, ShapeError, Tensor, product, times

_Scale = Annotated[float | None, Wants("a number or null", optional(real()))]


class ScaledDotProductAttention(Named):
    """softmax(q · kᵀ · scale) · v: query (*, L, E), key (*, S, E), value (*, S, Ev) to (*, L, Ev).

    It has no weights. An input by name is `attn_mask` (L, S), or with the axes in front of it too;
    an axis of size 1 repeats. Unlike the masks of MultiheadAttention, a bool mask is true where
    something may be seen. A float mask is added to the scores. With `enable_gqa`, several heads of
    query, in the axis before L, share one head of key and value.

    - {ScaledDotProductAttention, inputs: [query, key, value]}
    # 8×10×16 and 8×12×16 and 8×12×16 to 8×10×16
    """

    inputs: ClassVar[tuple[str, ...]] = ("query", "key", "value")
    masks_show = True
    named_inputs: ClassVar[tuple[str, ...]] = ("attn_mask",)
    results = None
    modes = Modes(
        "each attention weight w becomes 0 with probability dropout_p, and w / (1 − dropout_p) "
        "otherwise",
        "attention weights are used unchanged",
    )

    dropout_p: Probability = 0.0
    """Probability that an attention weight is dropped in training; 0 drops none."""
    is_causal: Bool = False
    """Whether a position sees only the positions of key up to its own; false lets it see all."""
    scale: _Scale = None
    """Factor of the scores; null is 1 / √E."""
    enable_gqa: Bool = False
    """Whether key and value may have fewer heads; each serves equally many heads of query."""

    @property
    def switches(self) -> bool:
        return self.dropout_p > 0

    def stilled(self) -> dict[str, Any]:
        return {"dropout_p": 0.0}

    @property
    def is_plain(self) -> bool:
        return False

    def expect_dtypes(self, *x: Tensor) -> None:
        positional, masks = self.apart(x)
        super().expect_dtypes(*positional)
        for mask in masks.values():
            if mask.dtype not in {"bool", "float32"}:
                message = f"attn_mask is {mask.dtype}, and a mask is bool or float32"
                raise ShapeError("NB207", message)

    def output_shape(self, *x: Shape) -> Shape:
        (query, key, value), masks = self.apart(x)
        for name, shape in zip(self.inputs, (query, key, value), strict=True):
            if len(shape) < 2 or len(shape) != len(query):
                message = "it needs 2 axes or more (…, length, features), as many in each input; "
                raise ShapeError("NB201", f"{message}{name} is {times(shape)}")
        if query[-1] != key[-1]:
            message = f"query has {query[-1]} features and key {key[-1]}: they must be equal"
            raise ShapeError("NB212", message)
        if key[:-1] != value[:-1]:
            message = f"key is {times(key)} and value is {times(value)}: only their features differ"
            raise ShapeError("NB212", message)
        self._expect_heads(query, key)
        for mask in masks.values():
            self._expect_mask(mask, (*query[:-1], key[-2]))
        return (*query[:-1], value[-1])

    def _expect_heads(self, query: Shape, key: Shape) -> None:
        if not self.enable_gqa:
            if query[:-2] != key[:-2]:
                message = f"query is {times(query)} and key is {times(key)}: the axes before "
                raise ShapeError("NB212", f"{message}length and features must be equal")
            return
        if len(query) < 3:
            message = f"enable_gqa needs an axis of heads, and query is {times(query)}"
            raise ShapeError("NB201", message, at="enable_gqa")
        if query[:-3] != key[:-3] or query[-3] % key[-3]:
            message = f"{query[-3]} heads of query do not divide into {key[-3]} heads of key"
            raise ShapeError("NB203", message, at="enable_gqa")

    def _expect_mask(self, mask: Shape, scores: Shape) -> None:
        if self.is_causal:
            message = "is_causal makes a mask of its own, and attn_mask is another one"
            raise ShapeError("NB106", message, at="is_causal", help="leave one of them out")
        own = scores[len(scores) - len(mask) :]
        fits = 2 <= len(mask) <= len(scores)
        if not fits or any(n not in {1, m} for n, m in zip(mask, own, strict=True)):
            message = f"attn_mask is {times(mask)}, and the scores are {times(scores)}"
            raise ShapeError("NB212", f"{message}: each axis must be equal, or 1")

    def macs(self, *x: Shape) -> int:
        """S·E for each position of query to multiply with key, and S·Ev for the sum."""
        (query, key, value), _ = self.apart(x)
        scores: int = product(query[:-1]) * key[-2]
        features: int = query[-1] + value[-1]
        return scores * features

    def window(self, *x: Shape) -> Window | None:
        """Every position sees all positions."""
        return None

    def range(self, *x: Range | None) -> Range | None:
        return None if self.dropout_p or self.given else x[2]

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        (query, key, _), _ = self.apart(x)
        n, rank = x[source][axis], len(query)
        if source == 3:
            place = axis + rank - len(x[source])
            wider = (*query[:-1], key[-2])[place]
            return every(n) if place == rank - 1 else repeated(place, n, wider)
        if axis == rank - 1:
            return Sight(axis) if source == 2 else every(n)
        if source == 0 or axis < rank - 3:
            return Sight(axis)
        if axis == rank - 3:
            return Sight(axis, Fraction(n, query[axis]))
        seen = Sight(axis, 1, -inf, 0) if self.is_causal else every(n)
        return hidden(seen, loose="attn_mask" in self.given)

    def causal_fields(self, source: int) -> dict[str, Any]:
        return {} if self.given else {"is_causal": True}

    def saved(self, *x: Shape) -> tuple[str, ...]:
        found = self.needs(*self.placed(*x), learns=False)
        names = self.input_names(len(x))
        return (*(names[n] for n in found.inputs), *found.outputs)

    def workspace(self, *x: Shape) -> int:
        """What torch keeps on a CPU besides the inputs, in one of two ways.

        `_scaled_dot_product_flash_attention_for_cpu` keeps the logarithm of each softmax's sum, and
        a bool mask as numbers. `_scaled_dot_product_attention_math` keeps the scaled query and key,
        the softmaxes, and with dropout two more tensors of their size.
        """
        return self.needs(*self.placed(*x), learns=False).workspace

    def needs(self, *x: Placed, learns: bool) -> Needs:
        (query, key, value), masks = self.apart(x)
        scores = product(query.shape[:-1]) * key.shape[-2]
        if self._is_fused(*x):
            mask = masks.get("attn_mask")
            numbers = product(query.shape[:-1])
            numbers += product(mask.shape) if mask is not None and mask.dtype == "bool" else 0
            kept = (0, 1, 2, 3) if mask is not None and mask.dtype != "bool" else (0, 1, 2)
            return Needs(kept, ("output",), BYTES["float32"] * numbers)
        softmax = query.gradient or key.gradient or any(one.gradient for one in masks.values())
        shared = query.shape[-3] // key.shape[-3] if self.enable_gqa else 1
        numbers = product(query.shape) if key.gradient else 0
        numbers += shared * product(key.shape) if query.gradient else 0
        in_place = shared == 1 and value.merged(*range(len(value.shape) - 1))
        if softmax and not in_place:
            numbers += shared * product(value.shape)
        if self.dropout_p:
            numbers += scores * (softmax * (1 + (self.dropout_p < 1)) + value.gradient)
        else:
            numbers += scores * (softmax or value.gradient)
        return Needs((2,) if softmax and in_place else (), (), BYTES["float32"] * numbers)

    def _is_fused(self, *x: Placed) -> bool:
        """Whether torch computes without the scores, as `use_flash_attention_cpp` decides."""
        (query, _, value), masks = self.apart(x)
        alike = len(query.shape) == 3 and query.shape[-1] == value.shape[-1]
        ends = all(one.distances[-1] == 1 or one.shape[-1] == 1 for one in x)
        learned = any(mask.gradient for mask in masks.values())
        return alike and ends and not (self.dropout_p or learned)

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        """The fused result lies as the query."""
        return (elementwise(y[0], x[:1]),) if self._is_fused(*x) else (None,)

    def formulas(self, *x: Shape) -> Formulas:
        (query, key, value), _ = self.apart(x)
        numbers: dict[str, Any] = {"L": query[-2], "S": key[-2], "E": query[-1], "Ev": value[-1]}
        heads = "∏ heads·" if query[:-2] else ""
        terms = {
            "L": "the length of query",
            "S": "the length of key and value",
            "E": "the features of query and key",
            "Ev": "the features of value",
        }
        if heads:
            numbers["heads"] = query[:-2]
            terms["heads"] = "the sizes of the axes before the length"
        macs = {
            "scores": Equation(f"{heads}L·S·E", numbers),
            "sums": Equation(f"{heads}L·S·Ev", numbers),
        }
        sizes = [*map(unchanged, query[:-1]), Equation("Ev", numbers)]
        return Formulas(by_axis(sizes), macs=macs, terms=terms)

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        sequences, masks = self.apart(x)
        return {"output": forward(*sequences, **masks)}
