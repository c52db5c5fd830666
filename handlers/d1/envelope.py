"""The envelope every answer below `/client/v4` comes in. Knows its JSON; no route, right or statement."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from handlers.http.reply import Reply

MEDIA_TYPE = "application/json; charset=UTF-8"


def success(result: Any, *, info: Mapping[str, int] | None = None, messages: Sequence[str] = ()) -> Reply:
    """The answer that carries a result. info: where a page of a list stands. messages: notes for people."""
    more = {} if info is None else {"result_info": dict(info)}
    body = {"result": result, "success": True, "errors": [], "messages": list(messages), **more}
    return Reply(200, json.dumps(body, ensure_ascii=False, separators=(",", ":")), MEDIA_TYPE)


def success_text(result: str) -> Reply:
    """As `success`, for a result that is JSON text already."""
    return Reply(200, f'{{"result":{result},"success":true,"errors":[],"messages":[]}}', MEDIA_TYPE)


def failure(status: int, number: int, message: str, result: Any = None) -> Reply:
    """The answer that carries one error. number: from 1000 on, as clients compare it."""
    error = {"code": number, "message": message}
    body = {"result": result, "success": False, "errors": [error], "messages": []}
    told = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Reply(status, told, MEDIA_TYPE, (("cf-d1", f"err={number}"),))
