"""Addresses for the files of imports and exports: S3's own where the store is there, else routes of ours, signed.

Clients compare the ETag of an upload with the MD5 of the file. A bucket whose keys are KMS's tells another one: there
uploads come to us.
"""

from db.errors import Forbidden
from db.files.links import Link, Purpose, open_link, sign_link
from db.transfer.objects import export_key, import_key
from handlers.d1.routes import PREFIX
from handlers.http.call import Call
from handlers.services import Services
from handlers.storage.presigned import s3_links

SECONDS = 3600
_BUCKET = "jobs"


def upload_address(services: Services, call: Call, vault_id: str, filename: str) -> str:
    """Where to put a file within an hour. Raises Unavailable."""
    links = s3_links(services)
    if links is not None and links.etags_are_md5:
        return links.plain("put_object", import_key(vault_id, filename), SECONDS)
    return _signed(services, call, "import upload", "import", vault_id, filename)


def download_address(services: Services, call: Call, vault_id: str, filename: str) -> str:
    """Where a file can be had for an hour."""
    links = s3_links(services)
    if links is not None:
        return links.plain("get_object", export_key(vault_id, filename), SECONDS)
    return _signed(services, call, "export download", "export", vault_id, filename)


def open_address(services: Services, call: Call, purpose: Purpose) -> tuple[str, str]:
    """The vault and file that the address of this request is signed for.

    Raises Forbidden `link_invalid`, Gone `link_expired`.
    """
    token = call.parameter("token")
    if not token:
        raise Forbidden("the link lacks its token", code="link_invalid")
    place = (call.path["database"], _BUCKET, call.path["file"])
    open_link(services.keyring, purpose, token, place, call.now)
    return place[0], place[2]


def _signed(services: Services, call: Call, purpose: Purpose, step: str, vault_id: str, filename: str) -> str:
    token = sign_link(services.keyring, purpose, Link(vault_id, _BUCKET, filename, {}), SECONDS, call.now)
    account = call.path["account"]
    place = f"{PREFIX}/accounts/{account}/d1/database/{vault_id}/{step}/{filename}"
    return f"{services.settings.base_url}{place}?token={token}"
