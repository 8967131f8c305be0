"""The progress of a training that a program starts: a bar in a terminal or in a notebook."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netbuild.training.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.training.loop import Trainer
    from netbuild.training.progress import Progress


@contextmanager
def shown(trainer: Trainer, *, wanted: bool) -> Iterator[Progress]:
    """Yield what shows the progress of a training; it shows nothing unless that is `wanted`."""
    if not wanted or not trainer.world.writes:
        yield Silent()
        return
    if in_notebook():
        from netbuild.training.notebook_bar import NotebookBar

        bar = NotebookBar(trainer)
        try:
            yield bar
        finally:
            bar.close()
        return
    from rich.console import Console

    from netbuild.training.bar import ProgressBar

    out = Console(highlight=False, emoji=False, markup=False, soft_wrap=True)
    steps = trainer.steps
    with ProgressBar(out, trainer.train.epochs, steps, trainer.position.total) as terminal:
        yield terminal


def in_notebook() -> bool:
    """Whether this process runs the cells of a notebook, which shows HTML."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None
