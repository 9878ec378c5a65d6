"""A component's own metrics: declared beside it, shared by its instances, refused when a name means two things.

Proves the declarations. Does not prove what each component counts: their own tests do.
"""

from __future__ import annotations

import pytest

from collector.telemetry import Telemetry


def test_instances_share_what_they_declare_in_the_same_words() -> None:
    telemetry = Telemetry()
    for instance in ("a", "b"):
        telemetry.counter("spanloom_x_things", "Things.", ("extension",)).labels(instance).inc()
    value = telemetry.registry.get_sample_value
    assert value("spanloom_x_things_total", {"extension": "a"}) == 1
    assert value("spanloom_x_things_total", {"extension": "b"}) == 1


def test_every_kind_is_shown() -> None:
    telemetry = Telemetry()
    telemetry.gauge("spanloom_x_size", "Size.").set(3)
    telemetry.histogram("spanloom_x_rows", "Rows.", buckets=(1, 10)).observe(5)
    value = telemetry.registry.get_sample_value
    assert value("spanloom_x_size") == 3
    assert value("spanloom_x_rows_bucket", {"le": "1.0"}) == 0
    assert value("spanloom_x_rows_bucket", {"le": "10.0"}) == 1


def test_collectors_do_not_share() -> None:
    one, other = Telemetry(), Telemetry()
    one.counter("spanloom_x_things", "Things.").inc()
    assert other.counter("spanloom_x_things", "Things.") is not one.counter("spanloom_x_things", "Things.")
    assert other.registry.get_sample_value("spanloom_x_things_total") == 0


def test_a_name_means_one_thing() -> None:
    telemetry = Telemetry()
    telemetry.counter("spanloom_x_things", "Things.")
    telemetry.histogram("spanloom_x_rows", "Rows.")
    for again in (
        lambda: telemetry.counter("spanloom_x_things", "Other things."),
        lambda: telemetry.counter("spanloom_x_things", "Things.", ("extension",)),
        lambda: telemetry.gauge("spanloom_x_things", "Things."),
        lambda: telemetry.histogram("spanloom_x_rows", "Rows.", buckets=(1, 2)),
        lambda: telemetry.gauge("spanloom_journal_bytes", "The engine has it."),
    ):
        with pytest.raises(ValueError, match="spanloom_"):
            again()
