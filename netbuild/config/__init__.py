"""What the sections of a file mean: from nodes of YAML to validated values."""
