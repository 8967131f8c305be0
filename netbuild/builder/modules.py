"""Modules that torch does not have, in plain torch. They do not need netbuild."""

from typing import Any, ClassVar

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.utils import rnn


class _SwitchableNorm(nn.Module):
    """Normalises each channel with a learned mixture of instance, layer and batch statistics.

    (x − Σ wₖ · meanₖ) / √(Σ vₖ · varianceₖ + eps) · weight + bias, where k is the instance, the
    layer and the batch, w = softmax(mean_weight) and v = softmax(var_weight): Luo et al. 2018,
    "Differentiable Learning-to-Normalize via Switchable Normalization",
    https://arxiv.org/abs/1806.10779, section 3. The arguments, and the running statistics for
    evaluation, are the same as in torch's batch norms.

    Args:
        num_features: the number of channels, C.
        eps: added to the variance.
        momentum: the share of a new batch in the running averages; None for a plain mean.
        affine: whether each channel has a learned weight and bias.
        track_running_stats: whether evaluation uses running averages as batch statistics.
        bias: whether a channel with a weight also has a bias.
    """

    #: The number of axes of an input, and their names.
    rank: ClassVar[int]
    axes: ClassVar[str]

    weight: nn.Parameter | None
    bias: nn.Parameter | None
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,  # noqa: FBT001, FBT002  as in torch's norms
        track_running_stats: bool = True,  # noqa: FBT001, FBT002  the same
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        c = num_features
        weight = nn.Parameter(torch.empty(c)) if affine else None
        self.register_parameter("weight", weight)
        shift = nn.Parameter(torch.empty(c)) if affine and bias else None
        self.register_parameter("bias", shift)
        self.mean_weight = nn.Parameter(torch.empty(3))
        self.var_weight = nn.Parameter(torch.empty(3))
        if track_running_stats:
            self.register_buffer("running_mean", torch.empty(c))
            self.register_buffer("running_var", torch.empty(c))
            self.register_buffer("num_batches_tracked", torch.tensor(0))
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Reset the running statistics to their initial values."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Reset all parameters: the three statistics get equal shares."""
        self.reset_running_stats()
        nn.init.ones_(self.mean_weight)
        nn.init.ones_(self.var_weight)
        if self.weight is not None:
            nn.init.ones_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised input, of the same shape.

        Raises:
            ValueError: the input has other axes or channels, or a single value per channel.
        """
        self._check(x)
        space = tuple(range(2, x.dim()))  # x: (N, C, *)
        var_in, mean_in = torch.var_mean(x, space, correction=0)  # (N, C)
        mean_ln, var_ln = _pooled(mean_in, var_in, dim=1)  # (N, 1)
        mean_bn, var_bn = self._of_batch(mean_in, var_in, x[:, 0].numel())  # (1, C)
        mean = _mixed(self.mean_weight, mean_in, mean_ln, mean_bn)  # (N, C)
        var = _mixed(self.var_weight, var_in, var_ln, var_bn)  # (N, C)

        scale = (var + self.eps).rsqrt()  # (N, C)
        if self.weight is not None:
            scale = scale * self.weight  # (N, C)
        shift = -mean * scale  # (N, C)
        if self.bias is not None:
            shift = shift + self.bias  # (N, C)
        # One pass over x. Of tensors of this size, the backward pass keeps only x.
        whole = (*scale.shape, *(1,) * len(space))
        return torch.addcmul(shift.view(whole), x, scale.view(whole))  # (N, C, *)

    def extra_repr(self) -> str:
        """Return the arguments that `repr` prints, as torch's norms do."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, track_running_stats={self.track_running_stats}"
        )

    def _check(self, x: Tensor) -> None:
        if x.dim() != self.rank:
            raise ValueError(f"expected {self.axes}, got an input of {x.dim()} axes")
        if x.size(1) != self.num_features:
            raise ValueError(f"expected {self.num_features} channels, got {x.size(1)}")
        if x[0, 0].numel() == 1:
            shape = tuple(x.shape)
            raise ValueError(f"expected more than 1 value per channel, got {shape}")

    def _of_batch(self, mean: Tensor, var: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Return the mean and the variance of a batch, or their running values: (1, C) each.

        Args:
            mean: the mean of each instance, (N, C).
            var: the variance of each instance, (N, C).
            count: the number of values of a channel in the batch.
        """
        if not self.training and self.track_running_stats:
            return self.running_mean[None], self.running_var[None]  # (1, C)
        mean, var = _pooled(mean, var, dim=0)  # (1, C)
        if self.training and self.track_running_stats:
            self.num_batches_tracked.add_(1)
            seen = self.num_batches_tracked
            share = 1 / seen.item() if self.momentum is None else self.momentum
            with torch.no_grad():
                # As in torch's batch norms, the running variance is unbiased.
                unbiased = var[0] * (count / (count - 1))  # (C)
                self.running_mean.lerp_(mean[0].to(self.running_mean), share)  # (C)
                self.running_var.lerp_(unbiased.to(self.running_var), share)  # (C)
        return mean, var


def _pooled(mean: Tensor, var: Tensor, *, dim: int) -> tuple[Tensor, Tensor]:
    """Return the mean and the variance over an axis of groups, from the values of each group.

    All groups have the same size. The total variance is the mean variance within the groups plus
    the variance of their means.
    """
    between, mean = torch.var_mean(mean, dim, correction=0, keepdim=True)
    return mean, var.mean(dim, keepdim=True) + between


def _mixed(weight: Tensor, instance: Tensor, layer: Tensor, batch: Tensor) -> Tensor:
    """Return the mixture of a statistic, (N, C), of (N, C), (N, 1) and (1, C)."""
    share = weight.softmax(0)  # (3)
    return share[0] * instance + share[1] * layer + share[2] * batch


class SwitchableNorm1d(_SwitchableNorm):
    """Switchable normalisation of (N, C, L)."""

    rank = 3
    axes = "(N, C, L)"


class SwitchableNorm2d(_SwitchableNorm):
    """Switchable normalisation of (N, C, H, W)."""

    rank = 4
    axes = "(N, C, H, W)"


class SwitchableNorm3d(_SwitchableNorm):
    """Switchable normalisation of (N, C, D, H, W)."""

    rank = 5
    axes = "(N, C, D, H, W)"


class StochasticDepth(nn.Module):
    """Zeroes whole samples with probability p in training, and divides the others by 1 − p.

    The arguments are those of `torchvision.ops.StochasticDepth`: Huang et al. 2016, "Deep Networks
    with Stochastic Depth", https://arxiv.org/abs/1603.09382.

    Args:
        p: the probability that a sample becomes 0.
        mode: "row" draws for each sample, "batch" once for all samples of a batch.
    """

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torchvision's name
        """Return some of the samples, (N, *) to (N, *)."""
        if not self.training or self.p == 0:
            return input
        count = input.shape[0] if self.mode == "row" else 1
        kept = input.new_empty([count] + [1] * (input.dim() - 1)).bernoulli_(1 - self.p)
        return input * (kept / (1 - self.p) if self.p < 1 else kept)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"p={self.p}, mode={self.mode}"


class FrozenEmbedding(nn.Embedding):
    """An embedding whose table stays as it is: torch's own rewrites rows longer than `max_norm`.

    Each read row is shortened, with the same formula as in torch.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's name
        """Return the rows of indices, (*) to (*, embedding_dim)."""
        rows = functional.embedding(input, self.weight, self.padding_idx)  # (*, E)
        return _shortened(self, rows.flatten(0, -2)).view(rows.shape)


class _Packed(nn.RNNBase):
    """A recurrent layer that reads each sample up to its own end, packed as torch wants it."""

    def forward(
        self,
        input: Tensor,  # noqa: A002  torch's name
        hx: Any = None,
        lengths: Tensor | None = None,
    ) -> Any:
        """Return what torch's layer returns; (N, L, *) has zeros behind the end of each sample.

        Args:
            input: the sequences, (N, L, input_size).
            hx: the first states; None for zeros.
            lengths: the number of steps of each sample, (N), in any order; None for all steps.

        Raises:
            RuntimeError: a length is below 1 or above L.
        """
        if lengths is None or lengths.is_meta:  # a meta tensor has no numbers
            return super().forward(input, hx)
        ends = lengths.cpu()  # torch packs by lengths on the CPU
        least, most, steps = int(ends.min()), int(ends.max()), input.size(1)
        if least < 1 or most > steps:
            message = f"lengths are from {least} to {most}"
            raise RuntimeError(f"{message}, and a sequence has 1 to {steps} steps")
        packed = rnn.pack_padded_sequence(input, ends, True, enforce_sorted=False)
        y, last = super().forward(packed, hx)
        padded, _ = rnn.pad_packed_sequence(y, batch_first=True, total_length=steps)
        return padded, last


class PackedRNN(_Packed, nn.RNN):  # type: ignore[misc]  # with lengths
    """`nn.RNN` with lengths."""


class PackedLSTM(_Packed, nn.LSTM):  # type: ignore[misc]  # with lengths
    """`nn.LSTM` with lengths."""


class PackedGRU(_Packed, nn.GRU):  # type: ignore[misc]  # with lengths
    """`nn.GRU` with lengths."""


class ScaledDotProductAttention(nn.Module):
    """`torch.nn.functional.scaled_dot_product_attention`, which drops weights in training only.

    Args:
        dropout_p: the probability that an attention weight is dropped in training.
        is_causal: whether a position sees only the positions of key up to its own.
        scale: the factor of the scores; None is 1 / √E.
        enable_gqa: whether key and value may have fewer heads than query.
    """

    def __init__(
        self,
        dropout_p: float = 0.0,
        is_causal: bool = False,  # noqa: FBT001, FBT002  as in torch's function
        scale: float | None = None,
        enable_gqa: bool = False,  # noqa: FBT001, FBT002  the same
    ) -> None:
        super().__init__()
        self.dropout_p = dropout_p
        self.is_causal = is_causal
        self.scale = scale
        self.enable_gqa = enable_gqa

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None
    ) -> Tensor:
        """Return (N, *, L, Ev) for query (N, *, L, E), key (N, *, S, E) and value (N, *, S, Ev).

        A mask (N, L, S) holds for all heads; it may also have the axes before L.
        """
        while attn_mask is not None and attn_mask.dim() < query.dim():
            attn_mask = attn_mask.unsqueeze(1)
        return functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask,
            dropout_p=self.dropout_p if self.training else 0.0,
            is_causal=self.is_causal,
            scale=self.scale,
            enable_gqa=self.enable_gqa,
        )

    def extra_repr(self) -> str:
        """Return the arguments that `repr` prints."""
        return f"dropout_p={self.dropout_p}, is_causal={self.is_causal}"


