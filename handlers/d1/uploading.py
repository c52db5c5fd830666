"""The file of an import, put at its signed address: written to disk as it comes, then kept in the store."""

import hashlib
from contextlib import ExitStack, suppress

from db.errors import Invalid
from db.files.spool import Spool
from db.registry.directory import find_vault, require_active
from db.stores.base import ObjectExists
from db.transfer.objects import import_key
from handlers.d1.envelope import MEDIA_TYPE
from handlers.d1.importing import file_of
from handlers.d1.links import open_address
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services


class Upload:
    """A file on its way in."""

    def __init__(self, services: Services, call: Call) -> None:
        self._services = services
        self._call = call
        self._vault_id, self._filename = open_address(services, call, "import upload")
        entry = require_active(services.registry_read(lambda tx: find_vault(tx, self._vault_id)))
        self._open = ExitStack()
        vault = self._open.enter_context(services.quiet_vault(entry))
        folder = self._open.enter_context(vault.scratch())
        most = services.settings.import_bytes
        self._spool = self._open.enter_context(Spool(folder / "upload", most, "an import (VAULTRY_IMPORT_BYTES)"))
        self._digest = hashlib.md5(usedforsecurity=False)

    def feed(self, part: bytes) -> None:
        """Add to the file. Raises TooLarge."""
        self._spool.write(part)
        self._digest.update(part)

    def finish(self) -> Reply:
        """Keep the file, if it is the one that was announced; the answer tells its MD5. Raises Invalid."""
        etag = self._digest.hexdigest()
        if file_of(etag) != self._filename:
            raise Invalid(f"got a file of MD5 {etag}, announced was {self._filename[:32]}", code="etag_differs")
        self._spool.close()
        with suppress(ObjectExists):
            self._services.site.store.put(
                import_key(self._vault_id, self._filename),
                self._spool.path,
                timestamp_ms=self._call.now.ms,
                op="jobs:put",
            )
        return Reply(200, "", MEDIA_TYPE, (("ETag", f'"{etag}"'),))

    def broken_off(self) -> None:
        """Nothing is kept of a part."""

    def close(self) -> None:
        """Let go of the file."""
        self._open.close()


def begin(services: Services, call: Call) -> Upload:
    """Take in the file for which the address was signed. Raises Forbidden, Gone."""
    return Upload(services, call)
