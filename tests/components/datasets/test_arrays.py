"""Arrays in files: `.npz`, `.npy` and safetensors, compressed or not, damaged or not."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from netbuild.components.datasets.array_files import read_arrays
from netbuild.components.datasets.arrays import Arrays
from netbuild.components.datasets.dataset import DataError, Sample
from netbuild.components.target import Classes, Labels, Signs, Values
from netbuild.components.tensor import Tensor
from tests.components.datasets.test_datasets import loaded, refusal, wanted

if TYPE_CHECKING:
    from pathlib import Path

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (6, 5, 4), "uint8")
LABELS = np.array([0, 1, 2, 2, 1, 0])
TEN = wanted(1, 5, 4, target=Classes(10))


def written(folder: Path, kind: str, **arrays: np.ndarray[Any, Any]) -> Arrays:
    """Write arrays as a kind of file, and return the source that reads them."""
    file = folder / f"data.{kind}"
    if kind == "npz":
        np.savez(file, **arrays)
    elif kind == "compressed":
        np.savez_compressed(file.with_suffix(".npz"), **arrays)
        file = file.with_suffix(".npz")
    elif kind == "safetensors":
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, file)
    else:
        file.mkdir()
        for name, array in arrays.items():
            np.save(file / f"{name}.npy", array)
    return Arrays(file=str(file))


@pytest.mark.parametrize("kind", ["npz", "compressed", "safetensors", "npy"])
def test_every_kind(tmp_path: Path, kind: str) -> None:
    """Bytes become 0 to 1 with an axis of channels, whole numbers classes; splits by their name."""
    images = np.asfortranarray(IMAGES)
    test = {"x_test": IMAGES[:2], "y_test": LABELS[:2]}
    source = written(tmp_path, kind, x=images, y=LABELS, **test)
    assert source.sample(TEN) == ((Tensor((1, 5, 4)),), {"target": Classes(3)})
    x, y = loaded(source, TEN)
    assert np.array_equal(x, IMAGES[:, None].astype("float32") / 255)
    assert np.array_equal(y, LABELS)
    x, y = loaded(source, TEN, "test")
    assert (len(x), y.tolist()) == (2, [0, 1])


def test_split_beside_train(tmp_path: Path) -> None:
    """Names as Keras gives them: x_train, and x_test beside it."""
    arrays = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:1], "y_test": LABELS[:1]}
    source = written(tmp_path, "npz", **arrays)
    source = Arrays(file=source.file, inputs=("x_train",), target="y_train")
    assert len(loaded(source, TEN)[1]) == 6
    assert len(loaded(source, TEN, "test")[1]) == 1


#: Labels, of which one is 255, the usual number of places that are no class.
VOID = np.where(np.arange(6) == 1, 255, LABELS).astype("uint8")


@pytest.mark.parametrize(
    ("target", "stored", "given", "values"),
    [
        (Classes(3), LABELS.astype(">i2"), Classes(3), LABELS),
        (Classes(3), LABELS[:, None].astype("uint8"), Classes(3), LABELS),
        (Classes(2), LABELS > 0, Classes(2), LABELS > 0),
        (Values((1,)), LABELS, Values((1,)), LABELS[:, None]),
        (Values(()), LABELS.astype("float64"), Values(()), LABELS),
        (Values((1,)), LABELS > 0, Values((1,)), (LABELS > 0)[:, None]),
        (Signs((1,)), LABELS > 0, Signs((1,)), np.where(LABELS > 0, 1, -1)[:, None]),
        (Signs(()), np.array([1, -1] * 3), Signs(()), [1, -1] * 3),
        (Classes(3), RANDOM.random((6, 3)), Values((3,)), None),
        (Classes(5, (4,)), IMAGES[:, 0] % 5, Classes(5, (4,)), IMAGES[:, 0] % 5),
        (Classes(3, (), 255), VOID, Classes(3), VOID),
        (Classes(3, (), -7), np.where(VOID == 255, -7, LABELS), Classes(3), None),
        (Classes(3, (), 0), VOID, Classes(256), VOID),  # 255 is a class, and 0 is ignored
        (Classes(3, (), -100), np.where(VOID == 255, -100, LABELS), Classes(3), None),
        (Labels(5, 4), IMAGES[:, 0] % 5, Labels(5, 4), IMAGES[:, 0] % 5),
        (Values((5, 4)), IMAGES, Values((5, 4)), IMAGES),
    ],
    ids=str,
)
def test_target(tmp_path: Path, target: Any, stored: Any, given: Any, values: Any) -> None:
    """A target is given as the loss wants it, where that is meant."""
    source = written(tmp_path, "npz", x=IMAGES, y=stored)
    said = source.sample(wanted(1, 5, 4, target=target)).target
    if isinstance(said, Classes | Labels) and stored.dtype == bool:
        assert said.classes == 2
    y = loaded(source, wanted(1, 5, 4, target=target))[1]
    if stored.dtype == bool and isinstance(given, Classes):
        assert said in {None, given}
    else:
        assert said == given
    assert values is None or np.array_equal(y, values)


@pytest.mark.parametrize(
    ("stored", "read", "given"),
    [
        ("float64", "float32", "float32"),
        ("float16", "float32", "float32"),
        ("int64", "float32", "float32"),
        ("bool", "float32", "float32"),
        ("int32", "int64", "int64"),
        ("int64", "int32", "int32"),
        ("uint8", "uint8", "uint8"),
        ("float64", "int64", "float32"),
    ],
)
def test_input(tmp_path: Path, stored: str, read: str, given: str) -> None:
    """Numbers become float32, or the whole numbers that the network reads."""
    source = written(tmp_path, "npz", x=(IMAGES[:, 0] % 2).astype(stored), y=LABELS)
    reads = wanted(4, target=Classes(3), dtype=read)
    assert source.sample(reads).inputs == (Tensor((4,), given),)
    assert np.array_equal(loaded(source, reads)[0], IMAGES[:, 0] % 2)


def test_several_inputs(tmp_path: Path) -> None:
    """Arrays are the inputs of the network in their order."""
    source = written(tmp_path, "safetensors", left=IMAGES, right=LABELS, y=LABELS / 2)
    source = Arrays(file=source.file, inputs=("left", "right"))
    reads = Sample((Tensor((1, 5, 4)), Tensor((), "int64")), {"target": Values(())})
    assert source.sample(reads) == (reads.inputs, reads.targets)
    left, right, y = loaded(source, reads)
    assert left.shape == (6, 1, 5, 4)
    assert np.array_equal(right, LABELS)
    assert np.array_equal(y, LABELS / 2)


@pytest.mark.parametrize(
    ("arrays", "fields", "refused"),
    [
        ({"x": IMAGES}, {}, ("{file} has no array y", "target", "its arrays are x")),
        (
            {"a": IMAGES, "y": LABELS},
            {},
            ("{file} has no array x", "inputs", "its arrays are a, y"),
        ),
        (
            {"x": IMAGES, "y": LABELS[1:]},
            {},
            ("x has 6 samples, and y has 5", None, None),
        ),
        (
            {"x": IMAGES, "y": np.array(3)},
            {},
            ("y is a single number, and axis 0 must count the samples", "target", None),
        ),
        (
            {"x": IMAGES, "y": LABELS},
            {"classes": 2},
            ("y is 2 at index 2, and there are 2 classes, 0 to 1", "target", None),
        ),
        (
            {"x": IMAGES, "y": LABELS - 1},
            {},
            ("y is -1 at index 0, and classes count from 0", "target", None),
        ),
        (
            {"x": np.where(IMAGES[3, 0, 0] == IMAGES, np.nan, 1.0)[3:], "y": LABELS[3:]},
            {},
            ("x is nan at index 0, and a network cannot compute with it", "inputs", None),
        ),
        (
            {"x": IMAGES * 1j, "y": LABELS},
            {},
            ("x holds c16, and must hold numbers", "inputs", None),
        ),
        (
            {"x": IMAGES, "y": np.array(["a"] * 6)},
            {},
            ("y holds U1, and must hold numbers", "target", None),
        ),
    ],
    ids=[
        "no target",
        "no input",
        "lengths",
        "one number",
        "out of range",
        "negative",
        "nan",
        "complex",
        "text",
    ],
)
def test_refused(tmp_path: Path, arrays: Any, fields: Any, refused: Any) -> None:
    """What is wrong with the arrays is said in the words of the file."""
    source = written(tmp_path, "npz", **arrays)
    message, at, help_ = refused
    source = Arrays(file=source.file, **fields)
    assert refusal(source, TEN) == (message.format(file=source.file), at, help_)


def test_numbers_that_are_not_read(tmp_path: Path) -> None:
    """A whole number that the network's dtype cannot hold is refused, and one that is no sign."""
    source = written(tmp_path, "npz", x=LABELS * 200, y=LABELS)
    bytes_ = wanted(target=Classes(3), dtype="uint8")
    message = "x is 400 at index 2, and the network reads uint8"
    assert refusal(source, bytes_) == (message, "inputs", None)
    signs = wanted(target=Signs(()))
    message = "y is 3.0 at index 2, and the loss compares with 1 and −1"
    assert refusal(source, signs) == (message, "target", None)


