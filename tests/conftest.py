"""Fixtures that more than one folder needs."""

import os
import socket

import pytest

from collector.model.codec import choice

choice.choose(os.environ.get(choice.VARIABLE))


@pytest.fixture
def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
