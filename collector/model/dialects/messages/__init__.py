"""Content of spans: canonical messages, tool definitions, model parameters and metadata.

``content.yaml`` says where content stands, ``shapes`` how it is read, ``carriers`` takes it out of
the columns, and one module per provider or instrumentation rebuilds its messages.
"""
