"""Transformer layers: https://docs.pytorch.org/docs/stable/nn.html#transformer-layers."""

from typing import ClassVar

from netbuild.components.layers._composed import Attending, Part
from netbuild.components.layers.attention import MultiheadAttention, attends_to_itself
from netbuild.components.layers.dropout import Dropout
from netbuild.components.layers.linear import Linear
from netbuild.components.layers.norm import LayerNorm
from netbuild.components.tensor import Shape, product


class _TransformerLayer(Attending):
    """Attentions and then two Linear layers; the result of each is added to its input.

    A LayerNorm follows each sum. With `norm_first`, a LayerNorm begins each sublayer instead.
    """

    #: torch's names of the attentions.
    attentions: ClassVar[tuple[str, ...]]

    def parts(self, x: Shape, *others: Shape) -> dict[str, Part]:
        attention = MultiheadAttention(
            num_heads=self.nhead, dropout=self.dropout, bias=self.bias, need_weights=False
        )
        wide = Linear(out_features=self.dim_feedforward, bias=self.bias)
        narrow = Linear(out_features=x[1], bias=self.bias)
        norm = LayerNorm(bias=self.bias)
        reaches = ((x,), *((x, other) for other in others))
        parts = {
            name: Part(attention, reached)
            for name, reached in zip(self.attentions, reaches, strict=True)
        }
        parts |= {
            "linear1": Part(wide, (x,)),
            "linear2": Part(narrow, (wide.output_shape(x),)),
        }
        return parts | {f"norm{n + 1}": Part(norm, (x,)) for n in range(len(self.attentions) + 1)}

    def saved(self, x: Shape, *others: Shape) -> tuple[str, ...]:
        """The inputs that the attentions keep; with norm_first also the input of the first norm."""
        parts = self.parts(x, *others)
        kept = dict.fromkeys(self.inputs[:1]) if self.norm_first else {}
        for name, attention in zip(self.inputs, self.attentions, strict=True):
            layer, reached = parts[attention]
            if layer.inputs[0] in layer.saved(reached[-1]):
                kept[name] = None
        return tuple(kept)

    def between(self, x: Shape, *others: Shape) -> int:
        """The masks of the dropouts, and the hidden values.

        A Linear keeps its input. The hidden values count again if the activation keeps another
        tensor: ReLU keeps its output, GELU its input, and a dropout changes the output.
        """
        dropout = Dropout(p=self.dropout)
        hidden = (x[0], self.dim_feedforward)
        masks = (len(self.attentions) + 1) * dropout.workspace(x) + dropout.workspace(hidden)
        apart = self.dropout > 0 or self.activation == "gelu"
        return masks + 4 * product(hidden) * apart


class TransformerEncoderLayer(_TransformerLayer):
    """A sequence attends to itself, then two Linear layers follow: (S, E) to (S, E).

    Let a = self_attn and f(x) = linear2(activation(linear1(x))). Then y = norm1(x + a(x)), and the
    output is norm2(y + f(y)). With `norm_first`, y = x + a(norm1(x)), and the output is
    y + f(norm2(y)).

    - TransformerEncoderLayer: 8  # 16×64 to 16×64
    """

    inputs = ("src",)
    attentions = ("self_attn",)

    def over_one(self, x: Shape) -> str | None:
        return attends_to_itself(x)


class TransformerDecoderLayer(_TransformerLayer):
    """A sequence attends to itself and then to `memory` (S, E): (T, E) to (T, E).

    Two Linear layers follow. The three sublayers are added and normalised as in
    TransformerEncoderLayer.

    - {TransformerDecoderLayer: 8, inputs: [target, memory]}  # 16×64 and 20×64 to 16×64
    """

    inputs = ("tgt", "memory")
    attentions = ("self_attn", "multihead_attn")
