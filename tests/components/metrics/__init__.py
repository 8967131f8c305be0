"""Tests of the declared metrics."""
