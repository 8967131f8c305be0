"""Tests of a step, and of how torch computes it."""
