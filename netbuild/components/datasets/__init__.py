"""All data sources that `data:` can name, by type."""

from netbuild.components.component import Families
from netbuild.components.datasets.dataset import Dataset

__all__ = ["DATASETS"]

DATASETS: Families[Dataset] = Families(
    Dataset,
    __name__,
    ("bundled", "arrays", "idx", "images", "hub", "delimited", "text", "synthetic"),
)
