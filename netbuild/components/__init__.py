"""What a file can name: layers, losses, optimizers, schedulers, data sources, augmentations.

Each component states its own rules for shapes, weights and costs. This room knows no YAML, and
imports no other room of netbuild.
"""
