"""The sections of a file: from nodes of YAML to validated values."""
