"""The base of layers that contain other layers: transformers and their parts."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from math import inf
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar

from netbuild.components.fields import Bool, Float, PositiveInt, Probability, SizeFromInput, one_of
from netbuild.components.first_values import FirstValues
from netbuild.components.layers._attending import (
    BatchFirst,
    expect_heads,
    expect_sequence,
    hidden,
    mask_seen,
)
from netbuild.components.layers._masks import Attention, Masked
from netbuild.components.layers.formula import Equation, Formulas, added
from netbuild.components.layers.layer import Layer, Modes, Needs, Window
from netbuild.components.layers.layout import Placed
from netbuild.components.layers.ranges import ANY
from netbuild.components.layers.sight import Sight, across, every
from netbuild.components.tensor import Shape, ShapeError, Tensor

_T = TypeVar("_T")
_Activation = Annotated[Literal["relu", "gelu"], one_of("relu", "gelu")]


class Part(NamedTuple):
    """A layer inside another layer, with the shapes of its inputs.

    `masks` are the names that the outer layer gives to its masks.
    """

    layer: Layer
    x: tuple[Shape, ...]
    masks: tuple[str, ...] = ()

    def kept(self, gradients: tuple[bool, ...], *, learns: bool) -> int:
        """Return the bytes that the part keeps per sample, without its masks.

        No such layer keeps its output. `gradients` tells of each input whether it needs a gradient.
        """
        if not (learns or any(gradients)):
            return 0
        pairs = zip(self.x, gradients, strict=True)
        x = [Placed(shape, gradient=gradient) for shape, gradient in pairs]
        if isinstance(self.layer, Masked):
            found = self.layer.unmasked(("output",), *x, learns=learns)
        else:
            found = self.layer.needs(*x, learns=learns)
        return sum(x[n].nbytes for n in found.inputs) + found.workspace


class Hidden(NamedTuple):
    """An attention that can hide positions: the inputs with queries and keys, and its masks."""

    query: str
    key: str
    mask: str
    padding: str


class Composed(Masked):
    """A module made of modules, for sequences: (L, E) to (L, E).

    Its weights, multiply-adds and kept bytes are the sums over its parts.
    """

    results = ANY
    modes = Modes(
        "each attention weight, and each value after an attention, the activation and the last "
        "Linear, becomes 0 with probability dropout, and x / (1 − dropout) otherwise",
        "nothing becomes 0, and nothing is scaled",
    )

    #: The fields that hide later positions.
    hides: ClassVar[Mapping[str, Hidden]]
    #: The input whose positions are those of the result.
    target: ClassVar[str]

    def parts(self, x: Shape, *others: Shape) -> dict[str, Part]:
        """Return the modules with their inputs, by name, in torch's order."""
        raise NotImplementedError

    def weights(self, x: Shape, *others: Shape) -> dict[str, Shape]:
        parts = self.parts(x, *others)
        weights = {part: part.layer.weights(*part.x) for part in set(parts.values())}
        return {
            f"{name}.{weight}": shape
            for name, part in parts.items()
            for weight, shape in weights[part].items()
        }

    def first_values(self, x: Shape, *others: Shape) -> dict[str, FirstValues]:
        parts = self.parts(x, *others)
        first = {part: part.layer.first_values(*part.x) for part in set(parts.values())}
        return {f"{name}.{w}": v for name, part in parts.items() for w, v in first[part].items()}

    def macs(self, x: Shape, *others: Shape) -> int:
        """The sum over the parts; activations and sums have no multiply-adds."""
        parts = Counter(self.parts(x, *others).values())
        return sum(number * part.layer.macs(*part.x) for part, number in parts.items())

    def window(self, x: Shape, *others: Shape) -> Window | None:
        """Every position sees all positions."""
        return None

    @property
    def is_plain(self) -> bool:
        return not (self.given or any(getattr(self, field) for field in self.hides))

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        if source >= len(self.inputs):
            return self._sees_mask(axis, x[source], self.input_names(len(x))[source])
        name, n = self.inputs[source], x[source][0]
        if axis == 1:
            return every(x[source][1])
        seen_by = {field: one for field, one in self.hides.items() if one.key == name}
        if all(getattr(self, field) for field in seen_by):
            return Sight(0, 1, -inf, 0)
        masked = all(getattr(self, f) or one.mask in self.given for f, one in seen_by.items())
        return hidden(across(0, n) if name == self.target else every(n), loose=masked)

    def _sees_mask(self, axis: int, mask: Shape, name: str) -> Sight | None:
        """Return what a position sees of a mask: its own row, and more through several layers."""
        own = mask_seen(0, axis, mask, name)
        if own.axis is None:
            return own
        own_queries = any(o.mask == name and o.query == self.target for o in self.hides.values())
        return hidden(across(0, mask[axis]) if own_queries else every(mask[axis]), loose=True)

    def causal_fields(self, source: int) -> dict[str, Any]:
        if source >= len(self.inputs) or self.given.keys() & {o.mask for o in self.hides.values()}:
            return {}
        name = self.inputs[source]
        return {field: True for field, hidden in self.hides.items() if hidden.key == name}

    def apart(self, x: Sequence[_T]) -> tuple[tuple[_T, ...], dict[str, _T]]:
        """Return the sequences, and the masks by name; rules for the parts need no masks."""
        count = len(self.inputs)
        return tuple(x[:count]), dict(zip(self.given, x[count:], strict=False))

    def masked(self, layer: Masked, x: tuple[Shape, ...], names: Mapping[str, str]) -> Part:
        """Return a part that reads masks; `names` are its own names and those of this layer."""
        outer = {own: name for own, name in names.items() if name in self.given}
        layer = layer.reading({own: self.given[name] for own, name in outer.items()})
        shapes = (mask.shape for mask in layer.given.values())
        return Part(layer, (*x, *shapes), tuple(outer[own] for own in layer.given))

    def attentions(
        self, x: Sequence[Shape], gradients: Sequence[bool] = (), *, learns: bool = True
    ) -> Iterator[Attention]:
        lengths = dict(zip(self.inputs, (shape[0] for shape in x), strict=True))
        given = tuple(gradients) or (True,) * len(x)
        for field, one in self.hides.items():
            causal = field if getattr(self, field) else None
            calls = self.calls(field, given, learns=learns)
            converts = self.converts(field, calls)
            length = lengths[one.query], lengths[one.key]
            yield Attention(*length, one.mask, one.padding, causal, calls, converts)

    def calls(self, field: str, gradients: tuple[bool, ...], *, learns: bool) -> int:
        """Return how many attentions, which `field` makes causal, the backward pass reaches."""
        raise NotImplementedError

    def converts(self, field: str, calls: int) -> int:
        """Return how many modules make numbers of a bool mask for these calls."""
        return calls

    def arguments(self, *x: Shape) -> dict[str, Any]:
        """Leave out the arguments of `forward`."""
        values = super().arguments(*x)
        return {name: value for name, value in values.items() if name not in self.hides}

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        """Make the masks too: without them, torch's evaluation is not causal.

        Without the hint, torch compares each mask with a causal one, and torch.export then takes
        batches of one size only.
        """
        sequences, masks = self.apart(x)
        given = dict(zip(self.inputs, sequences, strict=True))
        keywords: dict[str, Any] = {}
        for one in self.attentions([(0, 0)] * len(sequences)):
            field, hides = next((f, h) for f, h in self.hides.items() if h.mask == one.mask)
            keywords |= self.for_torch(one, masks, given[hides.query], given[hides.key])
            keywords |= {field: one.causal is not None} if one.mask in keywords else {}
        return {"output": forward(*sequences, **keywords)}

    def saved(self, x: Shape, *others: Shape) -> tuple[str, ...]:
        found = self.needs(*self.placed(x, *others), learns=True)
        names = self.input_names(1 + len(others))
        return tuple(names[n] for n in found.inputs)

    def workspace(self, x: Shape, *others: Shape) -> int:
        """What the parts keep, plus values between the parts, minus the layer's kept inputs."""
        return self.needs(*self.placed(x, *others), learns=True).workspace

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """The sum over the parts. Each part that reads a kept input keeps no copy of it."""
        return self.with_masks(self.unmasked(("output",), *x, learns=learns), x, learns=learns)

    def unmasked(self, read: Collection[str], *x: Placed, learns: bool) -> Needs:
        """Return the same without what it keeps of the masks."""
        x, masks = self.apart(x)
        shapes = [one.shape for one in x]
        kept = self.kept_inputs(*x, learns=learns)
        given = tuple(learns or one.gradient for one in x)
        parts = self.parts(*shapes).items()
        learned = {name: mask.gradient for name, mask in masks.items()}
        alike = Counter(
            (part, (*self.gradients(name, given), *(learned[mask] for mask in part.masks)))
            for name, part in parts
        )
        total = sum(
            number * part.kept(gradients, learns=learns)
            for (part, gradients), number in alike.items()
        )
        total += self.between(given, *shapes, learns=learns)
        total -= sum(self.readers(n) * x[n].nbytes for n in kept)
        return Needs(kept, (), total)

    def kept_inputs(self, *x: Placed, learns: bool) -> tuple[int, ...]:
        """Return the numbers of the inputs that parts keep as they are, and not in a copy."""
        raise NotImplementedError

    def readers(self, number: int) -> int:
        """Return how many parts would keep a copy of an input of this number."""
        return 1

    def gradients(self, part: str, given: tuple[bool, ...]) -> tuple[bool, ...]:
        """Return whether each input of a part needs a gradient, from those of all inputs."""
        raise NotImplementedError

    def between(self, given: tuple[bool, ...], *x: Shape, learns: bool) -> int:
        """Return the bytes kept outside of the parts."""
        return 0

    def formulas(self, x: Shape, *others: Shape) -> Formulas:
        """Each part has one formula for its weights, and one for its products; both are sums."""
        weights: dict[str, Equation] = {}
        macs: dict[str, Equation] = {}
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


