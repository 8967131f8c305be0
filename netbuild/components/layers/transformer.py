"""Transformers: https://docs.pytorch.org/docs/stable/nn.html#transformer-layers."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.component import Nested
from netbuild.components.fields import (
    Bool,
    Float,
    PositiveInt,
    Probability,
    SizeFromInput,
    Wants,
    one_of,
    unwanted,
)
from netbuild.components.layers.attention import (
    BatchFirst,
    MultiheadAttention,
    expect_heads,
    expect_sequence,
)
from netbuild.components.layers.dropout import Dropout
from netbuild.components.layers.formula import Formula, Formulas, added, by_axis, unchanged
from netbuild.components.layers.layer import ANY, Layer, Made, Window
from netbuild.components.layers.linear import Linear
from netbuild.components.layers.norm import LayerNorm, RMSNorm
from netbuild.components.tensor import Shape, ShapeError, Tensor, product

_Activation = Annotated[Literal["relu", "gelu"], one_of("relu", "gelu")]
#: As many as a network may have layers; each has a name for every weight.
_Layers = Annotated[
    int,
    Wants("a whole number from 1 to 10000", core_schema.int_schema(strict=True, ge=1, le=10_000)),
]
_Norm = Annotated[Layer | None, Nested("norm", {"LayerNorm": LayerNorm, "RMSNorm": RMSNorm})]


class _Part(NamedTuple):
    """A layer inside another, with the shapes of what reaches it."""

    layer: Layer
    x: tuple[Shape, ...]

    @property
    def kept(self) -> int:
        """The bytes that it keeps of a sample; none of these layers keeps its output."""
        names = (*self.layer.inputs, *self.layer.optional_inputs)
        given = dict(zip(names, self.x, strict=False))
        saved = sum(Tensor(given[name]).nbytes for name in self.layer.saved(*self.x))
        return saved + self.layer.workspace(*self.x)


class _Composed(Layer):
    """A module of modules, over sequences without masks: (L, E) to the same.

    Its weights, its multiply-adds and the bytes that it keeps are those of its parts.
    """

    results = ANY

    def parts(self, x: Shape, *others: Shape) -> dict[str, _Part]:
        """Return the modules with what reaches them, by name in the order of torch."""
        raise NotImplementedError

    def weights(self, x: Shape, *others: Shape) -> dict[str, Shape]:
        parts = self.parts(x, *others)
        weights = {part: part.layer.weights(*part.x) for part in set(parts.values())}
        return {
            f"{name}.{weight}": shape
            for name, part in parts.items()
            for weight, shape in weights[part].items()
        }

    def macs(self, x: Shape, *others: Shape) -> int:
        """The sum over the parts; activations and sums have none."""
        parts = Counter(self.parts(x, *others).values())
        return sum(number * part.layer.macs(*part.x) for part, number in parts.items())

    def window(self, x: Shape, *others: Shape) -> Window | None:
        """Every position sees all positions."""
        return None

    def workspace(self, x: Shape, *others: Shape) -> int:
        """What the parts keep, and what lies between them, without the inputs of the whole."""
        given = dict(zip(self.inputs, (x, *others), strict=True))
        parts = Counter(self.parts(x, *others).values())
        total = sum(number * part.kept for part, number in parts.items())
        total += self.between(x, *others)
        return total - sum(Tensor(given[name]).nbytes for name in self.saved(x, *others))

    def between(self, x: Shape, *others: Shape) -> int:
        """Return the bytes kept by what is no part; less than 0 where parts keep the same."""
        return 0

    def formulas(self, x: Shape, *others: Shape) -> Formulas:
        """Each part has one formula: the sum of those of its weights, or of its products."""
        weights: dict[str, Formula] = {}
        macs: dict[str, Formula] = {}
        terms: dict[str, str] = {}
        owners: dict[str, dict[str, None]] = {}
        for name, part in self.parts(x, *others).items():
            found = part.layer.formulas(*part.x)
            weights |= _by_part(name, part.layer, found.weights)
            macs |= _by_part(name, part.layer, found.macs)
            terms |= found.terms
            for one in (*found.weights.values(), *found.macs.values()):
                for field in one.numbers.keys() - found.terms.keys():
                    owners.setdefault(field, {})[name] = None
        terms |= {field: f"of {', '.join(names)}" for field, names in sorted(owners.items())}
        return Formulas(weights=weights, macs=macs, terms=terms)


def _by_part(name: str, layer: Layer, found: Mapping[str, Formula]) -> dict[str, Formula]:
    """Return the formulas of a part's parts, or of itself the sum."""
    if isinstance(layer, _Composed):
        return {f"{name}.{part}": one for part, one in found.items()}
    return {name: added(found.values())} if found else {}


