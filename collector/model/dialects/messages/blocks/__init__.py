"""Content blocks: a module per provider rebuilds the parts of a message; nothing here knows of rows or columns."""
