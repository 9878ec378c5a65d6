"""Metric points of every kind from protobuf messages into columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar, Metric, NumberDataPoint, SummaryDataPoint

from collector.model import schema
from collector.model.codec.reference.array_builders import Layout, Struct

_LAYOUT = Layout(schema.METRICS)
_POINT_COLUMNS = schema.METRICS.names[schema.METRICS.names.index("value_int") : schema.METRICS.names.index("quantiles")]


class MetricRows(Struct):
    """The columns of ``schema.METRICS``."""

    def __init__(self) -> None:
        super().__init__(_LAYOUT)
        self._metrics = 0

    def add(self, metric: Metric, resource: bytes, scope: bytes) -> int:
        """Appends a row per data point, or one if there is none; returns the number of rows."""
        kind = metric.WhichOneof("data") or "none"
        data = getattr(metric, kind, None)
        points: Sequence[Any] = data.data_points if data is not None else ()
        for point in points:
            self._add_metric(metric, kind, data, resource, scope)
            self._add_point(kind, point)
        if not points:
            self._add_metric(metric, kind, data, resource, scope)
            self._add_no_point()
        self._metrics += 1
        return max(len(points), 1)

    def _add_metric(self, metric: Metric, kind: str, data: Any, resource: bytes, scope: bytes) -> None:
        columns = self.columns
        columns["metric"].append(self._metrics)
        columns["name"].append(metric.name)
        columns["description"].append(metric.description)
        columns["unit"].append(metric.unit)
        columns["metadata"].add(metric.metadata)
        columns["kind"].append(kind)
        columns["temporality"].append(getattr(data, "aggregation_temporality", 0))
        columns["is_monotonic"].append(getattr(data, "is_monotonic", False))
        columns["resource"].append(resource)
        columns["scope"].append(scope)

    def _add_no_point(self) -> None:
        columns = self.columns
        columns["has_point"].append(False)
        columns["attributes"].add(())
        for name in ("start_time_unix_nano", "time_unix_nano", "flags"):
            columns[name].append(0)
        for name in _POINT_COLUMNS:
            columns[name].append(None)
        columns["quantiles"].null_row()
        columns["exemplars"].null_row()

    def _add_point(self, kind: str, point: Any) -> None:
        columns = self.columns
        columns["has_point"].append(True)
        columns["attributes"].add(point.attributes)
        columns["start_time_unix_nano"].append(point.start_time_unix_nano)
        columns["time_unix_nano"].append(point.time_unix_nano)
        columns["flags"].append(point.flags)
        values = _VALUES[kind](point)
        for name in _POINT_COLUMNS:
            columns[name].append(values.get(name))
        if kind == "summary":
            self._add_quantiles(point)
            columns["exemplars"].null_row()
        else:
            columns["quantiles"].null_row()
            self._add_exemplars(point.exemplars)

    def _add_quantiles(self, point: SummaryDataPoint) -> None:
        column = self.columns["quantiles"]
        for pair in point.quantile_values:
            column.items.columns["quantile"].append(pair.quantile)
            column.items.columns["value"].append(pair.value)
        column.end_row(len(point.quantile_values))

    def _add_exemplars(self, exemplars: Sequence[Exemplar]) -> None:
        column = self.columns["exemplars"]
        columns = column.items.columns
        for exemplar in exemplars:
            columns["time_unix_nano"].append(exemplar.time_unix_nano)
            values = _number(exemplar)
            columns["value_int"].append(values.get("value_int"))
            columns["value_double"].append(values.get("value_double"))
            columns["trace_id"].append(exemplar.trace_id)
            columns["span_id"].append(exemplar.span_id)
            columns["attributes"].add(exemplar.filtered_attributes)
        column.end_row(len(exemplars))


def _number(point: NumberDataPoint | Exemplar) -> dict[str, Any]:
    match point.WhichOneof("value"):
        case "as_int":
            return {"value_int": point.as_int}
        case "as_double":
            return {"value_double": point.as_double}
    return {}


def _histogram(point: Any) -> dict[str, Any]:
    return {
        **_optional(point, "sum", "min", "max"),
        "count": point.count,
        "bucket_counts": point.bucket_counts,
        "explicit_bounds": point.explicit_bounds,
    }


def _exponential_histogram(point: Any) -> dict[str, Any]:
    values = {
        **_optional(point, "sum", "min", "max"),
        "count": point.count,
        "scale": point.scale,
        "zero_count": point.zero_count,
        "zero_threshold": point.zero_threshold,
    }
    for side in ("positive", "negative"):
        if point.HasField(side):
            buckets = getattr(point, side)
            values[f"{side}_offset"] = buckets.offset
            values[f"{side}_bucket_counts"] = buckets.bucket_counts
    return values


def _summary(point: SummaryDataPoint) -> dict[str, Any]:
    return {"count": point.count, "sum": point.sum}


def _optional(point: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(point, name) for name in names if point.HasField(name)}


_VALUES = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential_histogram,
    "summary": _summary,
}
