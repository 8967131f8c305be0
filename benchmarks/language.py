"""`configs/gpt.yaml` on the pages of `docs/` and on noise, beside a GRU of the same size.

    python -m benchmarks.language --epochs 24 --rates 3e-3 6e-3

Nothing can tell the next of 32 random characters, so on noise the network has to stay at chance. On
these 196 KB of text the GRU is ahead. With the rate 6e-3 and 24 epochs it tells 66.9 % of the
held-out characters, and `gpt` 64.2 %. After 8 epochs these are 65.8 % and 64.2 %; `gpt` without its
convolution is at 61.8 %. A context of 256 characters gives `gpt` 62.1 % after as many steps.
"""

from __future__ import annotations

import argparse
import random
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

import netbuild

ROOT = Path(__file__).parent.parent
CHARACTERS = "abcdefghijklmnopqrstuvwxyz012345"
#: What stands in the place of the transformer's layers.
GRU = """\
  body: {GRU: {hidden_size: 96, num_layers: 2, dropout: 0.0}, inputs: words}
  head: {Linear: {out_features: $vocabulary, bias: false}}
"""


def text() -> str:
    """Return the pages."""
    pages = ("language", "training", "commands", "rules")
    return "".join((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8") for page in pages)


def noise() -> str:
    """Return random characters."""
    return "".join(random.Random(0).choices(CHARACTERS, k=100_000))  # noqa: S311  no secret


def networks() -> dict[str, str]:
    """Return the network of the file, and the same with a GRU in place of attention."""
    gpt = (ROOT / "configs" / "gpt.yaml").read_text(encoding="utf-8")
    before, after = gpt.index("  places:"), gpt.index("  classes:")
    return {"gpt": gpt, "gru": gpt[:before] + GRU + gpt[after:]}


def main() -> None:
    """Print a line for each network and text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--rates", type=float, nargs="+", default=[3e-3, 6e-3])
    options = parser.parse_args()
    torch.set_num_threads(1)
    tasks = [(f"{name} on text", network, text()) for name, network in networks().items()]
    tasks.append(("gpt on noise", networks()["gpt"], noise()))
    for (name, network, book), rate in product(tasks, options.rates):
        settings = [f"train.epochs={options.epochs}", f"scheduler.OneCycleLR.max_lr={rate}"]
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{name[:3]}.yaml"
            path.write_text(network, encoding="utf-8")
            (path.parent / "book.txt").write_text(book, encoding="utf-8")
            config = netbuild.load(path, set=settings)
            params = netbuild.trace(config).params
            run = netbuild.train(config, runs=folder)
            best = min(run.metrics, key=lambda epoch: epoch["val_loss"])
            print(
                f"{name:12} rate {rate:g}, {params:,} parameters: loss {best['val_loss']:.3f}, "
                f"accuracy {best['val_accuracy']:.1%} in epoch {best['epoch']}",
                flush=True,
            )


if __name__ == "__main__":
    main()
