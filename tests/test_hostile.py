"""A hostile file gives a fault: quickly, with little memory, and without a traceback."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import ROOT
from tests.quick import thinned

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Netbuild

HEAD = "input: [8]\nlayers:\n"
ALIASES = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(20)
)

LIST = f"[{', '.join(['1'] * 40_000)}]"

HOSTILE: dict[str, tuple[bytes, str]] = {
    "python object": (b"input: !!python/object/apply:os.system ['true']\n", "NB004"),
    "python module": (b"!!python/module:os\n", "NB004"),
    "aliases that explode": (ALIASES.encode(), "NB007"),
    "aliases in layers": ((ALIASES + HEAD + "  - *u\n").encode(), "NB007"),
    "many aliases": (b"a: &a 1\nb: [" + b"*a," * 5000 + b"]\n", "NB007"),
    "repeats": ((HEAD + "  - {ReLU, repeat: 1000000000}\n").encode(), "NB209"),
    "repeats of a stack": (
        (HEAD + "  - {layers: [{layers: [ReLU], repeat: 100000}], repeat: 100000}\n").encode(),
        "NB209",
    ),
    "repeats of a block within itself": (
        b"input: [8]\nblocks: {B: {layers: [{B, repeat: 200000}]}}\nlayers: [B]\n",
        "NB214",
    ),
    "repeats of a stack without its output": (
        (HEAD + "  - {layers: [ReLU], outputs: zz, repeat: 100000}\n").encode(),
        "NB213",
    ),
    "repeats of a block with a fault": (
        b"input: [8]\nblocks: {B: 1}\nlayers: [{B, repeat: 10000000}]\n",
        "NB108",
    ),
    "repeats of a Reuse": (
        (HEAD + "  a: ReLU\n  b: {Reuse: c, repeat: 99999}\n").encode(),
        "NB213",
    ),
    "ignore comments": (
        (HEAD + "  - Zebra  # netbuild: ignore[NB301]\n" * 5000).encode(),
        "NB103",
    ),
    "variables that wait for one another": (
        b"input: [8]\nvars:\n" + b"".join(b"  v%d: $v%d\n" % (i, i + 1) for i in range(20_000)),
        "NB110",
    ),
    "a circle of layers": (
        (
            HEAD
            + "".join(f"  n{i}: {{ReLU, inputs: n{i + 1}}}\n" for i in range(5000))
            + "  n5000: {ReLU, inputs: n0}\n"
        ).encode(),
        "NB216",
    ),
    "repeats of a fault": (
        (HEAD + "  - {layers: [{layers: [Zebra], repeat: 100000}], repeat: 100000}\n").encode(),
        "NB103",
    ),
    "repeats of nothing": (
        (HEAD + "  - {layers: [{layers: [3], repeat: 100000}], repeat: 100000}\n").encode(),
        "NB108",
    ),
    "deep lists": (b"a: " + b"[" * 10_000 + b"]" * 10_000, "NB007"),
    "deep dashes": (b"- " * 10_000 + b"a\n", "NB007"),
    "deep mappings": (b"".join(b" " * i + b"a:\n" for i in range(1400)), "NB007"),
    "deep flow mappings": (b"{a: " * 10_000, "NB007"),
    "a megabyte of brackets": (b"[" * 1_000_000, "NB007"),
    "a megabyte of entries": (b"[" + b"1," * 520_000 + b"]", "NB007"),
    "24,000 keys": (b"".join(b"k%d: 1\n" % i for i in range(24_000)), "NB101"),
    "24,000 fields": (
        HEAD.encode() + b"  - Conv2d:\n" + b"".join(b"      k%d: 1\n" % i for i in range(24_000)),
        "NB104",
    ),
    "24,000 variables": (
        b"vars:\n" + b"".join(b"  %d: 1\n" % i for i in range(24_000)),
        "NB109",
    ),
    "a megabyte of duplicates": (b"input: 1\n" * 45_000, "NB003"),
    "a megabyte in one word": (b"input: [8]\nlayers: [" + b"A" * 1_000_000 + b"]\n", "NB103"),
    "many thousand faults": (
        HEAD.encode() + b"".join(b"  - Zebra%d: 1\n" % i for i in range(16_000)),
        "NB103",
    ),
    "a megabyte of dollars": (b"input: [8]\nname: " + b"$a" * 400_000 + b"\n", "NB110"),
    "not UTF-8": (bytes(range(128, 256)) * 10, "NB001"),
    "UTF-16": ("input: [8]\n".encode("utf-16"), "NB001"),
    "zeros": (b"\0" * 1000, "NB002"),
    "a power of a power": ((HEAD + "  - Linear: $(9**9**9)\n").encode(), "NB110"),
    "a long sum": (f"input: [8]\nname: $({'1+' * 5000}1)\n".encode(), "NB110"),
    "a doubling text": (
        b"vars:\n  a: xxxxxxxxxx\n"
        + b"".join(b"  %c: $%c$%c\n" % (98 + i, 97 + i, 97 + i) for i in range(24)),
        "NB110",
    ),
    "a long list for each layer": (
        (HEAD + f"  - {{Permute: {{dims: {LIST}}}, repeat: 4000}}\n").encode(),
        "NB209",
    ),
    "a long list for each block": (
        f"input: [8]\nvars: {{v: {LIST}}}\nblocks:\n  B: {{params: {{p}}, layers: [ReLU]}}\n"
        "layers:\n  - {B: $v, repeat: 4000}\n".encode(),
        "NB209",
    ),
    "many variables of many blocks": (
        f"input: [8]\nvars: {{{', '.join(f'v{i}: {i}' for i in range(12_000))}}}\nblocks:\n"
        "  B: {params: {p: 8}, layers: [Linear: $p]}\n"
        "layers:\n  - {B: $v8, repeat: 2000}\n  - Linear: 0\n".encode(),
        "NB106",
    ),
    "deep parentheses": (f"input: [8]\nname: $({'(' * 240}1{')' * 240})\n".encode(), "NB110"),
    "many nots": (f"input: [8]\nname: $({'not ' * 120}1)\n".encode(), "NB110"),
    "an attribute": (b"input: [8]\nname: $(in_shape.__class__)\n", "NB110"),
    "a huge size": ((HEAD + "  - Linear: 99999999999999999999\n").encode(), "NB008"),
    "a size of 31 bits": ((HEAD + "  - Linear: 3000000000\n").encode(), "NB106"),
    "a number of 900,000 digits": (b"name: " + b"9" * 900_000 + b"\n", "NB008"),
}


def capped() -> None:
    """Limit the address space of the process to 1 GiB."""
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))


#: These take longest; the full run tries them.
LONGEST = (
    *("a megabyte of dollars", "a megabyte of duplicates", "many thousand faults"),
    *("a megabyte of variables", "a megabyte of fields", "a megabyte of keys"),
    *("a circle of layers", "repeats of a stack", "variables that wait for one another"),
)


@pytest.mark.parametrize(
    "name", thinned(list(HOSTILE), [name for name in [*HOSTILE][::3] if name not in LONGEST])
)
def test_hostile(name: str, tmp_path: Path) -> None:
    """A hostile file is a fault, exit code 1, at the first sign, with a short report."""
    data, code = HOSTILE[name]
    path = tmp_path / "hostile.yaml"
    path.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-m", "netbuild", "validate", str(path), "--format", "concise"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
        preexec_fn=capped,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert not done.stderr
    assert f"error[{code}]" in done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) <= 101
    assert all(len(line) < 1000 for line in lines)


def test_a_file_of_100_megabytes(tmp_path: Path, netbuild: Netbuild) -> None:
    """Of a file of 100 MB no more than the limit is read."""
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    done = netbuild("validate", path, "--format", "concise")
    assert done.returncode == 1
    assert "NB007" in done.stdout


@pytest.mark.parametrize("command", ["validate", "summary", "train"])
def test_a_file_that_is_not_there(command: str, tmp_path: Path, netbuild: Netbuild) -> None:
    """A missing file is one sentence and exit code 2."""
    done = netbuild(command, tmp_path / "missing.yaml")
    assert done.returncode == 2
    assert done.stderr.endswith("missing.yaml cannot be read: No such file or directory\n")


def test_summary_of_the_largest_network(tmp_path: Path, netbuild: Netbuild) -> None:
    """A network of as many layers as are allowed is summarised."""
    path = tmp_path / "large.yaml"
    path.write_text("input: [8]\nlayers:\n  - {ReLU, repeat: 5000}\n", encoding="utf-8")
    done = netbuild("summary", path, "--format", "csv")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 5_001
