"""What ``transform`` does to attributes and columns."""
