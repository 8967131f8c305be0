"""Transformers: https://docs.pytorch.org/docs/stable/nn.html#transformer-layers."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.component import Nested
from netbuild.components.fields import Bool, PositiveInt, Wants, unwanted
from netbuild.components.first_values import FirstValues, xavier_uniform
from netbuild.components.layers._attending import attends_to_itself
from netbuild.components.layers._composed import Attending, Composed, Hidden, Part, expect_sequences
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

    @property
    def heads(self) -> int:
        return self._members()[0].heads

    def is_fused(self, masks: Mapping[str, Placed]) -> bool:
        return self._members()[0].is_fused(masks)

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        sequences, _ = self.apart(x)
        expect_sequences(self, *sequences)
        layer, _, norm = self._members()
        _apply_inside(self.repeated, layer, *sequences)
        if norm is not None:
            _apply_inside("norm", norm, x[0])
        self.expect_masks(*x)
        return {"output": x[0]}

    def parts(self, x: Shape, *others: Shape) -> dict[str, Part]:
        layer, number, norm = self._members()
        sequences, _ = self.apart((x, *others))
        names = dict(zip(layer.named_inputs, self.named_inputs, strict=True))
        part = self.masked(layer, sequences, names)
        parts = {f"layers.{n}": part for n in range(number)}
        return parts if norm is None else parts | {"norm": Part(norm, (x,))}

    def calls(self, field: str, gradients: tuple[bool, ...], *, learns: bool) -> int:
        layer, number, _ = self._members()
        first, later = (self.gradients(f"layers.{n}", gradients) for n in range(2))
        one, more = (layer.calls(field, given, learns=learns) for given in (first, later))
        return one + (number - 1) * more

    def kept_inputs(self, *x: Placed, learns: bool) -> tuple[int, ...]:
        return self._members()[0].kept_inputs(*x, learns=learns)

    def gradients(self, part: str, given: tuple[bool, ...]) -> tuple[bool, ...]:
        """A later layer reads the result of the one before."""
        first = given[0] if part == "layers.0" else any(given)
        return (first,) if part == "norm" else (first, *given[1:])

    def readers(self, number: int) -> int:
        """The first layer reads the first input, and all layers read the memory."""
        return self.num_layers if number else 1

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        layer, _, norm = self._members()
        found = layer.layouts(y, *self.apart(x)[0])
        return found if norm is None else norm.layouts(y, Placed(y[0], found[0]))

    def arguments(self, x: Shape, *others: Shape) -> dict[str, Any]:
        values = super().arguments(x, *others)
        sequences, _ = self.apart((x, *others))
        values[self.repeated] = _made(values[self.repeated], *sequences)
        values["norm"] = None if values["norm"] is None else _made(values["norm"], x)
        return values

    def formulas(self, x: Shape, *others: Shape) -> Formulas:
        """All layers are alike, so each part of one layer counts `num_layers` times."""
        layer, number, norm = self._members()
        one = layer.formulas(*self.apart((x, *others))[0])
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

    def _members(self) -> tuple[Attending, int, Layer | None]:
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

    Two masks are inputs by name: `mask` (S, S) or (nhead, S, S), and `src_key_padding_mask` (S). A
    bool mask is true where nothing may be seen. A float mask is added to the scores.

    torch uses nested tensors only in evaluation, with a mask of padding; its results at padded
    places are then 0, and other ones in training. So netbuild sets enable_nested_tensor to false
    for a mask of padding. It does the same where torch would warn that it cannot use them: with
    `norm_first`, without bias, or with an odd number of heads.

    - TransformerEncoder: {encoder_layer: {TransformerEncoderLayer: 8}, num_layers: 6}
    # 16×64 to 16×64
    """

    inputs = ("src",)
    named_inputs = ("mask", "src_key_padding_mask")

    repeated = "encoder_layer"

    last = "num_layers norm enable_nested_tensor mask_check"

    hides = MappingProxyType({"is_causal": Hidden("src", "src", *named_inputs)})
    target = "src"

    encoder_layer: Annotated[
        TransformerEncoderLayer,
        Nested("encoder layer", {"TransformerEncoderLayer": TransformerEncoderLayer}),
    ]
    """The layer to repeat, with its fields."""
    enable_nested_tensor: Bool = True
    """No effect: with a mask of padding it is always false, and without one torch ignores it."""
    mask_check: Bool = True
    """No effect: it is for nested tensors."""
    is_causal: Bool = False
    """Whether a position sees only the positions up to its own; false lets it see all."""

    def over_one(self, x: Shape, *masks: Shape) -> str | None:
        return attends_to_itself(x)

    def converts(self, field: str, calls: int) -> int:
        """The encoder makes numbers of a bool mask for all its layers."""
        return min(calls, 1)

    def arguments(self, x: Shape, *others: Shape) -> dict[str, Any]:
        values = super().arguments(x, *others)
        values["enable_nested_tensor"] &= _nests(self.encoder_layer)
        values["enable_nested_tensor"] &= "src_key_padding_mask" not in self.given
        return values


