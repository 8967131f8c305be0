"""Transformers: https://docs.pytorch.org/docs/stable/nn.html#transformer-layers."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.component import Nested
from netbuild.components.fields import Bool, PositiveInt, Wants, unwanted
from netbuild.components.first_values import FirstValues, xavier_uniform
from netbuild.components.layers._composed import Attending, Composed, Hidden, Part, expect_sequences
from netbuild.components.layers.attention import attends_to_itself
from netbuild.components.layers.formula import Equation, Formulas, added, by_axis, unchanged
from netbuild.components.layers.layer import Layer
from netbuild.components.layers.layout import Placed, Strides
from netbuild.components.layers.made import Made
from netbuild.components.layers.norm import LayerNorm, RMSNorm
from netbuild.components.layers.transformer_layer import (
    TransformerDecoderLayer,
    TransformerEncoderLayer,
)
from netbuild.components.tensor import Shape, ShapeError, Tensor

#: At most as many layers as a network may have: every layer adds names of weights.
_Layers = Annotated[
    int,
    Wants("a whole number from 1 to 10000", core_schema.int_schema(strict=True, ge=1, le=10_000)),
]
_Norm = Annotated[Layer | None, Nested("norm", {"LayerNorm": LayerNorm, "RMSNorm": RMSNorm})]
#: The fields that an encoder layer and a decoder layer share with a Transformer.
_OF_A_LAYER = tuple(Attending.model_fields)


class _Stack(Composed):
    """The same layer `num_layers` times, then a norm. All layers begin with the same weights."""

    #: The name of the field with the repeated layer.
    repeated: ClassVar[str]
    last = "num_layers norm"

    num_layers: _Layers
    """Number of layers, each with its own weights."""
    norm: _Norm = None
    """Norm after the last layer; null has no norm."""

    @field_validator("encoder_layer", "decoder_layer", check_fields=False)
    @classmethod
    def _is_a_layer(cls, layer: Any) -> Any:
        if layer is None:
            raise unwanted("a layer to repeat")
        if any(getattr(layer, field) for field in layer.hides):
            raise unwanted(f"{', '.join(layer.hides)} beside {cls.repeated}, not in it")
        return layer

    @property
    def switches(self) -> bool:
        return self._members()[0].switches

    def stilled(self) -> dict[str, Any]:
        return {self.repeated: self._members()[0].frozen()}

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        expect_sequences(self, *x)
        layer, _, norm = self._members()
        _apply_inside(self.repeated, layer, *x)
        if norm is not None:
            _apply_inside("norm", norm, x[0])
        return {"output": x[0]}

    def parts(self, x: Shape, *others: Shape) -> dict[str, Part]:
        layer, number, norm = self._members()
        parts = {f"layers.{n}": Part(layer, (x, *others)) for n in range(number)}
        return parts if norm is None else parts | {"norm": Part(norm, (x,))}

    def kept_inputs(self, *x: Placed, learns: bool) -> tuple[int, ...]:
        return self._members()[0].needs(*x, learns=learns).inputs

    def gradients(self, part: str, given: tuple[bool, ...]) -> tuple[bool, ...]:
        """A later layer reads the result of the one before."""
        first = given[0] if part == "layers.0" else any(given)
        return (first,) if part == "norm" else (first, *given[1:])

    def readers(self, number: int) -> int:
        """The first layer reads the first input, and all layers read the memory."""
        return self.num_layers if number else 1

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        layer, _, norm = self._members()
        found = layer.layouts(y, *x)
        return found if norm is None else norm.layouts(y, Placed(y[0], found[0]))

    def arguments(self, x: Shape, *others: Shape) -> dict[str, Any]:
        values = super().arguments(x, *others)
        values[self.repeated] = _made(values[self.repeated], x, *others)
        values["norm"] = None if values["norm"] is None else _made(values["norm"], x)
        return values

    def formulas(self, x: Shape, *others: Shape) -> Formulas:
        """All layers are alike, so each part of one layer counts `num_layers` times."""
        layer, number, norm = self._members()
        one = layer.formulas(x, *others)
        times = {"num_layers": number}
        weights, macs = (
            {
                name: Equation(f"num_layers·({part.rule})", {**part.numbers, **times})
                for name, part in found.items()
            }
            for found in (one.weights, one.macs)
        )
        behind = norm.formulas(x).weights if norm else {}
        weights |= {"norm": added(behind.values())} if behind else {}
        return Formulas(weights=weights, macs=macs, terms=one.terms)

    def _members(self) -> tuple[Layer, int, Layer | None]:
        """Return the layer, the number of repeats, and the norm."""
        return getattr(self, self.repeated), self.num_layers, self.norm


def _apply_inside(field: str, layer: Layer, *x: Tensor) -> None:
    """Check the inputs of the layer that a field holds.

    Raises:
        ShapeError: an input does not fit. The error names the outer field.
    """
    try:
        layer.apply(*x)
    except ShapeError as error:
        raise ShapeError(error.code, str(error), at=field, formula=error.formula) from None


def _made(layer: Layer, *x: Shape) -> Made:
    return Made(layer, layer.arguments(*x))


class TransformerEncoder(_Stack):
    """The encoder layer `num_layers` times, then the norm: (S, E) to (S, E).

    netbuild has no masks of padding, and nested tensors serve only these. torch warns if it cannot
    use nested tensors: with `norm_first`, without bias, or with an odd number of heads. In these
    cases, netbuild sets enable_nested_tensor to false.

    - TransformerEncoder: {encoder_layer: {TransformerEncoderLayer: 8}, num_layers: 6}
    # 16×64 to 16×64
    """

    inputs = ("src",)

    repeated = "encoder_layer"

    last = "num_layers norm enable_nested_tensor mask_check"

    hides = MappingProxyType({"is_causal": Hidden("src", "src", "mask")})
    target = "src"

    encoder_layer: Annotated[
        TransformerEncoderLayer,
        Nested("encoder layer", {"TransformerEncoderLayer": TransformerEncoderLayer}),
    ]
    """The layer to repeat, with its fields."""
    enable_nested_tensor: Bool = True
    """No effect: it serves masks of padding, and netbuild has none."""
    mask_check: Bool = True
    """No effect: it serves masks of padding, and netbuild has none."""
    is_causal: Bool = False
    """Whether a position sees only the positions up to its own; false lets it see all."""

    def over_one(self, x: Shape) -> str | None:
        return attends_to_itself(x)

    def arguments(self, x: Shape, *others: Shape) -> dict[str, Any]:
        values = super().arguments(x, *others)
        values["enable_nested_tensor"] &= _nests(self.encoder_layer)
        return values


def _nests(layer: Any) -> bool:
    """Tell whether torch can use nested tensors, as its `TransformerEncoder.__init__` decides."""
    return bool(layer.bias) and not layer.norm_first and layer.nhead % 2 == 0


class TransformerDecoder(_Stack):
    """The decoder layer `num_layers` times, then the norm: (T, E) to (T, E).

    Every layer attends to the same memory (S, E).

    - TransformerDecoder: {decoder_layer: {TransformerDecoderLayer: 8}, num_layers: 6}
      inputs: [target, memory]
    # 16×64 and 20×64 to 16×64
    """

    inputs = ("tgt", "memory")
    repeated = "decoder_layer"

    hides = TransformerDecoderLayer.hides
    target = "tgt"

    decoder_layer: Annotated[
        TransformerDecoderLayer,
        Nested("decoder layer", {"TransformerDecoderLayer": TransformerDecoderLayer}),
    ]
    """The layer to repeat, with its fields."""
    tgt_is_causal: Bool = False
    """Whether a position sees only the positions of tgt up to its own; false lets it see all."""
    memory_is_causal: Bool = False
    """Whether position t sees only the positions of memory up to t; false lets it see all."""


class Transformer(Attending):
    """An encoder and a decoder; the encoder's result is the decoder's memory.

    (S, E) and (T, E) to (T, E). Both stacks end with a LayerNorm. If torch would warn that it
    cannot use nested tensors, netbuild makes the same encoder without them.

    - {Transformer, inputs: [source, target]}  # 20×64 and 16×64 to 16×64
    """

    inputs = ("src", "tgt")

    hides = MappingProxyType(
        {
            "src_is_causal": Hidden("src", "src", "src_mask"),
            "tgt_is_causal": Hidden("tgt", "tgt", "tgt_mask"),
            "memory_is_causal": Hidden("tgt", "src", "memory_mask"),
        }
    )
    target = "tgt"

    last = " ".join((*_OF_A_LAYER[2:], *hides))

    nhead: PositiveInt = 8
    num_encoder_layers: _Layers = 6
    """Number of layers of the encoder."""
    num_decoder_layers: _Layers = 6
    """Number of layers of the decoder."""
    src_is_causal: Bool = False
    """Whether a position of src sees only the positions up to its own; false lets it see all."""
    tgt_is_causal: Bool = False
    """Whether a position of tgt sees only the positions up to its own; false lets it see all."""
    memory_is_causal: Bool = False
    """Whether position t of tgt sees only the encoder's results up to t; false lets it see all."""

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        super().outputs(*x)
        return {"output": x[1]}

    def parts(self, x: Shape, *others: Shape) -> dict[str, Part]:
        decoder = TransformerDecoder(
            decoder_layer=TransformerDecoderLayer(**self._of_a_layer()),
            num_layers=self.num_decoder_layers,
            norm=self._norm(),
        )
        return {
            "encoder": Part(self._encoder(), (x,)),
            "decoder": Part(decoder, (*others, x)),
        }

    def first_values(self, x: Shape, *others: Shape) -> dict[str, FirstValues]:
        """As of the parts; torch then draws all matrices again."""
        weights = self.weights(x, *others)
        matrices = {n: xavier_uniform(shape) for n, shape in weights.items() if len(shape) > 1}
        return super().first_values(x, *others) | matrices

    def formulas(self, x: Shape, *others: Shape) -> Formulas:
        found = super().formulas(x, *others)
        output = by_axis([unchanged(n) for n in others[0]])
        return found._replace(sizes=output)

    def kept_inputs(self, *x: Placed, learns: bool) -> tuple[int, ...]:
        layers = (part.layer for part in self.parts(x[0].shape, x[1].shape).values())
        encoder, decoder = layers
        first = encoder.needs(x[0], learns=learns).inputs
        second = decoder.needs(x[1], Placed(x[0].shape), learns=learns).inputs
        return (0,) * (0 in first) + (1,) * (0 in second)

    def gradients(self, part: str, given: tuple[bool, ...]) -> tuple[bool, ...]:
        return given[:1] if part == "encoder" else given[::-1]

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
        """Return the fields that an encoder layer and a decoder layer share with this one."""
        return {name: getattr(self, name) for name in _OF_A_LAYER}
