"""Where a random value and a threshold stand: ``ot`` in a span's trace state, two attributes of a log record."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from processors._probabilistic.threshold_digits import DIGITS, digits
from spanloom import trace_state

_MOST_CHARACTERS = 1024
_OT = re.compile(r"[a-z][a-z0-9]*:[a-zA-Z0-9._\-]*(;[a-z][a-z0-9]*:[a-zA-Z0-9._\-]*)*\Z")
_MOST_OT = 256
_HEX = re.compile(r"[0-9a-fA-F]+\Z")
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)


@dataclass(frozen=True)
class Carrier:
    """What a span or log record says of how it was sampled before."""

    random: int | None = None
    threshold: int | None = None
    others: tuple[str, ...] = ()
    """Further fields of ``ot``, as written."""
    members: tuple[tuple[str, str], ...] = ()
    """Further members of the trace state."""
    texts: tuple[str, str] = ("", "")
    """The random value and the threshold as written."""

    def trace_state(self, threshold: int | None, random: str = "") -> str:
        """The trace state with this threshold, None: its own, and this random value if it came without one."""
        threshold_digits = self.texts[1] if threshold is None else digits(threshold)
        random = self.texts[0] or random
        fields = [*([f"rv:{random}"] if random else []), f"th:{threshold_digits}", *self.others]
        return ",".join([f"ot={';'.join(fields)}", *(f"{key}={value}" for key, value in self.members)])


def of_trace_state(text: str) -> Carrier | None:
    """None for what is no trace state, or has no meaning to a sampler."""
    members = trace_state.members(text)
    if members is None or len(text) > _MOST_CHARACTERS:
        return None
    ot = members.pop("ot", None)
    found = Carrier(members=tuple(members.items()))
    if ot is None:
        return found
    if len(ot) > _MOST_OT or not _OT.match(ot):
        return None
    fields = [field.partition(":") for field in ot.split(";")]
    others = tuple(f"{key}:{value}" for key, _, value in fields if key not in ("rv", "th"))
    by_key = {key: value for key, _, value in fields}
    return _with_values(replace(found, others=others), by_key.get("rv"), by_key.get("th"))


def of_attributes(random: str, threshold: str) -> Carrier | None:
    """Of the texts of ``sampling.randomness`` and ``sampling.threshold``, "" where there are none."""
    return _with_values(Carrier(), random or None, threshold or None)


def _with_values(found: Carrier, random: str | None, threshold: str | None) -> Carrier | None:
    if random is not None:
        if len(random) != DIGITS or not _HEX.match(random):
            return None
        found = replace(found, random=int(random, 16), texts=(random, ""))
    if threshold is not None:
        if not 0 < len(threshold) <= DIGITS or not _HEX.match(threshold):
            return None
        value = int(threshold.ljust(DIGITS, "0"), 16)
        found = replace(found, threshold=value, texts=(found.texts[0], threshold))
    return found


def hexadecimal(values: npt.NDArray[np.int64]) -> pa.StringArray:
    """Each value in 14 digits."""
    shifts = np.arange(4 * (DIGITS - 1), -1, -4, dtype=np.int64)
    digits_of = _DIGITS[(values[:, None] >> shifts) & 15]
    offsets = np.arange(len(values) + 1, dtype=np.int32) * DIGITS
    return pa.StringArray.from_buffers(
        len(values), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(digits_of))
    )
