"""Decided spans in another dialect: what ``dialect:`` of the OTLP exporters means."""
