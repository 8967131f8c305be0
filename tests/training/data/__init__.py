"""Tests of the data as it comes to training."""
