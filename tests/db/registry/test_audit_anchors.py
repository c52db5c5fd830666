"""Anchors of audit chains: kept, and only ever moved forward."""

import sqlite3

import pytest

from db.registry.audit_anchors import Anchor, find_anchor, record_anchor
from tests.db.registry.registry_rows import at

NOON = at("12:00:00")


def test_the_newest_anchor_is_kept_whatever_comes_later(tx):
    assert find_anchor(tx, "v") is None
    for anchor in (Anchor(3, "a" * 64), Anchor(7, "b" * 64), Anchor(5, "c" * 64), Anchor(7, "d" * 64)):
        record_anchor(tx, "v", anchor, NOON)
    assert find_anchor(tx, "v") == Anchor(7, "b" * 64)


@pytest.mark.parametrize("change", ["seq = 2", "mac = replace(mac, 'a', 'b')", "vault_id = 'w'"])
def test_the_database_refuses_to_set_an_anchor_back(tx, change):
    record_anchor(tx, "v", Anchor(3, "a" * 64), NOON)
    with pytest.raises(sqlite3.IntegrityError):
        tx.execute(f"UPDATE audit_anchors SET {change}")
