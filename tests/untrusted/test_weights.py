"""Hostile files of weights and checkpoints; `python -m tests.untrusted.weights` reads many more."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from netbuild.components.datasets.array_files import read_arrays
from netbuild.components.datasets.dataset import DataError
from netbuild.components.safetensors import MAX_BRACKETS, SIZES, read_header
from netbuild.diagnostics.exceptions import WeightsError
from netbuild.runs import archive as reader
from netbuild.runs.archive import read_saved
from netbuild.runs.pickled import Machine
from netbuild.runs.plain import MAX_DEPTH, check_plain
from netbuild.runs.position import Position
from netbuild.runs.stored import DTYPES
from netbuild.runs.weights import read_shapes, read_tensors
from tests.processes import forkserver
from tests.untrusted import weights
from tests.untrusted.files import (
    END,
    HEADERS,
    PICKLES,
    START,
    archive,
    before_1_6,
    state_dict,
    tensor,
    text,
)
from tests.untrusted.mutants import originals

if TYPE_CHECKING:
    from pathlib import Path


def read_all() -> dict[tuple[str, str], weights.Outcome]:
    """Read every hostile file in this process, whose memory is limited."""
    found = {}
    with weights.bounded() as place:
        for name, (make, _) in {**PICKLES, **HEADERS}.items():
            data = make()
            found[name, "weights"] = weights.measured(place.weights, data)
            found[name, "state"] = weights.measured(place.state, data)
    return found


@pytest.fixture(scope="module")
def outcomes() -> dict[tuple[str, str], weights.Outcome]:
    """Return what became of the hostile files, in a process of their own."""
    with forkserver().Pool(1) as pool:
        found: dict[tuple[str, str], weights.Outcome] = pool.apply(read_all)
    return found


@pytest.mark.parametrize("name", [*PICKLES, *HEADERS])
def test_a_hostile_file_is_refused(
    name: str, outcomes: dict[tuple[str, str], weights.Outcome]
) -> None:
    """`validate` and `train` refuse it alike, at once and with little memory, and say why."""
    _, says = {**PICKLES, **HEADERS}[name]
    for used in ("weights", "state"):
        found = outcomes[name, used]
        assert found.result == "refused", found
        # Ten times the limit of the long run: the machine that runs the tests may be busy.
        assert found.seconds <= 10 * weights.SECONDS
        assert found.grown <= weights.BYTES
    assert says in outcomes[name, "weights"].said


def test_mutants_are_read_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """No mutant ends in a traceback, takes more than a second, or much memory."""
    assert weights.main(["--cases", "400", "--jobs", "1"]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == "seed 0: 400 cases, tracebacks 0, over 1 s 0, over 500 MB 0"


def test_a_broken_reader_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case that raises, or takes long, is a failure."""

    def broken(_: bytes) -> tuple[str, str]:
        raise KeyError("x")

    def slow(_: bytes) -> tuple[str, str]:
        while True:
            pass

    monkeypatch.setattr(weights, "STOP", 0.1)
    monkeypatch.setattr(weights, "SECONDS", 0.05)
    weights.signal.signal(weights.signal.SIGVTALRM, weights._stopped)
    cases = [
        weights.Case(0, "pth", "bytes", weights.measured(read, b"")) for read in (broken, slow)
    ]
    found = weights.failures(cases)
    assert [len(ones) for ones in found.values()] == [2, 1, 0]
    assert "KeyError" in cases[0].outcome.said


@pytest.mark.parametrize("kind", ["pth", "parameters", "old pth", "safetensors"])
def test_the_originals_are_read(tmp_path: Path, kind: str) -> None:
    """The files that the mutants are made of are whole."""
    (tmp_path / "weights").write_bytes(originals()[kind])
    assert read_shapes(tmp_path / "weights")["0.weight"] == (2, 1, 3, 3)


@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_every_kind_of_tensor_is_read(tmp_path: Path) -> None:
    """Each dtype, and views, empty tensors, scalars and shared storages, in each format."""
    dtypes = {str(d): d for d in vars(torch).values() if isinstance(d, torch.dtype)}
    kept = {
        name: torch.zeros(2, 3, dtype=torch.uint8).to(dtype)
        for name, dtype in dtypes.items()
        if name.rpartition(".")[2] in DTYPES
    }
    assert len(kept) >= 15
    base = torch.arange(24.0).reshape(2, 3, 4)
    views = {"t": base.mT, "part": base[:, 1:, ::2], "empty": base[:0], "scalar": base.sum()}
    expanded = {"expanded": base[:1].expand(5, 3, 4), "again": base}
    for old in (False, True):
        for tensors in (kept, views | expanded):
            file = tmp_path / "weights.pth"
            torch.save(tensors, file, _use_new_zipfile_serialization=not old)
            assert read_shapes(file) == {name: tuple(t.shape) for name, t in tensors.items()}


