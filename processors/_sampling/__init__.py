"""Sampling policies, a module per family, and how their decisions become one verdict."""