def test_no_file(tmp_path: Path) -> None:
    """A missing file is nothing to say of a config, and a fault of a training."""
    source = Arrays(file=str(tmp_path / "x.npz"), inputs=("a", "b"))
    assert (source.size, source.sample(TEN)) == (None, ((None, None), {"target": None}))
    assert refusal(source, TEN) == (f"there is no {tmp_path}/x.npz", "file", None)


def test_other_members(tmp_path: Path) -> None:
    """What is not read may be anything."""
    source = written(tmp_path, "npz", x=IMAGES, y=LABELS, names=np.array([{}, "a"], object))
    assert len(loaded(source, TEN)[0]) == 6


@pytest.mark.parametrize("kind", ["npz", "safetensors", "npy"])
def test_truncated(tmp_path: Path, kind: str) -> None:
    """A file that ends early is refused before anything is loaded, with the reason."""
    source = written(tmp_path, kind, x=IMAGES, y=LABELS)
    file = tmp_path / f"data.{kind}"
    file = file / "x.npy" if kind == "npy" else file
    file.write_bytes(file.read_bytes()[:150])
    reason = {
        "npz": "is damaged: File is not a zip file",
        "safetensors": r"is damaged: its data has \d+ bytes instead of 168",
        "npy": "is damaged: it ends after 22 of 120 bytes",
    }[kind]
    with pytest.raises(DataError, match=reason) as error:
        source.sample(TEN)
    assert str(error.value).startswith(str(file))
    assert source.size is None


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"hello, hello", "is not a .npz, .npy or .safetensors file"),
        (b"", "is not a .npz, .npy or .safetensors file"),
        (b"\x93NUMPY\x01\0\xff\xff" + b" " * 99, "is damaged: its header has 65,535 bytes"),
        (b"\x93NUMPY\x01\0\x05\0__i()", "is damaged: malformed node or string"),
        (b"\x05\0\0\0\0\0\0\0{oh}}", "is damaged: its header cannot be read: it is not valid JSON"),
    ],
)
def test_damaged(tmp_path: Path, contents: bytes, reason: str) -> None:
    """Anything else than such a file is refused with the reason."""
    file = tmp_path / "x.npz"
    file.write_bytes(contents)
    message, *_ = refusal(Arrays(file=str(file)), TEN)
    assert message.startswith(f"{file} {reason}")