class _TransformerLayer(_Composed):
    """Sublayers that are each added to what reaches them: attentions, and behind them two Linear.

    A LayerNorm follows each sum, or with `norm_first` begins each sublayer.
    """

    #: What torch calls the attentions.
    attentions: ClassVar[tuple[str, ...]]

    d_model: SizeFromInput = None
    nhead: PositiveInt
    dim_feedforward: PositiveInt = 2048
    dropout: Probability = 0.1
    activation: _Activation = "relu"
    layer_norm_eps: Float = 1e-5
    batch_first: BatchFirst = True
    norm_first: Bool = False
    bias: Bool = True

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        expect_sequences(self, *x)
        expect_heads(x[0].shape[1], self.nhead, at="nhead")
        return {"output": x[0]}

    def decide(self, x: Shape, *others: Shape) -> dict[str, Any]:
        return {"d_model": x[1]}

    def parts(self, x: Shape, *others: Shape) -> dict[str, _Part]:
        attention = MultiheadAttention(
            num_heads=self.nhead, dropout=self.dropout, bias=self.bias, need_weights=False
        )
        wide = Linear(out_features=self.dim_feedforward, bias=self.bias)
        narrow = Linear(out_features=x[1], bias=self.bias)
        norm = LayerNorm(bias=self.bias)
        reaches = ((x,), *((x, other) for other in others))
        parts = {
            name: _Part(attention, reached)
            for name, reached in zip(self.attentions, reaches, strict=True)
        }
        parts |= {
            "linear1": _Part(wide, (x,)),
            "linear2": _Part(narrow, (wide.output_shape(x),)),
        }
        return parts | {f"norm{n + 1}": _Part(norm, (x,)) for n in range(len(self.attentions) + 1)}

    def saved(self, x: Shape, *others: Shape) -> tuple[str, ...]:
        """What the attentions keep of the inputs, and the first norm where it comes first."""
        parts = self.parts(x, *others)
        kept = dict.fromkeys(self.inputs[:1]) if self.norm_first else {}
        for name, attention in zip(self.inputs, self.attentions, strict=True):
            layer, reached = parts[attention]
            if layer.inputs[0] in layer.saved(reached[-1]):
                kept[name] = None
        return tuple(kept)

    def between(self, x: Shape, *others: Shape) -> int:
        """The masks of the dropouts, and the hidden values.

        Linear keeps those that it gets. Where they are not what the activation gives, or what it
        keeps, that comes on top: ReLU keeps its output, GELU its input.
        """
        dropout = Dropout(p=self.dropout)
        hidden = (x[0], self.dim_feedforward)
        masks = (len(self.attentions) + 1) * dropout.workspace(x) + dropout.workspace(hidden)
        apart = self.dropout > 0 or self.activation == "gelu"
        return masks + 4 * product(hidden) * apart


def expect_sequences(layer: Layer, *x: Tensor) -> None:
    """Refuse inputs that are no sequences, or are of different features.

    Raises:
        ShapeError: says which input has what.
    """
    for tensor, name in zip(x, layer.inputs, strict=True):
        expect_sequence(tensor.shape, name)
        if tensor.shape[1] != x[0].shape[1]:
            message = (
                f"{layer.inputs[0]} has {x[0].shape[1]} features and {name} {tensor.shape[1]}, "
                "which must be the same"
            )
            raise ShapeError("NB212", message)


class TransformerEncoderLayer(_TransformerLayer):
    """Attention of a sequence to itself, then two Linear: (S, E) to (S, E).

    With a = self_attn and f = linear2(activation(linear1(x))), y = norm1(x + a(x)) and the output
    is norm2(y + f(y)); with `norm_first` y = x + a(norm1(x)) and the output is y + f(norm2(y)).

    - TransformerEncoderLayer: 8  # 16×64 to 16×64
    """

    inputs = ("src",)
    attentions = ("self_attn",)


