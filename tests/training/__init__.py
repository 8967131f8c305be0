"""Tests of training and prediction."""
