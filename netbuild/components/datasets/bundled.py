"""Real data that is part of scikit-learn."""

from importlib.util import find_spec
from typing import Any, ClassVar

from netbuild.components.datasets.conversion import input_values, target_of, target_values
from netbuild.components.datasets.dataset import Dataset, Declared, Loaded, Sample, Size
from netbuild.components.target import Classes
from netbuild.components.tensor import Tensor


class Digits(Dataset):
    """1,797 handwritten digits as grey images, 1×8×8, from 0 (paper) to 1 (ink); 10 classes.

    The digits of 13 writers, scanned at 32×32 and reduced to 8×8, as scikit-learn ships them.
    Alpaydin and Kaynak 1998.

    data: Digits
    """

    def count(self) -> int:
        return 1797

    def sample(self, wanted: Sample) -> Declared:
        return Declared((Tensor((1, 8, 8)),), {"target": Classes(10)})

    def load(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Loaded:
        self.without_splits(split)
        import numpy as np

        # As in `load_digits`, whose import, with scipy, takes longer than a first epoch.
        table = np.loadtxt(_file("digits.csv.gz"), delimiter=",", dtype="uint8")
        images = table[:, :-1].reshape(-1, 1, 8, 8).astype("float32") / 16
        return (images,), (table[:, -1].astype("int64"),)


def _file(name: str) -> str:
    """Return the path of a file that scikit-learn ships, without importing it.

    Raises:
        ModuleNotFoundError: scikit-learn is not installed.
    """
    found = find_spec("sklearn")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("no scikit-learn", name="sklearn")
    return f"{found.submodule_search_locations[0]}/datasets/data/{name}"


class _BundledTable(Dataset):
    """Measurements of each sample in their original units; `normalize` is useful."""

    _samples: ClassVar[int]
    _features: ClassVar[int]
    #: The names of the classes; None if the target is a value.
    _names: ClassVar[tuple[str, ...] | None] = None

    def count(self) -> int:
        return self._samples

    def sample(self, wanted: Sample) -> Declared:
        stored = Tensor((), "float64" if self._names is None else "int64")
        target = target_of(stored, wanted.target, self._classes)
        return Declared((Tensor((self._features,)),), {"target": target})

    def names(self, target: str = "target", ignored: int | None = None) -> tuple[str, ...] | None:
        return self._names

    @property
    def _classes(self) -> int | None:
        return None if self._names is None else len(self._names)

    def load(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Loaded:
        self.without_splits(split)
        data, target = self._read()
        features = input_values(data, Tensor((self._features,)), "data")
        targets = target_values(target, wanted.target, self._classes, "target")
        return (features,), (targets,)

    def _read(self) -> Any:
        """Return scikit-learn's features and target."""
        raise TypeError(f"{type(self).__name__} does not read its samples")


class Iris(_BundledTable):
    """150 iris flowers with 4 lengths in centimetres; the classes are 3 species.

    The measurements are length and width of sepal and petal. Fisher 1936, as scikit-learn ships
    them.

    data: Iris
    """

    _samples, _features = 150, 4
    _names = ("setosa", "versicolor", "virginica")

    def _read(self) -> Any:
        from sklearn.datasets import load_iris

        return load_iris(return_X_y=True)


class Wine(_BundledTable):
    """178 wines with 13 measurements of a chemical analysis; the classes are 3 cultivars.

    Each measurement has its own scale; the largest value is 1,680. Aeberhard and Forina 1991, as
    scikit-learn ships them.

    data: Wine
    """

    _samples, _features = 178, 13
    _names = ("class_0", "class_1", "class_2")

    def _read(self) -> Any:
        from sklearn.datasets import load_wine

        return load_wine(return_X_y=True)


class BreastCancer(_BundledTable):
    """569 tumours, malignant (class 0) or benign (class 1), with 30 features of their cell nuclei.

    The features are the mean, error and extreme of 10 measurements. Each has its own scale; the
    largest value is 4,254. A loss that compares one value gets the class as 0 or 1, or as −1 or 1.
    Wolberg, Street and Mangasarian 1995, as scikit-learn ships them.

    data: BreastCancer
    """

    _samples, _features = 569, 30
    _names = ("malignant", "benign")

    def _read(self) -> Any:
        from sklearn.datasets import load_breast_cancer

        return load_breast_cancer(return_X_y=True)


class Diabetes(_BundledTable):
    """442 patients with 10 measurements; the target, 25 to 346, is their diabetes a year later.

    The measurements are age, sex, body mass index, blood pressure and six values of the blood, not
    scaled. scikit-learn also ships scaled measurements; these would reveal statistics of the
    held-out samples. Efron, Hastie, Johnstone and Tibshirani 2004.

    data: Diabetes
    """

    _samples, _features = 442, 10

    def _read(self) -> Any:
        from sklearn.datasets import load_diabetes

        return load_diabetes(return_X_y=True, scaled=False)