class TransformerDecoderLayer(_TransformerLayer):
    """Attention of a sequence to itself, then to `memory`, then two Linear: (T, E) to (T, E).

    The three are added and normalised as in TransformerEncoderLayer; memory is (S, E).

    - {TransformerDecoderLayer: 8, inputs: [target, memory]}  # 16×64 and 20×64 to 16×64
    """

    inputs = ("tgt", "memory")
    attentions = ("self_attn", "multihead_attn")


class _Stack(_Composed):
    """The same layer `num_layers` times, with copies of its first weights, and a norm behind."""

    #: The field that says what is repeated.
    repeated: ClassVar[str]

    @field_validator("encoder_layer", "decoder_layer", check_fields=False)
    @classmethod
    def _is_a_layer(cls, layer: Any) -> Any:
        if layer is None:
            raise unwanted("a layer, which is repeated")
        return layer

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        expect_sequences(self, *x)
        layer, _, norm = self._members()
        _apply_inside(self.repeated, layer, *x)
        if norm is not None:
            _apply_inside("norm", norm, x[0])
        return {"output": x[0]}

    def parts(self, x: Shape, *others: Shape) -> dict[str, _Part]:
        layer, number, norm = self._members()
        parts = {f"layers.{n}": _Part(layer, (x, *others)) for n in range(number)}
        return parts if norm is None else parts | {"norm": _Part(norm, (x,))}

    def saved(self, x: Shape, *others: Shape) -> tuple[str, ...]:
        layer, _, _ = self._members()
        return layer.saved(x, *others)

    def between(self, x: Shape, *others: Shape) -> int:
        """Less than nothing for a memory that all layers keep, which is there once."""
        layer, number, _ = self._members()
        saved = layer.saved(x, *others)
        shared = [
            Tensor(other).nbytes
            for other, name in zip(others, self.inputs[1:], strict=True)
            if name in saved
        ]
        return -(number - 1) * sum(shared)

    def arguments(self, x: Shape, *others: Shape) -> dict[str, Any]:
        values = super().arguments(x, *others)
        values[self.repeated] = _made(values[self.repeated], x, *others)
        values["norm"] = None if values["norm"] is None else _made(values["norm"], x)
        return values

    def formulas(self, x: Shape, *others: Shape) -> Formulas:
        """The layers are all alike: each part of one counts `num_layers` times."""
        layer, number, norm = self._members()
        one = layer.formulas(x, *others)
        times = {"num_layers": number}
        weights, macs = (
            {
                name: Formula(f"num_layers·({part.rule})", {**part.numbers, **times})
                for name, part in found.items()
            }
            for found in (one.weights, one.macs)
        )
        behind = norm.formulas(x).weights if norm else {}
        weights |= {"norm": added(behind.values())} if behind else {}
        return Formulas(weights=weights, macs=macs, terms=one.terms)

    def _members(self) -> tuple[Layer, int, Layer | None]:
        """Return the layer, how often it is repeated, and the norm."""
        return getattr(self, self.repeated), self.num_layers, self.norm  # type: ignore[attr-defined]


def _apply_inside(field: str, layer: Layer, *x: Tensor) -> None:
    """Check what reaches the layer that a field holds.

    Raises:
        ShapeError: it does not fit; the field is to blame, for its own ones are out of sight.
    """
    try:
        layer.apply(*x)
    except ShapeError as error:
        raise ShapeError(error.code, str(error), at=field, formula=error.formula) from None


def _made(layer: Layer, *x: Shape) -> Made:
    return Made(layer, layer.arguments(*x))


