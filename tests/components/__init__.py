"""Tests of what a file can name: layers, losses, data sources and the rest."""
