"""Tests of the graph of a network: rows, wires, names and fixes."""
