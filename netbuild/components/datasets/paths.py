"""The paths of data sources. Nothing at a path is no fault before training; a wrong thing is."""

from netbuild.components.datasets.dataset import DataError
from netbuild.components.files import kind


def has_file(path: str, field: str = "file") -> bool:
    """Whether there is a file.

    Raises:
        DataError: it is something else, or the path cannot be followed.
    """
    found = _kind(path, field)
    if found == "folder":
        raise DataError(f"{path} is a folder, not a file", field)
    return found is not None


def has_folder(path: str, field: str = "folder") -> bool:
    """Whether there is a folder.

    Raises:
        DataError: as `has_file`.
    """
    found = _kind(path, field)
    if found == "file":
        raise DataError(f"{path} is a file, not a folder", field)
    return found is not None


def has_any(path: str, field: str) -> bool:
    """Whether there is a file or a folder.

    Raises:
        DataError: as `has_file`.
    """
    return _kind(path, field) is not None


def _kind(path: str, field: str) -> str | None:
    try:
        return kind(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", field) from error
