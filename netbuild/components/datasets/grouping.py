"""Columns that group the samples of a source: all visits of a patient, all photos of a place."""

from collections.abc import Collection

from netbuild.components.datasets.dataset import DataError


def expect_group(
    column: str, names: Collection[str], read: Collection[str], what: str, help_: str | None = None
) -> None:
    """Refuse a column that is absent, or that the network reads: it would learn the groups.

    Raises:
        DataError: names the column.
    """
    if column not in names:
        raise DataError(f"{what} has no {column} to group by", help_=help_)
    if column in read:
        message = f"{column} groups the samples, and the network reads it too"
        raise DataError(message, help_=f"name the inputs without {column}")
