"""Classes of samples, of pixels and of places: the confusion, and the worst mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from netbuild.reports.run_page.review import Example, Review, Sequence
from netbuild.training.review.pictures import Samples, colours, mask

if TYPE_CHECKING:
    from netbuild.training.step.criterion import LossModule

#: The most mistakes, masks and sequences.
_MISTAKES, _MASKS, _SEQUENCES, _PLACES = 16, 6, 4, 80
#: The most classes whose confusion is counted.
_MOST = 1000


class _Kept(NamedTuple):
    """A sample that may be shown: how wrong it is, its inputs, and its classes."""

    wrong: float
    inputs: tuple[torch.Tensor, ...]
    true: torch.Tensor
    said: torch.Tensor
    counted: torch.Tensor
    share: float


class Classes:
    """Counts classes, and keeps the samples that are the most wrong."""

    def __init__(self, first: LossModule, samples: Samples, names: tuple[str, ...] | None) -> None:
        self.first, self.samples, self.given = first, samples, names
        self.counts: torch.Tensor | None = None
        self.kept: list[_Kept] = []
        self.seen = 0
        self.places = 0

    def add(
        self, x: tuple[torch.Tensor, ...], y: object, targets: tuple[torch.Tensor, ...]
    ) -> None:
        """Add a batch."""
        true = self.first.against(x, y, targets).detach()
        if self.first.term.loss.signed:  # -1 is the first of two classes
            true = (true > 0).long()
        count = len(true)
        scores = self.first.all_scores(y).float()  # (samples · places, classes)
        scores = scores.log_softmax(-1)
        flat = true.reshape(-1).round().long()
        if scores.shape[0] != flat.shape[0]:
            return
        said = scores.argmax(-1)
        classes = scores.shape[-1]
        counted = (flat >= 0) & (flat < classes)
        if self.first.can_ignore:
            counted &= flat != self.first.ignored
        self._count(flat, said, counted, classes)
        own = scores.gather(1, flat.clamp(0, classes - 1)[:, None])[:, 0]
        wrongness = torch.where(counted, -own, torch.zeros_like(own)).reshape(count, -1).mean(1)
        wrong = ((said != flat) & counted).reshape(count, -1).any(1)
        self.seen += count
        shares = scores.exp().max(-1).values.reshape(count, -1)
        self.places = shares.shape[1]
        shaped, known = said.reshape(true.shape), counted.reshape(true.shape)
        chosen = torch.arange(count) if self.places > 1 else wrong.nonzero()[:, 0].cpu()
        order = wrongness.cpu()[chosen].argsort(descending=True)[:_MISTAKES]
        for n in chosen[order].tolist():
            one = tuple(part[n].cpu() for part in x)
            kept = (float(wrongness[n]), one, true[n].cpu(), shaped[n].cpu(), known[n].cpu())
            self.kept.append(_Kept(*kept, float(shares[n].mean())))
        self.kept = sorted(self.kept, key=lambda k: -k.wrong)[:_MISTAKES]

    def _count(
        self, true: torch.Tensor, said: torch.Tensor, counted: torch.Tensor, classes: int
    ) -> None:
        if classes > _MOST:
            return
        numbers = true[counted] * classes + said[counted]
        found = numbers.bincount(minlength=classes * classes).cpu()
        self.counts = found if self.counts is None else self.counts + found

    def _names(self, classes: int) -> tuple[str, ...]:
        if self.given and len(self.given) == classes:
            return self.given
        if len(self.samples.words) == classes:  # the classes are tokens
            return tuple(word if word.strip() else repr(word) for word in self.samples.words)
        return tuple(map(str, range(classes)))

    def review(self) -> Review:
        """Return what was counted and kept."""
        side = 0 if self.counts is None else round(len(self.counts) ** 0.5)
        rows = () if self.counts is None else self.counts.reshape(side, side).tolist()
        made = Review(
            samples=self.seen,
            classes=self._names(side),
            confusion=tuple(map(tuple, rows)),
        )
        if not self.kept:
            return made
        if self.kept[0].true.ndim >= 2 and self.kept[0].true.shape[-1] > 1:
            return made._replace(
                heading="The masks that differ most",
                colours=colours(len(made.classes)),
                examples=self._masks(),
            )
        if self.places > 1:
            if self.first.term.loss.binary:  # labels beside one another are no sequence
                return made
            return made._replace(sequences=tuple(map(self._sequence, self.kept[:_SEQUENCES])))
        return made._replace(heading="The worst mistakes", examples=self._mistakes(made.classes))

    def _mistakes(self, names: tuple[str, ...]) -> tuple[Example, ...]:
        found = []
        for kept in self.kept:
            pictures, text = self.samples.shown(kept.inputs)
            true, said = (_name(part, names) for part in (kept.true, kept.said))
            found.append(Example(tuple(pictures), text, true, said, kept.share))
        return tuple(found)

    def _masks(self) -> tuple[Example, ...]:
        found = []
        for kept in self.kept[:_MASKS]:
            pictures, text = self.samples.shown(kept.inputs)
            true, said = (part.reshape(part.shape[-2:]) for part in (kept.true, kept.said))
            counted = kept.counted.reshape(true.shape)  # the loss may ignore pixels
            alike = float((true == said)[counted].float().mean()) if counted.any() else 1.0
            pictures = [(name or "input", one) for name, one in pictures]
            masks = [("true", mask(true)), ("predicted", mask(said))]
            told = f"{alike:.1%} of the pixels are right"
            found.append(Example((*pictures, *masks), "; ".join(filter(None, (text, told)))))
        return tuple(found)

    def _sequence(self, kept: _Kept) -> Sequence:
        """Return the classes of a sequence, as tokens if the network continues a text."""
        words = self.samples.words
        pairs = zip(kept.true.flatten().tolist(), kept.said.flatten().tolist(), strict=True)
        names = self._names(len(words) or 1)

        def name(number: float) -> str:
            n = int(number)
            if words and 0 <= n < len(words):
                return words[n]
            return names[n] if 0 <= n < len(names) > 1 else str(n)

        known = [(t, s) for t, s in pairs if t >= 0]
        return Sequence(tuple((name(t), name(s)) for t, s in known[:_PLACES]))


def _name(number: torch.Tensor, names: tuple[str, ...]) -> str:
    n = int(number.flatten()[0].round())
    return names[n] if 0 <= n < len(names) else str(n)
