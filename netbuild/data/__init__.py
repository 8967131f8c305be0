"""Data sources by their type, and what stands beside it in `data:`."""

from typing import Annotated

from pydantic_core import core_schema

from netbuild.component import Component, Families
from netbuild.data.dataset import Dataset
from netbuild.fields import Wants, optional, real, whole

DATASETS: Families[Dataset] = Families(Dataset, __name__, ("bundled", "synthetic"))

_HeightWidth = Annotated[
    tuple[int, int] | None,
    Wants(
        "a list of two whole numbers of at least 1, height and width",
        optional(core_schema.tuple_schema([whole(1), whole(1)])),
    ),
]
_Fraction = Annotated[float, Wants("a number between 0 and 1, the part held out", real(gt=0, lt=1))]


class Preparation(Component):
    """What is done with a source's samples: `{Digits, resize: [28, 28], validation: 0.2}`."""

    resize: _HeightWidth = None
    validation: _Fraction = 0.2

    def held_out(self, samples: int) -> int:
        """Return how many of a source's samples are kept for validation."""
        return round(samples * self.validation)
