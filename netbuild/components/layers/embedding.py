"""Embeddings: https://docs.pytorch.org/docs/stable/nn.html#sparse-layers."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import PrivateAttr, field_validator

from netbuild.components.fields import (
    Bool,
    Float,
    PositiveInt,
    Wants,
    one_of,
    optional,
    real,
    unwanted,
    whole,
)
from netbuild.components.first_values import FirstValues, normal
from netbuild.components.layers.formula import Formulas, by_axis, formula, unchanged
from netbuild.components.layers.layer import Layer, Needs, Window
from netbuild.components.layers.layout import Placed
from netbuild.components.layers.lookup import Lookup
from netbuild.components.layers.ranges import ANY
from netbuild.components.layers.sight import Sight, every
from netbuild.components.tensor import BYTES, Shape, ShapeError, Tensor, expect_rank, times

_Index = Annotated[int | None, Wants("a whole number or null", optional(whole()))]
_MaxNorm = Annotated[float | None, Wants("a number, or null for no limit", optional(real()))]


class _Table(Layer):
    """A table of `num_embeddings` rows, each with `embedding_dim` learned numbers."""

    needs_float = False
    results = ANY

    num_embeddings: PositiveInt
    """Number of rows; indices go from 0 to num_embeddings − 1."""
    embedding_dim: PositiveInt
    """Number of features of a row."""
    padding_idx: _Index = None
    """Index of a row that begins as zeros and is not trained; null has no such row."""
    max_norm: _MaxNorm = None
    """Largest norm of a row; longer rows are shortened when they are read. null: no limit."""
    norm_type: Float = 2.0
    """Power of the norm for max_norm; 2 is the Euclidean norm."""
    scale_grad_by_freq: Bool = False
    """Whether the gradient of a row is divided by how often the batch reads it."""
    sparse: Bool = False
    """Whether gradients hold only the rows that were read; few optimizers take such gradients."""

    def lookup(self, *x: Shape) -> Lookup | None:
        last = self.num_embeddings - 1
        return Lookup(0, 0, last, f"it has rows for 0 to {last}", "num_embeddings")

    @field_validator("padding_idx")
    @classmethod
    def _is_a_row(cls, index: Any, info: Any) -> Any:
        count = info.data.get("num_embeddings")
        if None not in {index, count} and not -count <= index < count:
            raise unwanted(f"a number from {-count} to {count - 1}, or null")
        return index

    @field_validator("sparse")
    @classmethod
    def _has_no_frequencies(cls, sparse: Any, info: Any) -> Any:
        if sparse and info.data.get("scale_grad_by_freq"):
            raise unwanted("false with scale_grad_by_freq: torch's backward pass fails")
        return sparse

    #: Whether rows are shortened to `max_norm` as they are read, and stay as they are in the table.
    _keeps_rows: bool = PrivateAttr(default=False)

    def frozen(self) -> Layer:
        if self.max_norm is None:
            return self
        frozen = self.model_copy()
        frozen._keeps_rows = True  # noqa: SLF001  a copy of this layer
        return frozen

    def built_name(self) -> str:
        name = self.torch_name()
        return f"Frozen{name}" if self._keeps_rows else name

    def expect_dtypes(self, *x: Tensor) -> None:
        if x[0].dtype not in {"int64", "int32"}:
            message = f"its input must hold indices, int64 or int32, and is {x[0].dtype}"
            help_ = "declare whole numbers by input: {shape: […], dtype: int64}"
            raise ShapeError("NB207", message, help=help_)

    def weights(self, x: Shape, *others: Shape) -> dict[str, Shape]:
        return {"weight": (self.num_embeddings, self.embedding_dim)}

    def first_values(self, x: Shape, *others: Shape) -> dict[str, FirstValues]:
        row = self.padding_idx
        note = "" if row is None else f"row {row}, padding_idx, is all 0"
        return {"weight": normal(1.0)._replace(note=note)}

    def window(self, x: Shape, *others: Shape) -> Window | None:
        """The input has no channels, so output positions have no input positions."""
        return None

    def saved(self, x: Shape, *others: Shape) -> tuple[str, ...]:
        return ("input",)

    def formulas(self, x: Shape, *others: Shape) -> Formulas:
        count, size = self.num_embeddings, self.embedding_dim
        table = formula("num_embeddings·embedding_dim", num_embeddings=count, embedding_dim=size)
        places = by_axis(unchanged(n) for n in x[: len(self.output_shape(x, *others)) - 1])
        features = formula("embedding_dim", embedding_dim=size)
        return Formulas({**places, "features": features}, {"weight": table})


class Embedding(_Table):
    """Looks up the row of each index: (*) of int64 or int32 to (*, embedding_dim) of float32.

    - Embedding: {num_embeddings: 1000, embedding_dim: 64}  # 20 of int64 to 20×64
    """

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        return {"output": Tensor(self.output_shape(x[0].shape))}

    def output_shape(self, x: Shape) -> Shape:
        return (*x, self.embedding_dim)


class EmbeddingBag(_Table):
    """The mean, sum or maximum of the rows of a bag of indices: (length) to (embedding_dim).

    Each sample is one bag, so there are no offsets, and include_last_offset has no effect. In the
    mode sum, an optional second input `per_sample_weights` of (length) has a factor for each index.

    - EmbeddingBag: {num_embeddings: 1000, embedding_dim: 64}  # 20 of int64 to 64
    """

    optional_inputs = ("per_sample_weights",)

    last = "mode sparse include_last_offset padding_idx"

    mode: Annotated[Literal["sum", "mean", "max"], one_of("sum", "mean", "max")] = "mean"
    """How the rows of a bag become one: their sum, mean or maximum."""
    include_last_offset: Bool = False
    """No effect: each sample is one bag, and there are no offsets."""
    padding_idx: _Index = None
    """Index that a bag skips, and whose row is not trained; null has no such index."""

    @field_validator("mode")
    @classmethod
    def _scales_no_maximum(cls, mode: Any, info: Any) -> Any:
        if mode == "max" and info.data.get("scale_grad_by_freq"):
            raise unwanted("sum or mean with scale_grad_by_freq")
        return mode

    @field_validator("sparse")
    @classmethod
    def _is_dense_for_a_maximum(cls, sparse: Any, info: Any) -> Any:
        if sparse and info.data.get("mode") == "max":
            raise unwanted("false with the mode max")
        return sparse

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return every(x[source][axis])

    def expect_dtypes(self, *x: Tensor) -> None:
        super().expect_dtypes(*x)
        for factors in x[1:]:
            if not factors.floating:
                message = f"per_sample_weights must be floating-point numbers, not {factors.dtype}"
                raise ShapeError("NB207", message)

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        return {"output": Tensor(self.output_shape(*(tensor.shape for tensor in x)))}

    def output_shape(self, x: Shape, *factors: Shape) -> Shape:
        expect_rank(x, "length", ranks=(1,))
        if factors and self.mode != "sum":
            message = f"per_sample_weights are for the mode sum, and the mode is {self.mode}"
            raise ShapeError("NB208", message, at="mode")
        for shape in factors:
            if shape != x:
                size = times(shape)
                message = f"per_sample_weights is {size}, and the indices are {times(x)}"
                raise ShapeError("NB212", message)
        return (self.embedding_dim,)

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        if len(x) == 1:
            return {"output": forward(x[0])}
        return {"output": forward(x[0], per_sample_weights=x[1])}

    @property
    def is_plain(self) -> bool:
        """A single input goes to `forward` unchanged."""
        return True

    def keeps_itself(self, x: Placed) -> bool:
        """Indices are put in order; the factors only become one axis."""
        return x.merged(*range(1 + len(x.shape))) if x.dtype == "float32" else x.in_order

    def saved(self, x: Shape, *factors: Shape) -> tuple[str, ...]:
        return ("input", *self.optional_inputs[: len(factors)])

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """The numbers of the workspace have the dtype of the indices.

        A sum with factors that have gaps between them keeps the bag of each index too. It is
        `is_fast_path_index_select_scale` in `aten/src/ATen/native/EmbeddingBag.cpp`.
        """
        found = super().needs(*x, learns=learns)
        numbers = found.workspace // BYTES["int64"]
        if self.padding_idx is None:
            gaps = [one for one in x[1:] if self.keeps_itself(one) and not one.in_order]
            numbers += sum(one.shape[0] for one in gaps)
        return found._replace(workspace=numbers * BYTES[x[0].dtype])

    def workspace(self, x: Shape, *factors: Shape) -> int:
        """Indices: three for the bag, and for each index its bag, unless the mode is sum.

        A maximum keeps two numbers, and the index that each of its values comes from. They are
        counted as int64; `needs` knows the dtype of the input.
        """
        numbers = 2 + self.embedding_dim if self.mode == "max" else 3
        if self.mode != "sum" or self.padding_idx is not None:
            numbers += x[0]
        return BYTES["int64"] * numbers
