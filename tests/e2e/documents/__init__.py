"""Pages that are run word for word."""
