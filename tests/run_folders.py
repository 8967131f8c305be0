"""Folders of runs that were never trained: their files, written by hand."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from netbuild.config.load import load
from netbuild.config.resolution import resolved
from tests.training_configs import text

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = {"netbuild": "0.1.0", "python": "3.12.1", "torch": "2.13.0", "device": "cpu"}


def epochs(
    count: int, rate: float, metrics: tuple[str, ...] = ("accuracy",)
) -> list[dict[str, Any]]:
    """Return the metrics of some epochs: the loss falls faster for larger rates up to 0.1."""
    found = []
    for n in range(1, count + 1):
        loss = 2.3 * math.exp(-rate * n) if rate <= 0.1 else 2.3 + 0.01 * n
        found.append(
            {"epoch": n, "train_loss": loss * 0.9}
            | {f"train_{name}": 1 - loss / 3 for name in metrics}
            | {"val_loss": loss}
            | {f"val_{name}": 1 - loss / 2.5 for name in metrics}
            | {"lr": rate / n, "seconds": 0.5, "samples_per_second": 1000.0}
        )
    return found


def make(
    runs: Path,
    time: str = "2026-01-31T12-00-00",
    *,
    metrics: list[dict[str, Any]] | None = None,
    environment: dict[str, Any] | None = None,
    command: list[str] | None = None,
    **sections: Any,
) -> Path:
    """Write the folder of a run with a small config and other sections, and return it."""
    folder = runs / sections.get("name", "tiny") / time
    folder.mkdir(parents=True)
    written = folder / "config.yaml"
    written.write_text(text(**sections), encoding="utf-8")
    config = load(written)
    (folder / "resolved.yaml").write_text(resolved(config), encoding="utf-8")
    given = epochs(config.train.epochs, 0.1) if metrics is None else metrics
    lines = "".join(json.dumps(epoch) + "\n" for epoch in given)
    (folder / "metrics.jsonl").write_text(lines, encoding="utf-8")
    told = ENVIRONMENT | {"started": f"{time[:13]}:00:00+0000"} | (environment or {})
    told["command"] = command or ["/home/ada/bin/netbuild", "train", "tiny.yaml"]
    (folder / "environment.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


RATES = (0.001, 0.01, 0.1, 1.0)


def rates(runs: Path, count: int = 12, **sections: Any) -> list[Path]:
    """Write four runs that differ in the rate alone, and return their folders."""
    return [
        make(
            runs,
            f"2026-01-31T1{n}-00-00",
            metrics=epochs(count, rate),
            **{"optimizer": {"SGD": {"lr": rate}}, "train": {"epochs": count}} | sections,
        )
        for n, rate in enumerate(RATES)
    ]
