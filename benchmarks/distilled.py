"""How much a teacher helps the student of `configs/distilled.yaml`.

    python -m benchmarks.distilled --seeds 5

For each seed, a fifth of the digits (360) is kept apart. The teacher trains on the other 1,437. The
student trains on 180 of these, once with the teacher and once with its labels alone, from the same
first weights. All three are measured on the 360 digits that none has seen.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.config.load import load
from netbuild.training.progress import Silent

CONFIGS = Path(__file__).parents[1] / "configs"
#: The samples of the student.
FEW = 180


def trained(name: str, folder: Path, *settings: str) -> tuple[Any, Path]:
    """Train a file of `configs/`, and return the network after the last epoch, and its run."""
    config = load(CONFIGS / f"{name}.yaml", (*settings, "train.device=cpu"))
    trainer = training.prepare(trainable(config), folder / "runs")
    training.fit(trainer, Silent())
    return trainer.learner.module.eval(), trainer.run.folder


@torch.no_grad()
def accuracy(module: Any, x: Any, y: Any) -> float:
    """Return the share of samples for which a network is right, by its first output."""
    told = module(torch.from_numpy(x))
    scores = told if isinstance(told, torch.Tensor) else told[0]
    return float((scores.argmax(1).numpy() == y).mean())


def measured(folder: Path, seed: int, epochs: int | None = None) -> dict[str, float]:
    """Return the accuracy of the teacher, and of the student with it and without it."""
    digits = load_digits()
    x = (digits.images[:, None] / 16).astype("float32")
    y = digits.target.astype("int64")
    seen, unseen = train_test_split(range(len(y)), test_size=0.2, stratify=y, random_state=seed)
    few, _ = train_test_split(seen, train_size=FEW, stratify=y[seen], random_state=seed)
    for name, part in (("seen", seen), ("few", few)):
        np.savez(folder / f"{name}.npz", x=x[part], y=y[part])
    source = "data={{Arrays: {{file: {}, inputs: [x], target: y}}, validation: 0.1}}"
    again = (f"train.seed={seed}", *([f"train.epochs={epochs}"] if epochs else []))
    teacher, run = trained("teacher", folder, source.format(folder / "seen.npz"), *again)
    found = {"teacher": accuracy(teacher, x[unseen], y[unseen])}
    weights = f"layers.teacher.pretrained={run}"
    for name, loss in (("alone", ["loss={CrossEntropyLoss, inputs: digit}"]), ("taught", [])):
        settings = (source.format(folder / "few.npz"), weights, *loss)
        student, _ = trained("distilled", folder, *settings, *again)
        found[name] = accuracy(student, x[unseen], y[unseen])
    return found


def main() -> None:
    """Measure several seeds, and print a line for each and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    all_found = []
    for seed in range(parser.parse_args().seeds):
        with tempfile.TemporaryDirectory() as folder:
            found = measured(Path(folder), seed)
        all_found.append(found)
        print(f"seed {seed}", *(f"{name} {value:.2%}" for name, value in found.items()), flush=True)
    for name in all_found[0]:
        print(f"mean {name} {np.mean([found[name] for found in all_found]):.2%}")


if __name__ == "__main__":
    main()
