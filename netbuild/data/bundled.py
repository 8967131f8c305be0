"""Real data that comes with scikit-learn."""

from netbuild.data.dataset import Arrays, Classes, Dataset, Sample
from netbuild.layers.layer import Tensor


class Digits(Dataset):
    """1,797 handwritten digits as grey images, 1×8×8, from 0 (paper) to 1 (ink); 10 classes.

    Alpaydin and Kaynak 1998, as scikit-learn ships them: those of 13 writers, scanned at 32×32 and
    counted down to 8×8.
    """

    @property
    def size(self) -> int:
        return 1797

    def sample(self, wanted: Sample) -> Sample:
        return Sample((Tensor((1, 8, 8)),), Classes(10))

    def load(self, wanted: Sample) -> Arrays:
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = digits.images[:, None].astype("float32") / 16  # (1797, 1, 8, 8)
        return (images,), digits.target.astype("int64")
