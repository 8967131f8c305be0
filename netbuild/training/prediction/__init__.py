"""Predictions of a trained network for files of inputs."""
