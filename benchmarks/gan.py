"""How many of the ten digits the generator of `configs/gan.yaml` makes, as it trains.

    python -m benchmarks.gan --epochs 20 --sheet sheet.png

A classifier of scikit-learn, a support vector machine that has seen the digits as 8×8 pictures,
names each of 512 samples of the generator. A class is found if at least one sample is in it. The
sheet holds 64 samples of the last epoch.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.config.load import load
from netbuild.training.progress import Silent

ROOT = Path(__file__).parents[1]
#: The samples that are named, and those on the sheet.
SAMPLES, SHEET = 512, 64


def classifier() -> Any:
    """Return a classifier of digits, 8×8 from 0 to 16, trained on all of scikit-learn's."""
    from sklearn.datasets import load_digits
    from sklearn.svm import SVC

    digits = load_digits()
    return SVC(gamma=0.001).fit(digits.data, digits.target)


@torch.no_grad()
def samples(generator: Any, noise: int, count: int = SAMPLES) -> torch.Tensor:
    """Return pictures of a generator in evaluation mode, (count, 1, 32, 32), from −1 to 1."""
    before = generator.training
    generator.eval()
    made: torch.Tensor = generator(
        torch.randn(count, noise, generator=torch.Generator().manual_seed(0))
    )
    generator.train(before)
    return made


def classes(made: torch.Tensor, named: Any) -> list[int]:
    """Return how many samples are in each class."""
    small = torch.nn.functional.adaptive_avg_pool2d(made, 8).flatten(1)
    found = named.predict(((small + 1) * 8).numpy())
    return [int((found == digit).sum()) for digit in range(10)]


class Watching(Silent):
    """Prints how many classes the samples have after each epoch."""

    def __init__(self, module: Any, noise: int) -> None:
        self.module, self.noise, self.named = module, noise, classifier()
        self.started = time.perf_counter()
        self.found: list[list[int]] = []

    def epoch(self, metrics: dict[str, Any]) -> None:
        """Name the samples of this epoch."""
        counts = classes(samples(self.module.generator, self.noise), self.named)
        self.found.append(counts)
        losses = " ".join(f"{n} {metrics[f'train_{n}']:.3f}" for n in ("real", "fake", "fool"))
        seconds = time.perf_counter() - self.started
        line = f"epoch {metrics['epoch']:>3}  {sum(n > 0 for n in counts):>2} classes"
        print(f"{line}  {counts}  {losses}  {seconds:.0f} s", flush=True)


def save(made: torch.Tensor, path: Path) -> None:
    """Write samples as one picture of eight rows."""
    from PIL import Image

    rows = made[:SHEET].reshape(8, 8, 32, 32).permute(0, 2, 1, 3).reshape(256, 256)
    Image.fromarray(((rows + 1) * 127.5).to(torch.uint8).numpy()).save(path)


def main() -> None:
    """Train, and print the classes of each epoch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    settings = [f"train.epochs={options.epochs}", f"train.seed={options.seed}"]
    config = load(ROOT / "configs/gan.yaml", settings)
    with tempfile.TemporaryDirectory() as folder:
        trainer = training.prepare(trainable(config), Path(folder))
        noise = int(config.names["noise"])
        watching = Watching(trainer.learner.module, noise)
        training.fit(trainer, watching)
    if options.sheet:
        save(samples(trainer.learner.module.generator, noise), options.sheet)


if __name__ == "__main__":
    main()
