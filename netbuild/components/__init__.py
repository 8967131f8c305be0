"""What a file can name: layers, losses, optimizers, schedulers, data sources, augmentations.

The rules of shapes, weights and costs stand here, each beside its component. Nothing here knows
YAML, and nothing here imports another room of netbuild.
"""
