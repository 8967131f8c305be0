"""The errors of sources that cannot give their samples."""

from collections.abc import Sequence


class DataError(Exception):
    """A source cannot give its samples. The message is a sentence; `at` is the field at fault.

    `sample` is the name of the only sample that cannot be read, such as a damaged image.
    """

    def __init__(
        self, message: str, at: str | None = None, help_: str | None = None, *, sample: str = ""
    ) -> None:
        super().__init__(message)
        self.at, self.help, self.sample = at, help_, sample


def together(errors: Sequence[DataError]) -> DataError:
    """Return one error that names all samples that cannot be read."""
    first, *others = errors
    if not others:
        return first
    *names, last = dict.fromkeys(error.sample for error in errors)
    message = f"{len(errors)} samples cannot be read: {', '.join(names)} and {last}; {first}"
    return DataError(message)


def bare(error: DataError) -> DataError:
    """Return the error of a sample without its traceback, whose frames hold the file open."""
    return DataError(str(error), sample=error.sample)
