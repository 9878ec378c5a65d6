"""Changing attributes by the Collector's actions: what ``attributes`` and ``resource`` share."""