def _nests(layer: Any) -> bool:
    """Tell whether torch can use nested tensors, as its `TransformerEncoder.__init__` decides."""
    return bool(layer.bias) and not layer.norm_first and layer.nhead % 2 == 0


class TransformerDecoder(_Stack):
    """The decoder layer `num_layers` times, then the norm: (T, E) to (T, E).

    Every layer attends to the same memory (S, E). The masks are those of TransformerDecoderLayer,
    the same ones for every layer.

    - TransformerDecoder: {decoder_layer: {TransformerDecoderLayer: 8}, num_layers: 6}
      inputs: [target, memory]
    # 16×64 and 20×64 to 16×64
    """

    inputs = ("tgt", "memory")
    named_inputs = TransformerDecoderLayer.named_inputs
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
    cannot use nested tensors, and with a `src_key_padding_mask`, netbuild makes the same encoder
    without them.

    Masks are inputs by name: `src_mask` (S, S), `tgt_mask` (T, T) and `memory_mask` (T, S), also
    for each head, and `src_key_padding_mask` (S), `tgt_key_padding_mask` (T) and
    `memory_key_padding_mask` (S). A bool mask is true where nothing may be seen. A float mask is
    added to the scores.

    - {Transformer, inputs: [source, target]}  # 20×64 and 16×64 to 16×64
    """

    inputs = ("src", "tgt")
    named_inputs = (
        *("src_mask", "tgt_mask", "memory_mask"),
        *("src_key_padding_mask", "tgt_key_padding_mask", "memory_key_padding_mask"),
    )

    hides = MappingProxyType(
        {
            "src_is_causal": Hidden("src", "src", *named_inputs[0::3]),
            "tgt_is_causal": Hidden("tgt", "tgt", *named_inputs[1::3]),
            "memory_is_causal": Hidden("tgt", "src", *named_inputs[2::3]),
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
        tgt = others[0]
        decoder = TransformerDecoder(
            decoder_layer=TransformerDecoderLayer(**self._of_a_layer()),
            num_layers=self.num_decoder_layers,
            norm=self._norm(),
        )
        encoder = self._encoder()
        masks = {"mask": "src_mask", "src_key_padding_mask": "src_key_padding_mask"}
        own = {name: name for name in decoder.named_inputs}
        return {
            "encoder": self.masked(encoder, (x,), masks),
            "decoder": self.masked(decoder, (tgt, x), own),
        }

    def calls(self, field: str, gradients: tuple[bool, ...], *, learns: bool) -> int:
        parts = self.parts((0, 0), (0, 0))
        name, field = ("encoder", "is_causal") if field == "src_is_causal" else ("decoder", field)
        layer = parts[name].layer
        assert isinstance(layer, Composed)
        return layer.calls(field, self.gradients(name, gradients), learns=learns)

    def converts(self, field: str, calls: int) -> int:
        return min(calls, 1) if field == "src_is_causal" else calls

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
        encoder, decoder = (part.layer for part in self.parts(x[0].shape, x[1].shape).values())
        assert isinstance(encoder, Composed)
        assert isinstance(decoder, Composed)
        first = encoder.kept_inputs(x[0], learns=learns)
        second = decoder.kept_inputs(x[1], Placed(x[0].shape), learns=learns)
        return (0,) * (0 in first) + (1,) * (0 in second)

    def gradients(self, part: str, given: tuple[bool, ...]) -> tuple[bool, ...]:
        return given[:1] if part == "encoder" else given[::-1]

    def arguments(self, x: Shape, *others: Shape) -> dict[str, Any]:
        values = super().arguments(x, *others)
        padded = "src_key_padding_mask" in self.given
        if padded or not _nests(self):
            encoder = self.parts(x, *others)["encoder"]
            values["custom_encoder"] = _made(encoder.layer, *encoder.x)
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