def _by_part(name: str, layer: Layer, found: Mapping[str, Equation]) -> dict[str, Equation]:
    """Return the formulas of a part's own parts, or the sum for a part without parts."""
    if isinstance(layer, Composed):
        return {f"{name}.{part}": one for part, one in found.items()}
    return {name: added(found.values())} if found else {}


def expect_sequences(layer: Layer, *x: Tensor) -> None:
    """Refuse inputs that are not sequences, or that have different numbers of features.

    Raises:
        ShapeError: names the input, with its shape or its number of features.
    """
    for tensor, name in zip(x, layer.inputs, strict=True):
        expect_sequence(tensor.shape, name)
        if tensor.shape[1] != x[0].shape[1]:
            message = (
                f"{layer.inputs[0]} has {x[0].shape[1]} features and {name} {tensor.shape[1]}, "
                "which must be the same"
            )
            raise ShapeError("NB212", message)


class Attending(Composed):
    """The fields that a layer of a transformer and a whole transformer share."""

    d_model: SizeFromInput = None
    """Number of features of each position."""
    nhead: PositiveInt
    """Number of heads of each attention; the heads share the features evenly."""
    dim_feedforward: PositiveInt = 2048
    """Number of features between the two Linear layers."""
    dropout: Probability = 0.1
    """Probability that a value is dropped in training, in and after each sublayer."""
    activation: _Activation = "relu"
    """Activation between the two Linear layers."""
    layer_norm_eps: Float = 1e-5
    """Added to the variance in each LayerNorm to avoid a division by 0."""
    batch_first: BatchFirst = True
    """Always true: axis 0 is the batch, as in every layer."""
    norm_first: Bool = False
    """Whether a norm begins each sublayer; false puts a norm after each sum."""
    bias: Bool = True
    """Whether each Linear, attention and LayerNorm has a learned bias."""

    @property
    def switches(self) -> bool:
        return self.dropout > 0

    def stilled(self) -> dict[str, Any]:
        return {"dropout": 0.0}

    @property
    def heads(self) -> int:
        return self.nhead

    def is_fused(self, masks: Mapping[str, Placed]) -> bool:
        return not (self.dropout or any(mask.gradient for mask in masks.values()))

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        expect_sequences(self, *self.apart(x)[0])
        expect_heads(x[0].shape[1], self.nhead, at="nhead")
        self.expect_masks(*x)
        return {"output": x[0]}

    def decide(self, x: Shape, *others: Shape) -> dict[str, Any]:
        return {"d_model": x[1]}
