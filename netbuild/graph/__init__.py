"""The network with every shape inferred: its layers, its wires and its numbers."""
