"""Which attribute keys the tables know at all, as facts, as content or as a sign of something."""

from __future__ import annotations

import re

from collector.model.dialects import key_classes, table_files
from collector.model.dialects.kept import kept
from collector.model.dialects.messages import carriers


@kept(16_384)
def is_known(key: str) -> bool:
    """Whether some table knows the key.

    The prefixes by which dialects are detected (``gen_ai.*``) do not count: they know a namespace, not its keys.
    """
    return bool(_known().match(key)) or bool(carriers.names_of(key))


@kept()
def _known() -> re.Pattern[str]:
    files = table_files.files()
    detect = [when for file in files for when in file.detect]
    others = [entry.when for f in files for e in (f.rows, f.usage_objects, f.cost_objects, f.inclusion) for entry in e]
    signs = {key for when in others for key in (*when.has, *when.any, *when.lacks)}
    signs |= {k for when in detect for k in (*when.has, *when.any, *when.lacks) if not k.endswith("*")}
    results = {f"{prefix}*" for f in files for carrier in f.scores for prefix in carrier.prefixes}
    ignored = {key for f in files for key in f.ignored_keys}
    return table_files.matcher(sorted(signs | results | ignored | key_classes.known_keys()))
