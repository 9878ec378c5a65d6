"""The shape every policy has: a name, a type, and options that evaluate traces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spanloom import Bools, ComponentConfig, LimiterKey, PolicyVerdicts, Traces

if TYPE_CHECKING:
    from processors._sampling.limiter import Limiter


class Options(ComponentConfig):
    """What a policy looks for. Frozen: what changes while it runs are limiters, kept beside it."""

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:
        """A policy verdict per trace; those of traces not ``asked`` about are ignored, and not charged to a limiter."""
        raise NotImplementedError

    @property
    def columns(self) -> Sequence[str]:
        """Columns of spans it looks at."""
        return ()

    @property
    def parts(self) -> Sequence[Policy]:
        """Policies inside it."""
        return ()

    @property
    def is_chance(self) -> bool:
        """True when more than what a trace is decides about it: a hash of its id, or what came before it."""
        return False

    @property
    def thresholds(self) -> Mapping[str, int]:
        """Chance → the largest hash that is kept."""
        return {}

    def limiters(self) -> Mapping[LimiterKey, Limiter]:
        """Fresh limiters by what ``Traces.admitted`` is asked with."""
        return {}


class Policy(ComponentConfig):
    """One policy as it is configured: its options stand under a key named as its type."""

    name: str = ""
    """Recorded with the traces it keeps; a policy inside another one needs none."""

    type: str
    """Which policy it is."""

    @property
    def options(self) -> Options:
        """What stands under the key named as the type."""
        key = self.type
        found: Any = getattr(self, key, None) or getattr(self, f"{key}_")
        assert isinstance(found, Options)
        return found

    def evaluate(self, traces: Traces, asked: Bools) -> PolicyVerdicts:
        """As ``Options.evaluate``; what is not of chance is evaluated once."""
        if any(part.options.is_chance for part in self.walk()):
            return self.options.evaluate(traces, asked)
        return traces.once(("policy", id(self)), lambda: self.options.evaluate(traces, asked))

    def walk(self) -> Iterator[Policy]:
        """The policy and all policies inside it."""
        yield self
        for part in self.options.parts:
            yield from part.walk()
