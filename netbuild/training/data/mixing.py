"""Augmentations that mix the samples of a batch, and their targets by the same shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from netbuild.training.data.moving import Marked, Mover

if TYPE_CHECKING:
    from netbuild.components.augmentations.augmentation import Augmentation


class Mixer(Mover):
    """An augmentation that mixes the samples of a batch.

    `shares` says how much of each sample of the batch is in each mixed sample, (samples, samples).
    """

    def __init__(self, augmentation: Augmentation, device: torch.device) -> None:
        super().__init__(augmentation, device)
        self.shares = torch.empty(0, 0)

    def images(self, x: torch.Tensor) -> torch.Tensor:
        """Return mixed images, (samples, channels, height, width)."""
        mixed = super().images(x)
        params = self.module._params  # noqa: SLF001  kornia shows its random numbers here
        own = torch.arange(len(x), device=x.device)
        if "mixup_pairs" in params:
            pairs, lambdas = (params[f"mixup_{name}"].to(x.device) for name in ("pairs", "lambdas"))
            lambdas = lambdas.to(x.dtype) * params["batch_prob"].to(lambdas)
            self.shares = torch.diag(1 - lambdas)
            self.shares[own, pairs] += lambdas
        else:  # the number of the sample from which each pixel comes
            numbers = own.to(x.dtype).reshape(-1, 1, 1, 1).expand(-1, 1, *x.shape[-2:])
            origin = self.module(numbers.contiguous(), params=params).flatten(1).long()
            counts = x.new_zeros(len(x), len(x)).scatter_add_(
                1, origin, torch.ones_like(origin, dtype=x.dtype)
            )
            self.shares = counts / origin.shape[1]
        return mixed

    def target(self, y: torch.Tensor, marked: Marked) -> torch.Tensor:
        """Return a target mixed as the images before it: shares (samples, classes) for classes."""
        if marked.marks is not None:
            return self._pasted(y, marked) if len(y) else y
        if marked.classes is not None and not y.is_floating_point():
            y = (y[:, None] == torch.arange(marked.classes, device=y.device)).float()
        if not y.is_floating_point() or not len(y):  # nothing reads it, or no samples are here
            return y
        found: torch.Tensor = torch.tensordot(self.shares.to(y.dtype), y, 1)
        return found

    def _pasted(self, y: torch.Tensor, marked: Marked) -> torch.Tensor:
        """Return masks or pictures whose places come from the same samples."""
        moved = self._spread(y.float(), str(marked.marks))
        return moved.to(y.dtype)
