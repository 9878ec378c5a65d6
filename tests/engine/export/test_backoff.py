"""The back-off of ``retry_on_failure``.

Proves how waits grow, how far chance and a server may move them, and when a batch is given up on, by a clock that
the tests turn. Does not prove that anybody waits: ``test_runner_errors`` does.
"""

from datetime import timedelta

from hypothesis import given, strategies as st

from collector.component.exporter import ExportPreferences, Retry
from collector.engine.export.backoff import Backoff
from collector.options.retry import RetryConfig
from exporters import otlp_grpc, otlp_http


def _backoff(config, *, draw=0.5, now=lambda: 0.0):
    return Backoff(config.retry(), clock=now, draw=lambda: draw)


def test_waits_grow_up_to_the_longest_and_never_end():
    backoff = _backoff(RetryConfig())
    waits = [backoff.next() for _ in range(8)]
    assert waits == [5, 7.5, 11.25, 16.875, 25.3125, 30, 30, 30]


def test_jitter_stays_within_the_factor():
    assert _backoff(RetryConfig(), draw=0).next() == 2.5
    assert _backoff(RetryConfig(), draw=1).next() == 7.5


def test_the_server_may_ask_for_more_but_not_for_less():
    backoff = _backoff(RetryConfig(multiplier=1))
    assert [backoff.next(1), backoff.next(60), backoff.next(10**9)] == [5, 60, 3600]


def test_gives_up_before_the_elapsed_time_would_be_exceeded():
    seconds = [0.0]
    backoff = _backoff(RetryConfig(max_elapsed_time=timedelta(seconds=20)), now=lambda: seconds[0])
    assert backoff.next() == 5
    seconds[0] = 12
    assert backoff.next() == 7.5
    seconds[0] = 19
    assert backoff.next() is None


def test_disabled_gives_up_at_once():
    assert _backoff(RetryConfig(enabled=False)).next(1) is None


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e12)), max_size=50), st.floats(0, 1))
def test_waits_are_positive_and_bounded(asked, draw):
    backoff = _backoff(RetryConfig(), draw=draw)
    for delay in asked:
        wait = backoff.next(delay)
        assert 2.5 <= wait <= 3600


def test_what_the_user_says_is_what_the_engine_is_told():
    assert RetryConfig().retry() == Retry()
    said = RetryConfig(enabled=False, initial_interval="1s", multiplier=2, max_elapsed_time="5m")
    for factory in (otlp_http.factory, otlp_grpc.factory):
        config = factory.config(endpoint="http://localhost:1", retry_on_failure=said)
        assert factory.preferences(config) == ExportPreferences(
            retry=Retry(enabled=False, initial_interval=timedelta(seconds=1), multiplier=2,
                        max_elapsed_time=timedelta(minutes=5))
        )  # fmt: skip
