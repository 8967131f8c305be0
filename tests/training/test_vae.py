"""The variational autoencoder of configs/ learns what its two losses ask for."""

from pathlib import Path

import pytest
import torch

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.config.load import load
from netbuild.training.loop import Trainer
from netbuild.training.progress import Silent

FILE = Path(__file__).parents[2] / "configs" / "vae.yaml"


def trained(folder: Path, weight: str) -> Trainer:
    """Train it with a weight of the KL divergence."""
    file = folder / f"{weight}.yaml"
    text = FILE.read_text("utf-8")
    assert text.count("weight: 0.125") == 1
    file.write_text(text.replace("weight: 0.125", f"weight: {weight}"), "utf-8")
    trainer = training.prepare(
        trainable(load(file, ("train.epochs=8", "train.device=cpu"))), folder / "runs"
    )
    training.fit(trainer, Silent())
    return trainer


@pytest.mark.slow
def test_the_reconstruction_and_the_divergence_fall(tmp_path: Path) -> None:
    """The bound falls in training. The weight of the divergence keeps the divergence small."""
    trainer = trained(tmp_path, "0.125")
    first, *_, last = trainer.run.metrics
    assert (last["val_loss"] < 0.42, first["val_loss"] > 0.45) == (True, True)
    assert (last["val_reconstruction"] < 0.39, first["val_reconstruction"] > 0.45) == (True, True)
    assert last["val_kl"] < 0.5 * first["val_kl"]
    weighed = last["val_reconstruction"] + 0.125 * last["val_kl"]
    assert last["val_loss"] == pytest.approx(weighed)
    free = trained(tmp_path, "0.001").run.metrics[-1]
    assert last["val_kl"] < 0.3 * free["val_kl"]
    # Two points for one picture: the network draws one for each sample and each call.
    module = trainer.learner.module.eval()
    x = torch.zeros(1, 1, 8, 8)
    assert not torch.equal(module(x)[0], module(x)[0])
    assert torch.equal(module(x)[1], module(x)[1])
