"""Values: true and predicted ones as a scatter, as series, or as pictures side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from netbuild.reports.run_page.review import Course, Example, Review, Scatter
from netbuild.training.review.pictures import Samples, is_picture, picture

if TYPE_CHECKING:
    from netbuild.config.config import Config
    from netbuild.training.step.criterion import LossModule

#: The most pairs of a scatter, its outputs, the most examples, and the most steps of the past.
_PAIRS, _OUTPUTS, _EXAMPLES, _PAST = 400, 4, 6, 96


class _Kept(NamedTuple):
    """A sample that may be shown: its error, its inputs, and its values."""

    error: float
    inputs: tuple[torch.Tensor, ...]
    true: torch.Tensor
    said: torch.Tensor


class Values:
    """Keeps true and predicted values, and the samples with the largest errors."""

    def __init__(self, first: LossModule, samples: Samples, config: Config) -> None:
        self.first, self.samples, self.config = first, samples, config
        self.pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.kept: list[_Kept] = []
        self.seen = 0

    def add(
        self, x: tuple[torch.Tensor, ...], y: object, targets: tuple[torch.Tensor, ...]
    ) -> None:
        """Add a batch."""
        true = self.first.against(x, y, targets).detach().float()
        said = self.first.output(y).float()
        if self.first.term.loss.applies == "sigmoid":
            said = said.sigmoid()
        if said.shape != true.shape:
            if said.numel() != true.numel():
                return
            said = said.reshape(true.shape)
        errors = (said - true).abs().reshape(len(true), -1).mean(1)
        room = _PAIRS - sum(len(t) for t, _ in self.pairs)
        if room > 0:
            self.pairs.append((true[:room].cpu(), said[:room].cpu()))
        for n in torch.argsort(errors, descending=True)[:_EXAMPLES].tolist():
            one = tuple(part[n].cpu() for part in x)
            self.kept.append(_Kept(float(errors[n]), one, true[n].cpu(), said[n].cpu()))
        self.kept = sorted(self.kept, key=lambda kept: -kept.error)[:_EXAMPLES]
        self.seen += len(true)

    def review(self) -> Review:
        """Return what was kept."""
        made = Review(samples=self.seen)
        if not self.kept:
            return made
        if is_picture(self.kept[0].true):
            heading = "The pictures with the largest errors"
            return made._replace(heading=heading, examples=tuple(map(self._example, self.kept)))
        if getattr(self.config.data, "window", None) and self.kept[0].true.numel() > 1:
            return made._replace(courses=tuple(map(self._course, self.kept[:4])))
        return made._replace(scatters=self._scatters())

    def _example(self, kept: _Kept) -> Example:
        pictures, text = self.samples.shown(kept.inputs)
        low, high = float(kept.true.min()), float(kept.true.max())
        bounds = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
        shown = [(name or "input", one) for name, one in pictures]
        shown += [
            (name, picture(x, bounds))
            for name, x in (("true", kept.true), ("predicted", kept.said))
        ]
        told = f"mean error {kept.error:.4g}"
        return Example(tuple(shown), "; ".join(filter(None, (text, told))))

    def _course(self, kept: _Kept) -> Course:
        true, said = (part.reshape(-1).tolist() for part in (kept.true, kept.said))
        return Course(f"mean error {kept.error:.4g}", (), tuple(true), tuple(said))

    def _scatters(self) -> tuple[Scatter, ...]:
        true, said = (torch.cat(parts) for parts in zip(*self.pairs, strict=True))
        true, said = (part.reshape(len(part), -1) for part in (true, said))
        found = []
        for n in range(min(true.shape[1], _OUTPUTS)):
            pairs = zip(true[:, n].tolist(), said[:, n].tolist(), strict=True)
            name = f"output {n}" if true.shape[1] > 1 else ""
            found.append(Scatter(name, tuple(pairs)))
        return tuple(found)
