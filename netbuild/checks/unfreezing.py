"""Check that `train.unfreeze` names layers that are frozen, and leaves some that learn at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.config.unfreezing import within
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.syntax.node import Map

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netbuild.config.config import Config
    from netbuild.diagnostics.diagnostic import Span
    from netbuild.graph.row import Row


def check(config: Config, rows: Sequence[Row]) -> Iterator[Diagnostic]:
    """Yield the faults of patterns that unfreeze nothing, and of those that come too late."""
    own = {row.path: row for row in rows if not row.reuses}
    left = {path for path, row in own.items() if row.frozen or row.unfreezes}
    for pattern, epoch in (config.train.unfreeze or {}).items():
        span = _place(config, pattern)
        named = [path for path in own if within(pattern, path)]
        matched = [path for path in named if path in left]
        if not named:
            yield _unknown(pattern, own, span)
        elif not matched:
            frozen = any(own[path].frozen or own[path].unfreezes for path in named)
            label = "the patterns above have all the frozen layers that it names"
            help_ = "remove it, or write it above them"
            if not frozen:
                label = f"no layer that {brief(pattern)} names is frozen"
                help_ = "write freeze: true beside the layer or the stack"
            yield Diagnostic("NB420", "nothing to unfreeze", span, label, help=help_)
        elif epoch > config.train.epochs:
            label = f"it would learn from epoch {epoch}, and the training has {config.train.epochs}"
            yield Diagnostic("NB333", "a layer that stays frozen", span, label)
        left -= set(matched)
    learning = [row for row in rows if row.trainable]
    if learning and all(row.unfreezes for row in learning):
        first = min(row.unfreezes or 0 for row in learning)
        label = f"no weight learns before epoch {first}"
        title, help_ = "epochs in which nothing learns", "leave the last layer without freeze"
        span = _place(config, next(iter(config.train.unfreeze or {})))
        yield Diagnostic("NB420", title, span, label, help=help_)


def _unknown(pattern: str, known: dict[str, Row], span: Span) -> Diagnostic:
    """Return the fault of a pattern that matches no layer."""
    stacks = (path.rpartition(".")[0] for path in known)
    names = list(dict.fromkeys([*filter(None, stacks), *known]))
    help_, fixes = did_you_mean(pattern, names, span)
    help_ = help_ or (f"names look like {names[0]}" if names else None)
    title = f"no layer is called {brief(pattern)}"
    return Diagnostic("NB420", title, span, "unknown layer", help=help_, fixes=fixes)


def _place(config: Config, pattern: str) -> Span:
    """Return the place of a pattern in the file."""
    train = config.root.get("train")
    unfreeze = train.get("unfreeze") if isinstance(train, Map) else None
    if isinstance(unfreeze, Map) and pattern in unfreeze.entries:
        return unfreeze.entries[pattern].key.span
    return config.span("train")
