"""OTTL is not run here: what people write under ``ottl_condition`` is answered with its SQL."""

from __future__ import annotations

import re
from typing import Any

_STATUS = {"STATUS_CODE_UNSET": "'UNSET'", "STATUS_CODE_OK": "'OK'", "STATUS_CODE_ERROR": "'ERROR'"}
_TOKEN = re.compile(
    r"""
    (?P<text>"(?:[^"\\]|\\.)*")
  | (?P<attribute>(?:span\.)?attributes\[(?P<key>"(?:[^"\\]|\\.)*")\])
  | (?P<of_resource>resource\.attributes\[(?P<rkey>"(?:[^"\\]|\\.)*")\])
  | (?P<function>[A-Z][A-Za-z0-9]*)(?=\()
  | (?P<word>[A-Za-z_][A-Za-z0-9_.]*)
  | (?P<operator>==|!=|<=|>=|[<>+\-*/(),])
  | (?P<number>\d+(?:\.\d+)?)
  | (?P<space>\s+)
    """,
    re.VERBOSE,
)
_WORDS = {
    "and": "and",
    "or": "or",
    "not": "not",
    "nil": "null",
    "true": "'true'",
    "false": "'false'",
    "name": "span_name",
    "kind.string": "kind",
    "status.code": "status_code",
    "parent_span_id": "parent_span_id",
    "trace_id.string": "trace_id",
    "span_id.string": "span_id",
    "parent_span_id.string": "parent_span_id",
    "start_time_unix_nano": "start_unix_nano",
    "end_time_unix_nano": "end_unix_nano",
    "instrumentation_scope.name": "scope_name",
    "instrumentation_scope.version": "scope_version",
    **_STATUS,
    **{f"SPAN_KIND_{kind}": f"'{kind}'" for kind in ("INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")},
}
_FUNCTIONS = {
    "IsMatch": "regexp_matches",
    "HasPrefix": "starts_with",
    "HasSuffix": "ends_with",
    "Len": "length",
    "ToLowerCase": "lower",
    "ToUpperCase": "upper",
}
_COMPARED_WITH_NIL = re.compile(r"(==|!=)(\s*)null\b")
_IS_ROOT = re.compile(r"IsRootSpan\(\s*\)")


def refusal(options: Any) -> str:
    """What to write instead of an ``ottl_condition`` policy's options."""
    given = options if isinstance(options, dict) else {}
    spans = [translated(text) for text in given.get("span") or () if isinstance(text, str)]
    message = "OTTL is not supported; as SQL, under 'type: sql': "
    if spans:
        lines = ", ".join(f'"{text}"' for text in spans if text)
        message += f"sql: {{span: [{lines}]}}"
        if not all(spans):
            message += " (and conditions that have no translation)"
    else:
        message += "sql: {span: [\"status_code = 'ERROR'\"]}"
    if given.get("spanevent"):
        message += "; conditions on span events have none"
    return message


def translated(condition: str) -> str | None:
    """The condition as SQL over the columns of spans; None for what has no column or no function here."""
    condition = _IS_ROOT.sub("parent_span_id == nil", condition)
    out, at = [], 0
    while at < len(condition):
        match = _TOKEN.match(condition, at)
        token = None if match is None else _token(match)
        if match is None or token is None:
            return None
        out.append(token)
        at = match.end()
    sql = _COMPARED_WITH_NIL.sub(lambda m: "is null" if m[1] == "==" else "is not null", "".join(out))
    return sql.replace("==", "=")


def _token(match: re.Match[str]) -> str | None:
    kind = match.lastgroup
    text = match[0]
    if match["attribute"]:
        return f"attributes[{_quoted(match['key'])}]"
    if match["of_resource"]:
        return f"resource[{_quoted(match['rkey'])}]"
    match kind:
        case "text":
            return _quoted(text)
        case "function":
            return _FUNCTIONS.get(text)
        case "word":
            return _WORDS.get(text) or _WORDS.get(text.removeprefix("span."))
    return text


def _quoted(text: str) -> str:
    plain = re.sub(r"\\(.)", r"\1", text[1:-1])
    return "'" + plain.replace("'", "''") + "'"
