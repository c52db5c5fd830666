"""The rarer forms of an answer, made from its JSON: CSV, and without nulls. Knows media types; no table, no SQL."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from db.fields import is_json_list, is_json_object
from db.rest.media import CSV, Media

__all__ = ["rendered"]


def rendered(body: str, media: Media, keys: Sequence[str]) -> str:
    """The list in the form asked for. keys: of every row, in order: the header line of CSV."""
    rows = json.loads(body)
    if media.name == CSV:
        return _csv(rows, keys)
    return _text([_stripped(row) for row in rows])


def _csv(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> str:
    """The rows under a header line; null is empty, lists and objects are JSON."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(keys)
    writer.writerows([_cell(row.get(key)) for key in keys] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else _text(value)


def _stripped(value: Any) -> Any:
    """The value without keys that are null, however deep; list items stay."""
    if is_json_object(value):
        return {key: _stripped(inside) for key, inside in value.items() if inside is not None}
    return [_stripped(item) for item in value] if is_json_list(value) else value


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