def test_flipped_byte(tmp_path: Path) -> None:
    """An archive whose sums do not agree is refused."""
    source = written(tmp_path, "npz", x=IMAGES, y=LABELS)
    with zipfile.ZipFile(source.file) as archive:
        offset = archive.getinfo("x.npy").header_offset
    contents = bytearray((tmp_path / "data.npz").read_bytes())
    contents[offset + 230] ^= 1
    (tmp_path / "data.npz").write_bytes(contents)
    message, *_ = refusal(source, TEN)
    assert message == f"{source.file} is damaged: Bad CRC-32 for file 'x.npy'"


COLOUR = RANDOM.integers(0, 256, (6, 3, 5, 4), "uint8")
PICTURE = Values((3, 5, 4))
#: Arrays, the inputs, the target as the loss wants it, and the target that is right.
PICTURES: dict[str, tuple[dict[str, Any], tuple[str, ...], str, Any, Any]] = {
    "the input itself": ({"x": COLOUR}, ("x",), "x", PICTURE, COLOUR / 255),
    "dark in one split": ({"x": COLOUR % 2}, ("x",), "x", PICTURE, (COLOUR % 2) / 255),
    "another picture": ({"x": COLOUR, "y": COLOUR[::-1]}, ("x",), "y", PICTURE, COLOUR[::-1]),
    "of two inputs": ({"a": COLOUR / 1.0, "x": COLOUR}, ("a", "x"), "x", PICTURE, COLOUR / 255),
    "a mask": ({"x": COLOUR, "y": COLOUR % 2}, ("x",), "y", PICTURE, COLOUR % 2),
    "whole numbers": ({"x": COLOUR.astype(int)}, ("x",), "x", PICTURE, COLOUR),
    "an age": ({"x": COLOUR, "y": COLOUR[:, 0, 0, 0]}, ("x",), "y", Values(()), COLOUR[:, 0, 0, 0]),
    "classes": ({"x": COLOUR}, ("x",), "x", Classes(256, (3, 5, 4)), COLOUR),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_as_targets(tmp_path: Path, name: str) -> None:
    """An array of bytes is 0 to 1 as a target if it is 0 to 1 as an input; other targets stay."""
    arrays, inputs, target, wants, right = PICTURES[name]
    source = Arrays(file=written(tmp_path, "npz", **arrays).file, inputs=inputs, target=target)
    needed = Sample((Tensor((3, 5, 4)),) * len(inputs), {"target": wants})
    *_, (y,) = source.load(needed)
    assert y.dtype == ("int64" if isinstance(wants, Classes) else "float32")
    assert np.allclose(y, right, rtol=1e-6)


def test_pictures_of_whole_numbers(tmp_path: Path) -> None:
    """A network that reads whole numbers gets its bytes unscaled, and so does its loss."""
    source = written(tmp_path, "npz", x=COLOUR)
    needed = Sample((Tensor((3, 5, 4), "int64"),), {"target": PICTURE})
    (x,), (y,) = Arrays(file=source.file, target="x").load(needed)
    assert np.array_equal(x, COLOUR)
    assert np.array_equal(y, COLOUR)


def test_an_archive_of_many_members(tmp_path: Path) -> None:
    """A directory with very many entries is refused before all of it is read."""
    for number, said in ((1_001, "more than 1,000 arrays"), (30_000, "more than 1,000,000 bytes")):
        path = tmp_path / f"{number}.npz"
        with zipfile.ZipFile(path, "w") as archive:
            for n in range(number):
                archive.writestr(f"{n}.npy", b"")
        with pytest.raises(DataError, match=said):
            read_arrays(path)
