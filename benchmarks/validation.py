"""The time to check a thousand configs, against the time to load them with PyYAML's C loader.

    python -m benchmarks.validation --rounds 5 --files 1000

The configs are variations of the files in `configs/`. All of them are different and without errors.
A variation multiplies all widths by a factor, deepens stages, exchanges activations, norms, pools
and recurrent layers for others of their kind, inserts layers, and changes rates. Files with
`extends` are left out: their text does not contain their base, which has to be read too.

A round has a new process and new configs. The two sides take the texts in turn, a hundred at a
time. The garbage collector is off, as in the commands. Times are processor times. The table has
three lines: all configs; configs that list every layer; and configs with blocks or `repeat`.
netbuild checks each place at which a block is used, and a YAML loader reads the block once.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import random
import re
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph

CONFIGS = Path(__file__).parent.parent / "configs"
GROUP = 100

ACTIVATIONS = ("ReLU", "GELU", "SiLU", "ELU", "Tanh", "LeakyReLU", "Mish", "Hardswish", "Softplus")
#: Types that replace each other, as whole words.
KINDS = (
    ACTIVATIONS,
    ("BatchNorm2d", "InstanceNorm2d", "SwitchableNorm2d"),
    ("MaxPool2d", "AvgPool2d"),
    ("AdaptiveAvgPool2d", "AdaptiveMaxPool2d"),
    ("LSTM", "GRU", "RNN"),
    ("Adam", "AdamW", "NAdam", "RAdam", "SGD", "RMSprop"),
)
#: Layers that can follow any other layer.
ADDED = (*ACTIVATIONS, "Identity", "Dropout: 0.1", "Dropout: 0.3")
#: Sections whose numbers are not widths.
_OTHER_LINES = re.compile(r"^(input|inputs|data|train|loss|optimizer|scheduler)\b|^ *#")
_WIDTH = re.compile(r"(?<![\w.\-×])\d{2,4}(?![\w.×])")
_DEPTH = re.compile(r"((?:repeat|num_layers|depth|layers): |depths: \[)(\d+)")
_RATE = re.compile(r"(?<=lr: )[\d.e-]+")
#: A text with blocks or `repeat`.
_ONCE = re.compile(r"^blocks:|\brepeat:", re.MULTILINE)
_LIST_ITEM = re.compile(r"^( +- )[A-Z].*$", re.MULTILINE)


class Config(NamedTuple):
    """A text, and whether it lists every layer."""

    name: str
    data: bytes
    written_out: bool


class Spent(NamedTuple):
    """The times of some configs, in seconds of the processor."""

    files: int = 0
    layers: int = 0
    ours: float = 0.0
    loader: float = 0.0

    def plus(self, other: Spent) -> Spent:
        """Return the sum of two times."""
        return Spent(*(a + b for a, b in zip(self, other, strict=True)))


def varied(text: str, chance: random.Random) -> str:
    """Return a variation of a config, with other widths, depths, kinds and rates."""
    factor = chance.choice((2, 4, 6, 8, 8, 10, 12, 16))
    lines = [
        line if _OTHER_LINES.match(line) else _WIDTH.sub(lambda n: _scaled(n[0], factor), line)
        for line in text.splitlines()
    ]
    text = "\n".join(lines) + "\n"
    text = _DEPTH.sub(lambda m: f"{m[1]}{int(m[2]) + chance.randrange(3)}", text)
    for kinds in KINDS:
        pattern = r"\b(?:" + "|".join(kinds) + r")\b(?!: \{[^}]*indices)"
        meant = {kind: chance.choice((kind, *kinds)) for kind in kinds}
        text = re.sub(pattern, lambda m, meant=meant: meant[m[0]], text)
    text = _RATE.sub(lambda _: f"{chance.uniform(1e-4, 1e-2):.1e}", text)
    return _LIST_ITEM.sub(lambda m: _longer(m, chance), text)


def _scaled(number: str, factor: int) -> str:
    """Return a width times a factor of eighths. A width that 8 does not divide stays."""
    width = int(number)
    return str(width * factor // 8) if width % 8 == 0 else number


def _longer(item: re.Match[str], chance: random.Random) -> str:
    """Return an item of a list, perhaps with another layer after it."""
    if chance.random() > 0.15:
        return item[0]
    return f"{item[0]}\n{item[1]}{chance.choice(ADDED)}"


def generated(files: int, seed: int) -> list[Config]:
    """Return different configs without errors."""
    chance = random.Random(seed)  # noqa: S311  no secret
    texts = [path.read_text(encoding="utf-8") for path in sorted(CONFIGS.rglob("*.yaml"))]
    bases = [text for text in texts if not re.search(r"^extends:", text, re.MULTILINE)]
    found: dict[str, Config] = {}
    while len(found) < files:
        text = varied(chance.choice(bases), chance)
        config = Config(f"{len(found)}.yaml", text.encode(), not _ONCE.search(text))
        if text not in found and not errors(checked(config).diagnostics):
            found[text] = config
    return list(found.values())


def checked(config: Config) -> Graph:
    """Check a config as `netbuild validate` does, after reading the file."""
    return infer(read(from_bytes(config.name, config.data)))


def loaded(config: Config) -> object:
    """Load a config as a program does that uses its values unchecked."""
    return yaml.load(config.data, yaml.CSafeLoader)


def timed(configs: list[Config]) -> list[Spent]:
    """Return the times of all configs, of configs that list every layer, and of the others."""
    gc.disable()
    checked(configs[0]), loaded(configs[0])  # both import their libraries
    kinds = []
    for written_out in (True, False):
        kind, spent = [c for c in configs if c.written_out == written_out], Spent()
        for start in range(0, len(kind), GROUP):
            spent = spent.plus(_group(kind[start : start + GROUP]))
        kinds.append(spent)
    return [kinds[0].plus(kinds[1]), *kinds]


def _group(configs: list[Config]) -> Spent:
    start = time.process_time()
    layers = sum(len(checked(config).rows) for config in configs)
    middle = time.process_time()
    for config in configs:
        loaded(config)
    return Spent(len(configs), layers, middle - start, time.process_time() - middle)


def a_round(files: int, seed: int) -> list[Spent]:
    """Return the times of new configs, in a process that has not seen any of them."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        configs = pool.submit(generated, files, seed).result()
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(timed, configs).result()


def main(arguments: list[str] | None = None) -> None:
    """Time all rounds, and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=1_000)
    options = parser.parse_args(arguments)
    rounds = [a_round(options.files, seed) for seed in range(options.rounds)]
    for what, spent in zip(
        ("all", "written out", "with blocks"), zip(*rounds, strict=True), strict=True
    ):
        columns = {
            "netbuild": [s.ours for s in spent],
            "loader": [s.loader for s in spent],
            "ratio": [s.ours / s.loader for s in spent],
        }
        shown = ", ".join(
            f"{name} min {min(column):.3f} median {statistics.median(column):.3f}"
            for name, column in columns.items()
        )
        files, layers, *_ = spent[0]
        print(f"{f'{what}, s':15}  {files:,} files of {layers:,} layers, {shown}, wanted at most 5")


if __name__ == "__main__":
    main()
