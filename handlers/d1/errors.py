"""Our errors as D1 tells them: an HTTP status and a number for each of our codes. Knows codes; raises nothing.

Source: the numbers that clients and their users have met; the vendor publishes no complete list.
"""

import json
from typing import Final

from handlers.d1.envelope import failure
from handlers.http.reply import Reply

# Where the number does not follow from the status, or the status is another than everywhere else.
NUMBERS: Final = {
    "no_route": (404, 7000),
    "sql_failed": (400, 7500),
    "out_of_time": (429, 7429),
    "answer_too_large": (413, 7500),
    "out_of_memory": (413, 7500),
    "database_exists": (400, 7502),
    "duplicate": (400, 7502),
    "account_unknown": (403, 7403),
    "contended": (409, 7500),
    # Of a point in time, not of the database.
    "time_out_of_range": (400, 7400),
}
_BY_STATUS: Final = {
    400: 7400,
    401: 10000,
    403: 7403,
    404: 7404,
    405: 7001,
    406: 7400,
    409: 7400,
    410: 7404,
    413: 7413,
    429: 7429,
    500: 7500,
    503: 7500,
}
# Nothing happened, and the same request may do better in a while.
_WORTH_REPEATING: Final = frozenset({"contended", "rate_limited"})
_FAULT, _UNAVAILABLE = 500, 503


def d1_error(reply: Reply) -> Reply:
    """The same error in the envelope. reply: an error as all our other routes answer it, or one in the envelope."""
    body = json.loads(reply.body)
    if "success" in body:
        return reply
    status, number = NUMBERS.get(body["code"], (reply.status, _BY_STATUS.get(reply.status, 7400)))
    message = body["message"]
    if status == _FAULT and body["code"] != "commit_unknown":
        # Its details are the request id, under which the log says more.
        message = f"internal error; reference = {body['details']}"
    told = failure(status, number, message, [] if number == 7500 else None)
    names = {name.lower() for name, _ in reply.headers}
    headers = (*told.headers, *reply.headers)
    if "x-should-retry" not in names:
        # Their clients repeat on 408, 409, 429 and 5xx by themselves.
        again = "true" if status == _UNAVAILABLE or body["code"] in _WORTH_REPEATING else "false"
        headers = (*headers, ("x-should-retry", again))
    return Reply(told.status, told.body, told.media_type, headers)
