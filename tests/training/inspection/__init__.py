"""Tests of looks: values, marks and pictures."""
