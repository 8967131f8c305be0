"""Text: metrics of language models."""

from typing import ClassVar

from netbuild.components.metrics.metric import Metric, Task


class Perplexity(Metric):
    """exp of the mean of −log p, for the probability p of each true token.

    Tokens that the loss ignores do not count.

    metrics: Perplexity
    """

    compares = "probabilities"
    tasks: ClassVar[tuple[Task, ...]] = ("multiclass",)
    higher_is_better = False
    adds_up = True
    package = "text"
    decided: ClassVar[tuple[str, ...]] = ("ignore_index",)
