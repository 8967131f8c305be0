"""Transformer layers: https://docs.pytorch.org/docs/stable/nn.html#transformer-layers."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import ClassVar

from netbuild.components.fields import Bool
from netbuild.components.layers._attending import attends_to_itself
from netbuild.components.layers._composed import Attending, Hidden, Part
from netbuild.components.layers.attention import MultiheadAttention
from netbuild.components.layers.dropout import Dropout
from netbuild.components.layers.layout import Placed, Strides, elementwise
from netbuild.components.layers.linear import Linear
from netbuild.components.layers.norm import LayerNorm
from netbuild.components.tensor import Shape, product


class _TransformerLayer(Attending):
    """Attentions and then two Linear layers; the result of each is added to its input.

    A LayerNorm follows each sum. With `norm_first`, a LayerNorm begins each sublayer instead.
    """

    #: torch's names of the attentions.
    sublayers: ClassVar[tuple[str, ...]]

    def parts(self, x: Shape, *others: Shape) -> dict[str, Part]:
        sequences, _ = self.apart((x, *others))
        attention = MultiheadAttention(
            num_heads=self.nhead, dropout=self.dropout, bias=self.bias, need_weights=False
        )
        wide = Linear(out_features=self.dim_feedforward, bias=self.bias)
        narrow = Linear(out_features=x[1], bias=self.bias)
        norm = LayerNorm(bias=self.bias)
        reaches = ((x,), *((x, other) for other in sequences[1:]))
        parts = {
            name: self.masked(
                attention, reached, {"attn_mask": one.mask, "key_padding_mask": one.padding}
            )
            for name, reached, one in zip(self.sublayers, reaches, self.hides.values(), strict=True)
        }
        parts |= {
            "linear1": Part(wide, (x,)),
            "linear2": Part(narrow, (wide.output_shape(x),)),
        }
        return parts | {f"norm{n + 1}": Part(norm, (x,)) for n in range(len(self.sublayers) + 1)}

    def kept_inputs(self, *x: Placed, learns: bool) -> tuple[int, ...]:
        """The inputs that the attentions keep; with norm_first also the input of the first norm."""
        attention = MultiheadAttention(num_heads=self.nhead)
        kept = {n for n, one in enumerate(x) if attention.needs(one, learns=learns).inputs}
        if self.norm_first and (learns or x[0].gradient):
            kept.add(0)
        return tuple(sorted(kept))

    def gradients(self, part: str, given: tuple[bool, ...]) -> tuple[bool, ...]:
        """The gradient of the memory comes in with the last attention."""
        if part == self.sublayers[-1]:
            return given
        # The norm of this attention comes behind it, or before it with norm_first.
        first = len(self.sublayers) + self.norm_first
        before = {self.sublayers[0], *(f"norm{number}" for number in range(1, first))}
        return (given[0] if part in before else any(given),)

    def calls(self, field: str, gradients: tuple[bool, ...], *, learns: bool) -> int:
        name = self.sublayers[list(self.hides).index(field)]
        return int(learns or any(self.gradients(name, gradients)))

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        """A last norm puts the result in order, a last sum keeps the order of the input."""
        return (elementwise(y[0], x[:1]),) if self.norm_first else (None,)

    def between(self, given: tuple[bool, ...], *x: Shape, learns: bool) -> int:
        """The masks of the dropouts, and the hidden values.

        A Linear that learns keeps its input. The hidden values count again if the activation keeps
        another tensor: ReLU keeps its output, GELU its input, and a dropout changes the output.
        """
        dropout = Dropout(p=self.dropout)
        hidden = (x[0][0], self.dim_feedforward)
        masked = len(self.sublayers) + 1 if given[0] else 2
        masks = masked * dropout.workspace(x[0]) + dropout.workspace(hidden)
        apart = self.dropout > 0 or self.activation == "gelu" or not learns
        return masks + 4 * product(hidden) * apart


class TransformerEncoderLayer(_TransformerLayer):
    """A sequence attends to itself, then two Linear layers follow: (S, E) to (S, E).

    Let a = self_attn and f(x) = linear2(activation(linear1(x))). Then y = norm1(x + a(x)), and the
    output is norm2(y + f(y)). With `norm_first`, y = x + a(norm1(x)), and the output is
    y + f(norm2(y)).

    Two masks are inputs by name: `src_mask` (S, S) or (nhead, S, S), and `src_key_padding_mask`
    (S). A bool mask is true where nothing may be seen. A float mask is added to the scores.

    - TransformerEncoderLayer: 8  # 16×64 to 16×64
    """

    inputs = ("src",)
    named_inputs = ("src_mask", "src_key_padding_mask")
    sublayers = ("self_attn",)
    hides = MappingProxyType({"is_causal": Hidden("src", "src", *named_inputs)})
    target = "src"
    last = "is_causal"

    is_causal: Bool = False
    """Whether a position sees only the positions up to its own; false lets it see all."""

    def over_one(self, x: Shape, *masks: Shape) -> str | None:
        return attends_to_itself(x)


class TransformerDecoderLayer(_TransformerLayer):
    """A sequence attends to itself and then to `memory` (S, E): (T, E) to (T, E).

    Two Linear layers follow. The three sublayers are added and normalised as in
    TransformerEncoderLayer.

    Four masks are inputs by name: `tgt_mask` (T, T) and `memory_mask` (T, S), also for each head,
    `tgt_key_padding_mask` (T) and `memory_key_padding_mask` (S). A bool mask is true where nothing
    may be seen. A float mask is added to the scores.

    - {TransformerDecoderLayer: 8, inputs: [target, memory]}  # 16×64 and 20×64 to 16×64
    """

    inputs = ("tgt", "memory")
    named_inputs = ("tgt_mask", "memory_mask", "tgt_key_padding_mask", "memory_key_padding_mask")
    sublayers = ("self_attn", "multihead_attn")
    hides = MappingProxyType(
        {
            "tgt_is_causal": Hidden("tgt", "tgt", *named_inputs[::2]),
            "memory_is_causal": Hidden("tgt", "memory", *named_inputs[1::2]),
        }
    )
    target = "tgt"

    tgt_is_causal: Bool = False
    """Whether a position sees only the positions of tgt up to its own; false lets it see all."""
    memory_is_causal: Bool = False
    """Whether position t sees only the positions of memory up to t; false lets it see all."""
