"""Explains observations: for each field the value, where it came from and the rule that chose it.

The pipeline itself says so: a dry run with a recorder. Nothing here decides anything.
"""
