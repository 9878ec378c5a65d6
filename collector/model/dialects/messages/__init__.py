"""Content of spans: canonical messages, tool definitions, model parameters and metadata.

The ``content`` rows of the dialects' files say where content stands, ``shapes`` how it is read, ``carriers`` takes it
out of the columns, and one module per instrumentation rebuilds its messages; ``blocks`` does so for providers' blocks.
"""
