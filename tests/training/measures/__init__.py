"""Tests of the metrics of a training."""
