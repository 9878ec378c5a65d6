"""Metric points back into the Metric messages they came from."""

from __future__ import annotations

from typing import Any

from collector.model.codec.reference.readers import Columns

_OF_METRIC = ("metric", "name", "description", "unit", "kind", "temporality", "is_monotonic")


def fill_metrics(columns: Columns, scopes: list[Any]) -> None:
    """Adds the rows' metrics and points to the ScopeMetrics message given per row.

    Numbers in ``metric`` repeat in batches that were joined: points share a Metric only if all that
    is said of the metric is equal.
    """
    of_metric = zip(*(columns[name] for name in _OF_METRIC), strict=True)
    metadata = columns["metadata"]
    metrics: dict[Any, Any] = {}
    for row, (scope, values) in enumerate(zip(scopes, of_metric, strict=True)):
        if not columns["has_point"][row]:
            _add_metric(scope, columns, row)
            continue
        key = (id(scope), values, metadata.identity(row))
        data = metrics.get(key)
        if data is None:
            data = metrics[key] = _add_metric(scope, columns, row)
        _ADD_POINT[columns["kind"][row]](data, columns, row)


def _add_metric(scope: Any, columns: Columns, row: int) -> Any:
    """Adds a Metric without points; returns its data message."""
    metric = scope.metrics.add(
        name=columns["name"][row], description=columns["description"][row], unit=columns["unit"][row]
    )
    columns["metadata"].fill(metric.metadata, row)
    kind = columns["kind"][row]
    if kind == "none":
        return metric
    data = getattr(metric, kind)
    data.SetInParent()
    if kind in {"sum", "histogram", "exponential_histogram"}:
        data.aggregation_temporality = columns["temporality"][row]
    if kind == "sum":
        data.is_monotonic = columns["is_monotonic"][row]
    return data


def _add_point(data: Any, columns: Columns, row: int, *names: str) -> Any:
    point = data.data_points.add(
        start_time_unix_nano=columns["start_time_unix_nano"][row],
        time_unix_nano=columns["time_unix_nano"][row],
        flags=columns["flags"][row],
        **{name: columns[name][row] for name in names},
    )
    columns["attributes"].fill(point.attributes, row)
    return point


def _add_number(data: Any, columns: Columns, row: int) -> None:
    point = _add_point(data, columns, row)
    _set_number(point, columns, row)
    _add_exemplars(point, columns, row)


def _add_histogram(data: Any, columns: Columns, row: int) -> None:
    names = ("count", "sum", "min", "max", "bucket_counts", "explicit_bounds")
    point = _add_point(data, columns, row, *names)
    _add_exemplars(point, columns, row)


def _add_exponential_histogram(data: Any, columns: Columns, row: int) -> None:
    names = ("count", "sum", "min", "max", "scale", "zero_count", "zero_threshold")
    point = _add_point(data, columns, row, *names)
    for side in ("positive", "negative"):
        offset = columns[f"{side}_offset"][row]
        if offset is not None:
            buckets = getattr(point, side)
            buckets.SetInParent()
            buckets.offset = offset
            buckets.bucket_counts.extend(columns[f"{side}_bucket_counts"][row] or ())
    _add_exemplars(point, columns, row)


def _add_summary(data: Any, columns: Columns, row: int) -> None:
    point = _add_point(data, columns, row, "count", "sum")
    quantiles = columns["quantiles"]
    for item in quantiles.range(row):
        point.quantile_values.add(quantile=quantiles.items["quantile"][item], value=quantiles.items["value"][item])


def _add_exemplars(point: Any, columns: Columns, row: int) -> None:
    exemplars = columns["exemplars"]
    for item in exemplars.range(row):
        exemplar = point.exemplars.add(
            time_unix_nano=exemplars.items["time_unix_nano"][item],
            trace_id=exemplars.items["trace_id"][item],
            span_id=exemplars.items["span_id"][item],
        )
        _set_number(exemplar, exemplars.items, item)
        exemplars.items["attributes"].fill(exemplar.filtered_attributes, item)


def _set_number(message: Any, columns: Columns, row: int) -> None:
    if columns["value_int"][row] is not None:
        message.as_int = columns["value_int"][row]
    elif columns["value_double"][row] is not None:
        message.as_double = columns["value_double"][row]


_ADD_POINT = {
    "gauge": _add_number,
    "sum": _add_number,
    "histogram": _add_histogram,
    "exponential_histogram": _add_exponential_histogram,
    "summary": _add_summary,
}