class TransformerEncoder(_Stack):
    """The encoder layer `num_layers` times, then the norm: (S, E) to (S, E).

    Nested tensors only serve masks, which are not offered. Torch warns where it does without them,
    as behind `norm_first`, without bias and with an odd number of heads: there it is given false.

    - TransformerEncoder: {encoder_layer: {TransformerEncoderLayer: 8}, num_layers: 6}
    # 16×64 to 16×64
    """

    inputs = ("src",)
    repeated = "encoder_layer"

    encoder_layer: Annotated[
        TransformerEncoderLayer,
        Nested("encoder layer", {"TransformerEncoderLayer": TransformerEncoderLayer}),
    ]
    num_layers: _Layers
    norm: _Norm = None
    enable_nested_tensor: Bool = True
    mask_check: Bool = True

    def arguments(self, x: Shape, *others: Shape) -> dict[str, Any]:
        values = super().arguments(x, *others)
        values["enable_nested_tensor"] &= _nests(self.encoder_layer)
        return values


def _nests(layer: Any) -> bool:
    """Tell whether torch can take nested tensors: `TransformerEncoder.__init__` has the reasons."""
    return bool(layer.bias) and not layer.norm_first and layer.nhead % 2 == 0


class TransformerDecoder(_Stack):
    """The decoder layer `num_layers` times, each with the same memory, then the norm.

    (T, E) and a memory (S, E) to (T, E).

    - TransformerDecoder: {decoder_layer: {TransformerDecoderLayer: 8}, num_layers: 6}
      inputs: [target, memory]
    # 16×64 and 20×64 to 16×64
    """

    inputs = ("tgt", "memory")
    repeated = "decoder_layer"

    decoder_layer: Annotated[
        TransformerDecoderLayer,
        Nested("decoder layer", {"TransformerDecoderLayer": TransformerDecoderLayer}),
    ]
    num_layers: _Layers
    norm: _Norm = None


class Transformer(_Composed):
    """An encoder, and a decoder whose memory is what that gives: (S, E) and (T, E) to (T, E).

    Both end in a LayerNorm. Where torch would warn that it does without nested tensors, its
    constructor is given the encoder that it would have made, made without them.

    - {Transformer, inputs: [source, target]}  # 20×64 and 16×64 to 16×64
    """

    inputs = ("src", "tgt")

    d_model: SizeFromInput = None
    nhead: PositiveInt = 8
    num_encoder_layers: _Layers = 6
    num_decoder_layers: _Layers = 6
    dim_feedforward: PositiveInt = 2048
    dropout: Probability = 0.1
    activation: _Activation = "relu"
    layer_norm_eps: Float = 1e-5
    batch_first: BatchFirst = True
    norm_first: Bool = False
    bias: Bool = True

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        expect_sequences(self, *x)
        expect_heads(x[0].shape[1], self.nhead, at="nhead")
        return {"output": x[1]}

    def decide(self, x: Shape, *others: Shape) -> dict[str, Any]:
        return {"d_model": x[1]}

    def parts(self, x: Shape, *others: Shape) -> dict[str, _Part]:
        decoder = TransformerDecoder(
            decoder_layer=TransformerDecoderLayer(**self._of_a_layer()),
            num_layers=self.num_decoder_layers,
            norm=self._norm(),
        )
        return {
            "encoder": _Part(self._encoder(), (x,)),
            "decoder": _Part(decoder, (*others, x)),
        }

    def formulas(self, x: Shape, *others: Shape) -> Formulas:
        found = super().formulas(x, *others)
        output = by_axis([unchanged(n) for n in others[0]])
        return found._replace(sizes=output)

    def saved(self, x: Shape, *others: Shape) -> tuple[str, ...]:
        parts = self.parts(x, *others)
        return tuple(
            name
            for name, part in zip(self.inputs, parts.values(), strict=True)
            if part.layer.inputs[0] in part.layer.saved(*part.x)
        )

    def arguments(self, x: Shape, *others: Shape) -> dict[str, Any]:
        values = super().arguments(x, *others)
        if not _nests(self):
            values["custom_encoder"] = _made(self._encoder(), x)
        return values

    def _encoder(self) -> TransformerEncoder:
        return TransformerEncoder(
            encoder_layer=TransformerEncoderLayer(**self._of_a_layer()),
            num_layers=self.num_encoder_layers,
            norm=self._norm(),
        )

    def _norm(self) -> LayerNorm:
        return LayerNorm(eps=self.layer_norm_eps, bias=self.bias)

    def _of_a_layer(self) -> dict[str, Any]:
        """Return the fields that one layer of either kind has as well."""
        return {name: getattr(self, name) for name in _TransformerLayer.model_fields}
