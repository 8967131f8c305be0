"""Formulas of element-wise functions: their text, their functions, and what follows from both."""
