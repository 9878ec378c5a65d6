"""The registry with the fakes of the configuration's tests."""

from tests.config.conftest import entry_points, registry

__all__ = ["entry_points", "registry"]
