"""Data sources by their type, and what stands beside it in `data:`."""

from netbuild.component import Families
from netbuild.data.dataset import Dataset
from netbuild.data.preparation import Preparation

__all__ = ["DATASETS", "Preparation"]

DATASETS: Families[Dataset] = Families(
    Dataset,
    __name__,
    ("bundled", "arrays", "idx", "images", "hub", "delimited", "text", "synthetic"),
)
