"""How a score travels through the pipelines: as an OTLP log record of event ``gen_ai.evaluation.result``.

A receiver that is given a score by an API turns it into such a record, so that journal, masking and
forwarding treat it as any other record; a store derives the row of ``scores`` from it. On the record:
``trace_id`` and ``span_id`` name the target (no span id: the trace; neither: the session of
``SESSION_ID``), ``time_unix_nano`` is the score's own time, ``event_name`` is ``EVENT_NAME``, and what else is known
stands in the attributes below (semantic conventions for generative AI where they have a name). An attribute that is
not known is left out. The dialect tables read these names back; a test holds the two together.
"""

from __future__ import annotations

EVENT_NAME = "gen_ai.evaluation.result"
"""``event_name`` of the record; senders without that field put it into the attribute ``event.name``."""

NAME = "gen_ai.evaluation.name"
"""Text: what was judged. A record without it is no score."""
VALUE = "gen_ai.evaluation.score.value"
"""Double; of a BOOLEAN score 0 or 1."""
LABEL = "gen_ai.evaluation.score.label"
"""Text: the value of a CATEGORICAL, TEXT or CORRECTION score; may stand beside ``VALUE``."""
COMMENT = "gen_ai.evaluation.explanation"
"""Text."""
SESSION_ID = "session.id"
ENVIRONMENT = "deployment.environment.name"

ID = "spanloom.score.id"
"""Text: the key of the row. A later score of the same id replaces the earlier one."""
DATA_TYPE = "spanloom.score.data_type"
"""One of ``DATA_TYPES``; left out, it follows from the value."""
SOURCE = "spanloom.score.source"
"""One of ``SOURCES``; left out, an evaluation (``EVAL``)."""
CONFIG_ID = "spanloom.score.config_id"
QUEUE_ID = "spanloom.score.queue_id"
DATASET_RUN_ID = "spanloom.score.dataset_run_id"
METADATA = "spanloom.score.metadata"
"""A map, or the text of a JSON object."""

DATA_TYPES = ("NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT", "CORRECTION")
SOURCES = ("API", "EVAL", "ANNOTATION", "RULE")
