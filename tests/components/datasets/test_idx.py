"""IDX files, compressed or not, whole or damaged."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from netbuild.components.datasets.idx import Idx
from netbuild.components.target import Classes
from netbuild.components.tensor import Tensor
from tests.components.datasets.test_arrays import IMAGES, LABELS, TEN
from tests.components.datasets.test_datasets import loaded, refusal

if TYPE_CHECKING:
    from pathlib import Path


_CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(array: np.ndarray[Any, Any]) -> bytes:
    """Return the bytes of an IDX file."""
    header = struct.pack(
        f">BBBB{array.ndim}I", 0, 0, _CODES[array.dtype.str[1:]], array.ndim, *array.shape
    )
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def idx_folder(folder: Path, *, ending: str = "", images: Any = IMAGES, labels: Any = None) -> Idx:
    """Write four IDX files, compressed or not, and return the source that reads them."""
    labels = LABELS.astype("uint8") if labels is None else labels
    for part, some in (("train", slice(None)), ("t10k", slice(0, 2))):
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            contents = idx(array[some])
            contents = gzip.compress(contents) if ending else contents
            (folder / f"{part}-{name}-ubyte{ending}").write_bytes(contents)
    return Idx(folder=str(folder))


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx(tmp_path: Path, ending: str) -> None:
    """Images 1×H×W from 0 to 1, and classes; the split test is that of t10k."""
    source = idx_folder(tmp_path, ending=ending)
    assert source.sample(TEN) == ((Tensor((1, 5, 4)),), {"target": Classes(3)})
    assert source.size == 6
    x, y = loaded(source, TEN)
    assert np.array_equal(x, IMAGES[:, None].astype("float32") / 255)
    assert np.array_equal(y, LABELS)
    assert loaded(source, TEN, "test")[1].tolist() == [0, 1]


@pytest.mark.parametrize("dtype", _CODES)
def test_idx_dtypes(tmp_path: Path, dtype: str) -> None:
    """Every dtype of the format is read; only bytes are brought to 0 to 1."""
    images = (IMAGES % 100).astype(dtype)
    labels = LABELS.astype(dtype if dtype[0] != "f" else "i4")
    x, y = loaded(idx_folder(tmp_path, images=images, labels=labels), TEN)
    assert np.allclose(x[:, 0], images / (255 if dtype == "u1" else 1))
    assert np.array_equal(y, LABELS)


def test_idx_classes(tmp_path: Path) -> None:
    """Those of the split that trains count, or those that are given."""
    source = idx_folder(tmp_path)
    labels = np.array([1, 7], "uint8")
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(labels))
    name = "t10k-labels-idx1-ubyte"
    message = f"{name} is 7 at index 1, and there are 3 classes, 0 to 2"
    assert refusal(source, TEN, "test") == (message, "target", None)
    source = Idx(folder=source.folder, classes=10)
    assert source.sample(TEN).target == Classes(10)
    assert loaded(source, TEN, "test")[1].tolist() == [1, 7]
    source = Idx(folder=source.folder, classes=2)
    message = "train-labels-idx1-ubyte is 2 at index 2, and there are 2 classes, 0 to 1"
    assert refusal(source, TEN) == (message, "target", None)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_truncated(tmp_path: Path, ending: str) -> None:
    """A file that is shorter than its header says is refused."""
    source = idx_folder(tmp_path, ending=ending)
    file = tmp_path / f"train-images-idx3-ubyte{ending}"
    short = idx(IMAGES)[:-7]
    file.write_bytes(gzip.compress(short) if ending else short)
    message = f"{file} is damaged: it ends after 113 of 120 bytes"
    assert refusal(source, TEN) == (message, None, None)
    file.write_bytes(gzip.compress(short)[:-20] if ending else short[:9])
    message, *_ = refusal(source, TEN)
    assert message.startswith(f"{file} is damaged: ")


def test_idx_refused(tmp_path: Path) -> None:
    """No folder, no file, another file, another length, no such split."""
    source = Idx(folder=str(tmp_path / "no"))
    assert (source.size, source.sample(TEN)) == (None, ((None,), {"target": None}))
    assert refusal(source, TEN) == (f"there is no folder {tmp_path}/no", "folder", None)
    source = Idx(folder=str(tmp_path))
    name = "train-images-idx3-ubyte"
    message = f"{tmp_path} has no file {name}, nor {name}.gz"
    assert refusal(source, TEN) == (message, "folder", None)
    (tmp_path / name).write_bytes(b"PNG, perhaps")
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS.astype("uint8")))
    assert refusal(source, TEN) == (f"{tmp_path}/{name} is not an IDX file", None, None)
    (tmp_path / name).write_bytes(idx(IMAGES[1:]))
    message = f"{name} has 5 samples, and train-labels-idx1-ubyte has 6"
    assert refusal(source, TEN) == (message, "folder", None)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    assert refusal(source, TEN) == (f"{tmp_path}/{name} cannot be read: Is a directory", None, None)
    message = "Idx has no split dev of its own"
    assert refusal(source, TEN, "dev")[0] == message
