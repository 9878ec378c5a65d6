"""SQL expressions over batches: what several processors share."""
