"""The catalogue: pages of all layers, losses, optimizers and other components."""
