"""Sampling thresholds in ``tracestate`` (``ot=th:…``): read from incoming spans, written into kept ones.

A kept trace may stand for several. Its threshold tells backends and collectors behind this one how many. A trace that
came with a threshold stood for several before it came here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.model import trace_state
from collector.model.arrow_arrays import numpy_of
from collector.model.batch import SpanBatch


def upstream_probabilities(states: pa.StringArray) -> npt.NDArray[np.float64]:
    """Per trace state, the probability with which earlier samplers kept the trace; 1 for null."""
    encoded = states.dictionary_encode()
    table = np.array([trace_state.probability(text) for text in encoded.dictionary.to_pylist()] + [1.0])
    picked: npt.NDArray[np.float64] = table[numpy_of(encoded.indices.fill_null(-1))]
    return picked


def with_thresholds(spans: SpanBatch, adjusted_count: pa.DoubleArray) -> SpanBatch:
    """The spans with thresholds in their trace state, where their trace stands for more than itself.

    ``adjusted_count``: per span, how many traces its trace stands for.
    """
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
