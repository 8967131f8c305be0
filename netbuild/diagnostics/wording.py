"""Words for messages: articles, shortened texts, and suggestions for misspelt names."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Edit, Fix, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def reason(error: Exception) -> str:
    """Return the reason of an error, in the words of the operating system if it has any."""
    return str(getattr(error, "strerror", None) or error)


def article(noun: str) -> str:
    """Return `a` or `an`."""
    return "an" if noun[0] in "aeiou" else "a"


def brief(text: str, length: int = 40) -> str:
    """Return a text, cut to a length that fits a message."""
    return text if len(text) <= length else text[: length - 1] + "…"


#: The most names of a folder that are compared with the name of a missing file.
_MOST_FILES = 1_000


def similar_path(path: str, folder: Path) -> str | None:
    """Return the path of a file with a similar name, for a file that is missing in a folder.

    Only files below the folder are suggested: a stranger's file learns no other names.
    """
    parts = Path(path).parts
    if not parts or Path(path).is_absolute() or ".." in parts:
        return None
    try:
        if (folder / path).exists():
            return None
        files = [p.name for p in islice((folder / path).parent.iterdir(), _MOST_FILES)]
    except (OSError, ValueError):
        return None
    stem, suffix = Path(path).stem, Path(path).suffix
    alike = sorted(name for name in files if Path(name).suffix == suffix)
    near = suggest(stem, tuple(Path(name).stem for name in alike))
    if near is not None:
        return "/".join((*parts[:-1], near + suffix))
    other = next((name for name in sorted(files) if Path(name).stem == stem), None)
    return None if other is None else "/".join((*parts[:-1], other))


def similar_pattern(
    pattern: str, names: Sequence[str], span: Span
) -> tuple[str | None, tuple[Fix, ...]]:
    """Return the help and the fix for a pattern that matches none of the names of parameters.

    A pattern without wildcards may be a misspelt parameter or layer. Any other pattern gets an
    example of a name.
    """
    layers = dict.fromkeys(name.rpartition(".")[0] for name in names)
    if not any(mark in pattern for mark in "*?["):
        help_, fixes = did_you_mean(pattern, [*names, *filter(None, layers)], span)
        if help_ is not None:
            return help_, fixes
    return (f"names look like {names[0]}" if names else None), ()


@lru_cache(maxsize=1024)
def suggest(word: str, known: tuple[str, ...]) -> str | None:
    """Return the known word that is most similar to a misspelt word, or None.

    A difference of case alone (`Conv2D`) always counts as a misspelling.
    """
    if len(word) > 40:  # difflib is quadratic in the word
        return None
    folded = {name.lower(): name for name in reversed(known)}
    if word.lower() in folded:
        return folded[word.lower()]
    from difflib import get_close_matches

    near = get_close_matches(word.lower(), folded, n=1, cutoff=0.7)
    return folded[near[0]] if near else None


def did_you_mean(
    word: str, known: Iterable[str], span: Span, meant: str | None = None
) -> tuple[str | None, tuple[Fix, ...]]:
    """Return the help and the fix for a misspelt word; (None, ()) if no known word is similar.

    `meant` is the word for it if that is already clear.
    """
    near = meant or suggest(word, tuple(known))
    if near is None:
        return None, ()
    title = f"replace {brief(word)} with {brief(near)}"
    return f"did you mean {near}?", (Fix(title, (Edit(span, near),)),)
