"""Prices: who sells which model at what rate, and the arithmetic that applies them to columns."""
