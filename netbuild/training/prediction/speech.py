"""How a network continues a text, as far as it is known without torch.

A network sees a window of as many tokens as its input has. It tells the next token at each place,
or only the one behind the last place. A prompt that is shorter than the window begins it, and the
rest is filled up: that is right if no place sees a later one. Otherwise a window has to be full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.checks import objective
from netbuild.checks.leaks import Leak
from netbuild.checks.lint.flow import Flow, described
from netbuild.components.datasets.dataset import DataError, Repeat
from netbuild.components.datasets.text import Text
from netbuild.components.target import Classes
from netbuild.components.tensor import times
from netbuild.diagnostics.exceptions import InputError, TrainingError
from netbuild.graph.graph import results
from netbuild.graph.value import Value

if TYPE_CHECKING:
    from netbuild.components.datasets.dataset import Dataset
    from netbuild.components.datasets.tokens import Vocabulary
    from netbuild.components.layers.sight import Sight
    from netbuild.config.losses import LossTerm
    from netbuild.graph.graph import Graph

#: The next token is the input at the next place.
_NEXT = Repeat(0, 1)


class Speech(NamedTuple):
    """A network that continues texts."""

    source: Text
    #: The token of each number.
    vocabulary: Vocabulary
    #: The number of tokens that the network sees.
    window: int
    #: The number of scores for the next token.
    classes: int
    #: Whether it tells the next token at each place.
    everywhere: bool
    #: Why a window has to be full; empty if a shorter text may begin it.
    full: str

    def numbers(self, prompt: str) -> list[int]:
        """Return the numbers of the tokens of a prompt.

        Raises:
            InputError: the prompt is too short, or has a token that is not known.
        """
        try:
            prompt.encode()
        except UnicodeEncodeError as error:  # bytes of the command line that are no text
            raise InputError("the prompt is not UTF-8 text") from error
        tokens = self.source.parts(prompt)
        unit = self.source.level
        if not tokens:
            raise InputError(f"the prompt is empty: give at least one {unit}")
        if self.full and len(tokens) < self.window:
            said = f"{len(tokens):,} {unit}" + ("" if len(tokens) == 1 else "s")
            raise InputError(f"the prompt has {said}, and {self.full}: give {self.window:,}")
        try:
            return [int(n) for n in self.source.numbers(tokens, "the prompt")]
        except DataError as error:
            raise InputError(str(error)) from error


def speech(graph: Graph, source: Dataset | None) -> Speech:
    """Return how a network continues texts.

    Args:
        graph: the network.
        source: the data with which it was trained.

    Raises:
        TrainingError: it cannot continue a text; the message says why.
    """
    if not isinstance(source, Text):
        data = f"its data is {type(source).__name__}" if source else "it has no data"
        message = f"a prompt needs a network whose data is Text, so that tokens are known: {data}"
        raise TrainingError(message)
    inputs = dict(graph.config.inputs)
    window = next(iter(inputs.values()), None)
    if len(inputs) != 1 or window is None or len(window.shape) != 1 or window.dtype != "int64":
        read = ", ".join(f"{n} ({times(x.shape)} of {x.dtype})" for n, x in inputs.items() if x)
        message = f"a prompt is one input of whole numbers (int64), one a token: it reads {read}"
        raise TrainingError(message)
    (length,) = window.shape
    if not graph.config.losses:
        raise TrainingError("a prompt needs a loss that says which outputs are scores of tokens")
    term = graph.config.losses[0]
    told = objective.of_loss(term, graph.outputs)
    if not isinstance(told, Classes) or told.shape not in {(), (length,)}:
        raise TrainingError(f"a prompt needs scores of the next token: {_told(term, told)}")
    try:
        known = source.known()
    except DataError as error:
        raise TrainingError(f"the run keeps no vocabulary, and {error}") from error
    if len(known) > told.classes:
        message = (
            f"the vocabulary has {len(known):,} tokens, and the network has scores for "
            f"{told.classes:,}"
        )
        raise TrainingError(message)
    full = _full(graph, term, length) if told.shape else _BEHIND.format(length)
    return Speech(source, known, length, told.classes, bool(told.shape), full)


#: Why a window is full if there is one score behind it.
_BEHIND = "the network tells the token behind {:,}"


def _told(term: LossTerm, told: object) -> str:
    """Return what a loss compares with, in place of tokens."""
    name = type(term.loss).__name__
    if not isinstance(told, Classes):
        return f"{name} compares with values"
    return f"{name} compares with classes at {times(told.shape)} places"


def _full(graph: Graph, term: LossTerm, length: int) -> str:
    """Return why the windows of a network with scores at each place have to be full.

    It is empty if no place sees a later one.

    Raises:
        TrainingError: a place surely sees a later one.
    """
    leak = Leak(Flow(graph), Value("", next(iter(graph.config.inputs))), _NEXT)
    outputs = results(graph)
    values = [outputs[name] for name in term.compared(graph.outputs)]
    if rows := leak.layers(*values):
        row = rows[0]
        message = (
            f"a place sees later places in {described(row)}, and the places behind a prompt are "
            f"not written yet: {leak.help(row)}"
        )
        raise TrainingError(message)
    seen = [leak.sights.get(value, frozenset()) for value in values]
    if all(sights is not None and all(map(_is_past, sights)) for sights in seen):
        return ""
    return f"it is unclear whether a place sees later ones of its {length:,}"


def _is_past(sight: Sight) -> bool:
    """Whether each place surely sees no later place."""
    return not sight.loose and sight.stride == 1 and sight.seen(0)[1] <= 0
