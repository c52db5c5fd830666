"""Errors in the shape storage clients read, around the one body all errors have. Knows JSON; raises nothing."""

import json

from handlers.http.reply import Reply

# What supabase calls it, where its clients or their users look for the word.
_WORDS = {
    "already_exists": "Duplicate",
    "bucket_not_found": "Bucket not found",
    "file_too_large": "Payload too large",
    "quota_reached": "Payload too large",
    "too_large": "Payload too large",
    "feature_not_enabled": "FeatureNotEnabled",
}
_NO_SUCH_RANGE = 416
# Source: tus.io 1.0.0; every answer names the version, a refusal of another version those there are.
TUS = (("Tus-Resumable", "1.0.0"),)
_TUS_VERSIONS = (("Tus-Version", "1.0.0"),)


def storage_error(reply: Reply, path: str) -> Reply:
    """The same error with `statusCode` (text) and `error` beside its own four fields. path: of the route."""
    body = json.loads(reply.body)
    told = {"statusCode": str(reply.status), "error": _WORDS.get(body["code"], body["code"]), **body}
    # Source: RFC 9110, 15.5.17. The error's details say how long the file is.
    length = (("Content-Range", body["details"]),) if reply.status == _NO_SUCH_RANGE and body["details"] else ()
    tus = () if "/upload/resumable" not in path else (*TUS, *(_TUS_VERSIONS if body["code"] == "tus_version" else ()))
    headers = (*reply.headers, *length, *tus)
    return Reply(reply.status, json.dumps(told, ensure_ascii=False), reply.media_type, headers)
