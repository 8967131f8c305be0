"""What a run's network says of its validation samples, as far as a page shows it."""

from __future__ import annotations

from typing import NamedTuple


class Picture(NamedTuple):
    """The pixels of a picture, in rows from the top: grey, RGB or RGBA bytes, by its channels."""

    width: int
    height: int
    channels: int
    pixels: bytes


class Example(NamedTuple):
    """A sample: its pictures with their captions, or a text, and what the network says of it."""

    pictures: tuple[tuple[str, Picture], ...] = ()
    text: str = ""
    #: What is true, what the network says, and how sure it is of it; "" without.
    true: str = ""
    said: str = ""
    share: float | None = None


class Scatter(NamedTuple):
    """True and predicted values of one output, at most some hundred pairs."""

    name: str
    pairs: tuple[tuple[float, float], ...]


class Course(NamedTuple):
    """A series: its true values, and the predicted ones, each at its step."""

    name: str
    past: tuple[float, ...]
    true: tuple[float, ...]
    said: tuple[float, ...]


class Sequence(NamedTuple):
    """A sequence of classes: at each place the true one and the one that the network says."""

    places: tuple[tuple[str, str], ...]


class Review(NamedTuple):
    """What a run's network says of its validation samples. Parts that do not fit are empty."""

    #: Why there is less than the whole; "" if nothing is missing.
    note: str = ""
    samples: int = 0
    classes: tuple[str, ...] = ()
    #: The number of samples, or of places, by true class and by predicted class.
    confusion: tuple[tuple[int, ...], ...] = ()
    #: The heading of the examples, and the examples, the worst first.
    heading: str = ""
    #: The colour of each class in masks, as in CSS; empty without masks.
    colours: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    scatters: tuple[Scatter, ...] = ()
    courses: tuple[Course, ...] = ()
    sequences: tuple[Sequence, ...] = ()
