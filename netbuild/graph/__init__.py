"""The network with every shape inferred: its layers, wires and sizes."""
