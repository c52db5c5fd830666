"""The life of a migration with the vaults in a bucket."""

import pytest

from db.errors import MigrationFailed
from handlers.fleet.rehearsal import Choice, rehearse
from handlers.fleet.reversal import revert, select_rollout
from handlers.fleet.rollout import Wish, begin_or_resume, work_on
from handlers.fleet.status import fleet_status
from tests.handlers.fleet.conftest import OPERATOR, PARKS, Fleet
from tests.moto_s3 import moto_s3


class FleetOnS3(Fleet):
    """As a fleet in a folder, but for the store."""

    @property
    def environ(self):
        return {
            "VAULTRY_STORE": f"s3://{self.s3.bucket}/fleet?region={self.s3.region}",
            "VAULTRY_S3_ENDPOINT": self.s3.endpoint,
            "VAULTRY_SECRET": "test-secret-" * 4,
            "VAULTRY_CACHE": str(self.folder / "cache"),
            "VAULTRY_MAIL": f"folder:{self.folder / 'mail'}",
            "VAULTRY_BASE_URL": "https://choirs.example",
        }


def quiet(label, done, total):
    """Nobody watches."""


def test_a_migration_is_rehearsed_rolled_and_taken_back_in_a_bucket(fleet, monkeypatch):
    with moto_s3() as s3:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_access_key)
        there = FleetOnS3(fleet.folder, fleet.opened)
        there.s3 = s3
        there.choirs("anna", "bella")
        there.write("anna", title="Os justi")
        fleet.steps(PARKS)
        services = there.services()
        keys = {stored.key for stored in services.site.store.list("vaults/", op="test")}
        assert rehearse(services, Choice(), OPERATOR, 2, quiet).failed == 0
        left = {stored.key for stored in services.site.store.list("vaults/", op="test")} - keys
        assert all("/registry/" in key for key in left)
        rollout = begin_or_resume(services, Wish(), OPERATOR)
        assert work_on(services, rollout, OPERATOR, 2, quiet).state == "done"
        done = list(revert(services, select_rollout(services, rollout.id, None), OPERATOR, 2, quiet))
        assert [each.need for each in done] == ["revert", "revert"]
        assert [known.slug for known in fleet_status(services).refusing] == ["anna", "bella"]
        with pytest.raises(MigrationFailed):
            there.write("anna", title="Locus iste")
        assert there.rows("anna", "SELECT title FROM works") == [("Os justi",)]
        for opened in there.opened:
            opened.close()
