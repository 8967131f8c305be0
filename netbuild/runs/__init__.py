"""Runs on disk: their folders, records and files of weights, read without torch."""
