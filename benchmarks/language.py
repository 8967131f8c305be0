"""`configs/gpt.yaml` on the pages of `docs/` and on noise, beside a GRU of the same size.

    python -m benchmarks.language --epochs 16

Nothing can tell the next of 32 random characters, so on noise the network has to stay at chance. On
these 190 KB of text the GRU is ahead: after 16 epochs it tells 64.7 % of the held-out characters,
and `gpt` 60.0 %.
"""

from __future__ import annotations

import argparse
import random
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
    parser.add_argument("--epochs", type=int, default=16)
    settings = [f"train.epochs={parser.parse_args().epochs}"]
    torch.set_num_threads(1)
    for name, network, book in [
        *((f"{name} on text", network, text()) for name, network in networks().items()),
        ("gpt on noise", networks()["gpt"], noise()),
    ]:
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{name[:3]}.yaml"
            path.write_text(network, encoding="utf-8")
            (path.parent / "book.txt").write_text(book, encoding="utf-8")
            config = netbuild.load(path, set=settings)
            params = netbuild.trace(config).params
            run = netbuild.train(config, runs=folder)
            best = min(run.metrics, key=lambda epoch: epoch["val_loss"])
            print(
                f"{name:12} {params:,} parameters: loss {best['val_loss']:.3f}, "
                f"accuracy {best['val_accuracy']:.1%} in epoch {best['epoch']}",
                flush=True,
            )


if __name__ == "__main__":
    main()
