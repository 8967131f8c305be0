"""Twelve sequence networks on noise, beside what `netbuild validate` says of them.

    python -m benchmarks.leaks --epochs 12

Each network learns to tell the next of 16 random characters. Nothing can tell it, so a network that
is right more often than once in 16 sees the character that it has to tell. The files lie in
`benchmarks/leaks`: `sees` has six networks that see it, and `blind` has six similar networks that
do not. A loop by hand trains them, because netbuild refuses to train the first six.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

import netbuild
from netbuild.checks.trace import infer

FOLDER = Path(__file__).parent / "leaks"
CHARACTERS, LENGTH, SAMPLES, HELD_OUT, BATCH = 16, 32, 1_000, 250, 32


def noise(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random sequences, and for each place the character one place further."""
    generator = torch.Generator().manual_seed(seed)
    text = torch.randint(CHARACTERS, (SAMPLES + HELD_OUT, LENGTH + 1), generator=generator)
    return text[:, :-1], text[:, 1:]


def accuracy(path: Path, epochs: int) -> float:
    """Train a network by hand; return the share of held-out characters that it tells."""
    torch.manual_seed(0)
    config = netbuild.load(path)
    module = netbuild.build(config._replace(data=None))
    x, y = noise(1)
    optimizer = torch.optim.Adam(module.parameters(), lr=5e-3)
    for _ in range(epochs):
        for batch in torch.randperm(SAMPLES).split(BATCH):
            loss = nn.functional.cross_entropy(module(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    module.eval()
    with torch.no_grad():
        told = module(x[SAMPLES:]).argmax(1)
    return float((told == y[SAMPLES:]).double().mean())


def main() -> None:
    """Print a line for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=12)
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)
    print(f"chance: {1 / CHARACTERS:.1%}")
    for path in sorted(FOLDER.glob("*/*.yaml"), reverse=True):
        faults = infer(netbuild.load(path)).diagnostics
        said = ", ".join(f"{fault.code} at {fault.layer}" for fault in faults) or "no faults"
        told = accuracy(path, epochs)
        print(f"{path.parent.name + '/' + path.stem:26} {told:6.1%}  {said}", flush=True)


if __name__ == "__main__":
    main()
