"""What sampling says to whoever comes next: the threshold in each kept span's ``tracestate``.

A trace that stands for others carries ``ot=th:…``, so that backends and collectors behind this one can
weigh it; what came with one already stood for others when it came.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.model import trace_state
from collector.model.arrow_arrays import numpy_of
from collector.model.batch import SpanBatch


def upstream_probabilities(states: pa.StringArray) -> npt.NDArray[np.float64]:
    """Per trace state how likely the trace was to come this far; null: 1."""
    encoded = states.dictionary_encode()
    table = np.array([trace_state.probability(text) for text in encoded.dictionary.to_pylist()] + [1.0])
    picked: npt.NDArray[np.float64] = table[numpy_of(encoded.indices.fill_null(-1))]
    return picked


def with_thresholds(spans: SpanBatch, adjusted_count: pa.DoubleArray) -> SpanBatch:
    """The spans with the threshold of each one's trace in its trace state, where the trace stands for others."""
    counts = numpy_of(adjusted_count)
    if not (counts > 1).any():
        return spans
    encoded = spans.column("trace_state").dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    codes = numpy_of(encoded.indices)
    pairs, which = np.unique(np.stack([codes, counts]), axis=1, return_inverse=True)
    states = [
        trace_state.with_probability(texts[int(code)], 1 / count) if count > 1 else texts[int(code)]
        for code, count in pairs.T.tolist()
    ]
    return spans.with_columns({"trace_state": pa.array(states, pa.string()).take(pa.array(which.reshape(-1)))})
