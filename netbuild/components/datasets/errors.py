"""The errors of sources that cannot give their samples."""

from collections.abc import Sequence


class DataError(Exception):
    """A source cannot give its samples. The message is a sentence; `at` is the field at fault.

    `sample` is the name of a sample that cannot be read, such as a damaged image, or that is
    `unfit`: it can be read, and not be used.
    """

    def __init__(
        self,
        message: str,
        at: str | None = None,
        help_: str | None = None,
        *,
        sample: str = "",
        unfit: bool = False,
    ) -> None:
        super().__init__(message)
        self.at, self.help, self.sample, self.unfit = at, help_, sample, unfit

    @property
    def unreadable(self) -> bool:
        """Whether a sample cannot be read, so that it may be left out."""
        return bool(self.sample) and not self.unfit


#: The most samples that a message names.
_MOST_NAMES = 10


def together(errors: Sequence[DataError]) -> DataError:
    """Return one error that names all samples that cannot be read or used."""
    first, *others = errors
    if not others:
        return first
    names = [*dict.fromkeys(error.sample for error in errors)]
    left = len(names) - _MOST_NAMES
    *most, last = [*names[:_MOST_NAMES], f"{left:,} more"] if left > 0 else names
    unfit = any(error.unfit for error in errors)
    said = f"{len(errors):,} samples cannot be {'used' if unfit else 'read'}"
    message = f"{said}: {', '.join(most)} and {last}; {first}"
    return DataError(message, first.at, first.help, sample=first.sample, unfit=unfit)


def bare(error: DataError) -> DataError:
    """Return the error of a sample without its traceback, whose frames hold the file open."""
    return DataError(str(error), error.at, error.help, sample=error.sample, unfit=error.unfit)
