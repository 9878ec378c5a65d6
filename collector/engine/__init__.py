"""The engine: bytes in, decisions on disk, exporters as cursors over decisions."""
