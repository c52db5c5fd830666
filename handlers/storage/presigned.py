"""Addresses at which S3 itself hands out or takes in one object, for a while. Knows boto3; not names or rights."""

import base64
import hashlib
import os
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module
from typing import Any, Literal
from urllib.parse import parse_qsl

from db.errors import Unavailable, VaultError
from db.files.keys import blob_key
from handlers.services import Services
from handlers.settings import Settings


@dataclass(frozen=True, slots=True)
class DirectPut:
    """Where and how to put an object: every header must be sent as it is."""

    url: str
    headers: dict[str, str]


class S3Links:
    """Signs for one bucket with the credentials of the process."""

    def __init__(self, bucket: str, prefix: str, endpoint: str, region: str | None) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._endpoint = endpoint
        self._region = region

    @cached_property
    def _client(self) -> Any:
        # Here: 250 ms that only a long file costs. By name: boto3 makes its clients' types at run time.
        try:
            boto3: Any = import_module("boto3")
        except ImportError as exc:
            raise VaultError(
                "addresses of S3 are signed by boto3, which is not installed",
                code="misconfigured",
                hint="pip install 'vaultry[aws]'",
            ) from exc
        config: Any = import_module("botocore.config")
        style = {"addressing_style": "path"} if self._endpoint else {"addressing_style": "virtual"}
        # Otherwise it adds a checksum of its own choice, which whoever puts would have to send.
        signing = config.Config(signature_version="s3v4", s3=style, request_checksum_calculation="when_required")
        return boto3.client("s3", region_name=self._region, endpoint_url=self._endpoint or None, config=signing)

    def get(self, vault_id: str, name: str, content_type: str, disposition: str | None, seconds: int) -> str:
        """The address that hands out a content as this type for so many seconds. Raises Unavailable."""
        wanted = {"ResponseContentType": content_type, "ResponseCacheControl": "private, no-cache"}
        if disposition is not None:
            wanted["ResponseContentDisposition"] = disposition
        return self._signed("get_object", {"Key": self._key(vault_id, name), **wanted}, seconds)

    def put(self, vault_id: str, name: str, size: int, sha256: str | None, seconds: int) -> DirectPut:
        """Where a content of so many bytes can be put once; what is there is never replaced. Raises Unavailable."""
        headers = {"Content-Length": str(size), "If-None-Match": "*"}
        wanted: dict[str, Any] = {"Key": self._key(vault_id, name), "ContentLength": size, "IfNoneMatch": "*"}
        if sha256 is not None:
            checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
            wanted["ChecksumSHA256"] = headers["x-amz-checksum-sha256"] = checksum
        return DirectPut(self._signed("put_object", wanted, seconds), headers)

    def plain(self, action: Literal["get_object", "put_object"], key: str, seconds: int) -> str:
        """The address at which any object can be had, or put over whatever is there. Raises Unavailable."""
        return self._signed(action, {"Key": self._full(key)}, seconds)

    @cached_property
    def etags_are_md5(self) -> bool:
        """Whether S3 answers a put with the MD5 of its body; where it encrypts by keys of KMS, it does not.

        Found out by a put, which needs no further right. Raises Unavailable.
        """
        failures: Any = import_module("botocore.exceptions")
        body, key = os.urandom(16), self._full(f"staging/{os.urandom(12).hex()}")
        try:
            answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=body)
            self._client.delete_object(Bucket=self._bucket, Key=key)
        except (failures.BotoCoreError, failures.ClientError) as exc:
            raise Unavailable(f"asking S3 for an ETag: {type(exc).__name__}", code="store_unavailable") from exc
        return bool(answer["ETag"].strip('"') == hashlib.md5(body, usedforsecurity=False).hexdigest())

    def _key(self, vault_id: str, name: str) -> str:
        return self._full(blob_key(vault_id, name))

    def _full(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    def _signed(self, action: str, wanted: dict[str, Any], seconds: int) -> str:
        failures: Any = import_module("botocore.exceptions")
        given = {"Bucket": self._bucket, **wanted}
        try:
            url: str = self._client.generate_presigned_url(action, Params=given, ExpiresIn=seconds)
        except failures.BotoCoreError as exc:
            raise Unavailable(f"signing an address of S3: {type(exc).__name__}", code="store_unavailable") from exc
        return url


def s3_links(services: Services) -> S3Links | None:
    """What signs for the store of this process; None for a store in a folder."""
    return _links(services.settings)


@lru_cache(maxsize=4)
def _links(settings: Settings) -> S3Links | None:
    place = settings.bucket
    if place is None:
        return None
    region = dict(parse_qsl(settings.store.partition("?")[2])).get("region")
    return S3Links(*place, settings.s3_endpoint, region)
