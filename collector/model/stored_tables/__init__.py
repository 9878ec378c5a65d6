"""The stored tables, declared once: every column with its type, meaning, unit, source, and when it is null."""
