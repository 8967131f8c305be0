"""The names of classes."""

from __future__ import annotations

import re


def class_name(name: str) -> str:
    """Return a name in the form of a Python class: `lenet-5` becomes `Lenet5`."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    joined = "".join(word[0].upper() + word[1:] for word in words)
    return joined if joined.isidentifier() else f"Net{joined}"


def of_path(path: str) -> str:
    """Return the name of a class for the stack at a path: `body.0.1` becomes `BodyBlock`."""
    *around, last = path.split(".")
    if not last[0].isdigit():
        return class_name(last)
    named = next((word for word in reversed(around) if not word[0].isdigit()), "")
    return f"{class_name(named) if named else ''}Block"
