"""One evaluation of a run's validation samples, which collects what its page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from netbuild.checks import objective
from netbuild.components.target import Classes as ClassTarget
from netbuild.components.target import Values as ValueTarget
from netbuild.diagnostics.exceptions import ConfigError, TrainingError
from netbuild.reports.run_page.review import Review
from netbuild.training.errors import data_faults, refused
from netbuild.training.evaluation import restored
from netbuild.training.review.classes import Classes
from netbuild.training.review.made import Made
from netbuild.training.review.pictures import Samples
from netbuild.training.review.values import Values

if TYPE_CHECKING:
    from netbuild.runs.folder import Run
    from netbuild.training.loop import Trainer

#: The most validation samples that are looked at: a page is read soon.
_MOST = 20_000


def review(run: Run) -> Review:
    """Return what the best checkpoint of a run says of its validation samples.

    What stands in the way is the note of the review.
    """
    try:
        config = run.with_kept(run.config())
        trainer = restored(run, config, "best", "validation")
        return _collected(trainer, run)
    except ConfigError as error:
        faults = [fault for fault in error.diagnostics if fault.severity == "error"]
        why = faults[0].title if faults else str(error)
        return Review(note=f"The samples are not shown: {why}.")
    except (TrainingError, OSError) as error:
        return Review(note=f"The samples are not shown: {error}.")


@torch.no_grad()
def _collected(trainer: Trainer, run: Run) -> Review:
    """Return the review of the samples with which a trainer validates."""
    config, learner = trainer.graph.config, trainer.learner
    first, samples, loss = learner.criterion.first, Samples(config), config.losses[0].loss
    told = objective.of_first(config, trainer.graph.outputs)
    found = config.against(config.losses[0], tuple(trainer.graph.outputs))
    collecting: Classes | Values | Made
    if found is None or found.kind in {"nothing", "number"}:
        collecting = Made(samples, tuple(trainer.graph.outputs))
    elif isinstance(told, ClassTarget) or (loss.binary and found.kind == "target"):
        collecting = Classes(first, samples, run.classes)
    elif isinstance(told, ValueTarget) or loss.binary:  # a picture that is made again
        collecting = Values(first, samples, config)
    else:
        return Review(note="The page has no form for the targets of this loss.")
    module = learner.validated.eval()
    seen = 0
    with data_faults(config), refused("the validation"):
        for x, targets in trainer.validation():
            with learner.cast():
                y = module(*learner.laid_out(x))
            collecting.add(x, y, targets)
            seen += len(targets[0])
            if seen >= _MOST:
                break
    made = collecting.review()
    return made._replace(note=f"The first {seen:,} samples are shown.") if seen >= _MOST else made