def test_every_dtype_of_safetensors_is_read(tmp_path: Path) -> None:
    """The names and sizes of dtypes are those of the library."""
    found = set()
    for dtype in {d for d in vars(torch).values() if isinstance(d, torch.dtype)}:
        file = tmp_path / "weights.safetensors"
        try:
            save_file({"a": torch.zeros(2, 4, dtype=torch.uint8).to(dtype)}, file)
        except (KeyError, ValueError, RuntimeError, NotImplementedError):
            continue
        with file.open("rb") as opened:
            described = read_header(opened)["a"]
        assert described.shape == (2, 4)
        assert SIZES[described.dtype] == dtype.itemsize
        found.add(described.dtype)
    assert found >= {"F32", "F16", "BF16", "I64", "BOOL", "U8"}


def test_the_limit_grows_with_the_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of many tensors has many members, and may have many opcodes."""
    monkeypatch.setattr(reader, "MAX_OPCODES", 1)
    tensors = b"".join(text(f"{n}") + tensor(key=f"{n}") for n in range(300))
    records = {f"data/{n}": bytes(16) for n in range(300)}
    saved = read_saved(io.BytesIO(archive(START + b"}(" + tensors + b"u" + END, records)))
    assert len(saved) == 300


def test_a_file_of_python_2_is_read(tmp_path: Path) -> None:
    """Python 2 wrote an OrderedDict as a list of lists, and short strings in ASCII."""
    pair = b"](U\x080.weight" + tensor(view=b"N") + b"e"
    pickle = START + b"ccollections\nOrderedDict\n](" + pair + b"e\x85R" + END
    (tmp_path / "weights").write_bytes(before_1_6(pickle))
    assert read_shapes(tmp_path / "weights") == {"0.weight": (4,)}
    assert read_tensors(tmp_path / "weights")["0.weight"].tolist() == [0, 0, 0, 0]


def test_a_long_header_is_read(tmp_path: Path) -> None:
    """A file of 10,000 tensors is no attack."""
    assert MAX_BRACKETS > 3 * 10_000
    tensors = {f"layers.{n}.weight": torch.zeros(1) for n in range(10_000)}
    save_file(tensors, tmp_path / "weights")
    assert len(read_shapes(tmp_path / "weights")) == 10_000


def test_a_state_is_plain() -> None:
    """A value may stand in several places, but not within itself, and not too deep."""
    shared = [1, "a", None, 0.5, True]
    check_plain({"a": shared, "b": (shared, {"c": shared})})
    circle: list[Any] = []
    circle.append([circle])
    deep: Any = ()
    for _ in range(MAX_DEPTH):
        deep = (deep, deep)
    for refused, why in ((circle, "within itself"), (deep, "in one another"), (print, "a value")):
        with pytest.raises(WeightsError, match=why):
            check_plain({"a": refused})


def test_a_state_repeats_no_values() -> None:
    """A tensor of a state has its values in the file: none of 4 PB is made of one value."""
    repeated = tensor(size=b"J\x00\x00\x00\x40J\x00\x00\x10\x00\x86", stride=b"K\x00K\x00\x86")
    saved = read_saved(io.BytesIO(archive(state_dict(repeated))))
    assert saved["0.weight"].shape == (1 << 30, 1 << 20)
    with pytest.raises(WeightsError, match="repeats its values"):
        check_plain(saved)


def test_many_opcodes_are_too_many() -> None:
    """A call counts as several opcodes: it takes longer, by the axes of a tensor."""
    for repeated, count in ((b"N", 990), (b"ccollections\nOrderedDict\n)R", 90)):
        pickles = [START + b"(" + repeated * n + b"t" + END for n in (count, count + 50)]
        assert Machine(io.BytesIO(pickles[0]), 1000).load()
        with pytest.raises(WeightsError, match="more opcodes than the 1,000"):
            Machine(io.BytesIO(pickles[1]), 1000).load()


POSITION = {"epoch": 2, "step": 1, "total": 7, "seconds": 0.5, "best": float("inf")}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"epoch": -1}, "epoch is "),
        ({"total": 1 << 60}, "total is "),
        ({"step": 1.0}, "step is "),
        ({"step": True}, "step is "),
        ({"seconds": float("nan")}, "seconds is "),
        ({"spent": float("inf")}, "spent is "),
        ({"seconds": "1"}, "seconds is "),
        ({"waited": None}, "waited is "),
        ({"more": 1}, "no position"),
    ],
)
def test_a_position_that_no_training_reaches(changed: dict[str, Any], why: str) -> None:
    """A position of another kind, or out of reach, is refused."""
    assert Position.read(POSITION).total == 7
    with pytest.raises(ValueError, match=why):
        Position.read(POSITION | changed)
    for other in (None, [], {"epoch": 1}):
        with pytest.raises(ValueError, match="no position"):
            Position.read(other)


@pytest.mark.parametrize("name", HEADERS)
def test_data_with_such_a_header_is_refused(tmp_path: Path, name: str) -> None:
    """Arrays for training are read by the same reader."""
    make, says = HEADERS[name]
    (tmp_path / "data.safetensors").write_bytes(make())
    with pytest.raises(DataError, match="is damaged") as refused:
        read_arrays(tmp_path / "data.safetensors")
    assert says[:40] in str(refused.value)