class FrozenEmbeddingBag(nn.EmbeddingBag):
    """An embedding bag whose table stays as it is, as that of a `FrozenEmbedding`."""

    def forward(
        self,
        input: Tensor,  # noqa: A002  torch's name
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Return one row for each bag of indices, (N, L) to (N, embedding_dim)."""
        return functional.embedding_bag(
            input,
            _shortened(self, self.weight),
            offsets,
            mode=self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )


def _shortened(table: nn.Embedding | nn.EmbeddingBag, rows: Tensor) -> Tensor:
    """Return rows, (N, E), whose norms are at most `max_norm`."""
    assert table.max_norm is not None
    norms = torch.linalg.vector_norm(rows, table.norm_type, 1, keepdim=True)  # (N, 1)
    scale = table.max_norm / (norms + 1e-7)  # as in torch's embedding_renorm_
    return rows * torch.where(norms > table.max_norm, scale, 1)


class Constant(nn.Module):
    """A tensor that is not learned, and not in `state_dict()`."""

    value: Tensor

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value, persistent=False)

    def forward(self) -> Tensor:
        """Return the tensor."""
        return self.value

    def extra_repr(self) -> str:
        """Return the shape and the dtype, for `print`."""
        return f"{tuple(self.value.shape)}, dtype={self.value.dtype}"


class BufferTracer(fx.Tracer):
    """Writes the graph of a module that is unpickled, with its buffers as buffers.

    torch.fx runs `forward` for this, and would compute with the values of the buffers.
    """

    proxy_buffer_attributes = True
