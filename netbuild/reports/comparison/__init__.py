"""Runs side by side: the settings that differ, their curves, and which of them a filter keeps."""
