"""Labels on tenants: put on, taken off, looked up, refused."""

import pytest

from db.errors import Invalid
from db.registry.directory import delete_vault, forget_vault, list_vaults
from db.registry.labels import MAX_PER_VAULT, change_labels, labels_of, vaults_labelled
from tests.db.registry.registry_rows import after, at, make_vault

NOW = at("10:00:00")


def test_labels_are_put_on_and_taken_off_and_twice_is_once(tx):
    vault = make_vault(tx)
    assert change_labels(tx, vault.id, ["pilot", " north "], [], NOW) == ["north", "pilot"]
    assert change_labels(tx, vault.id, ["pilot"], ["north", "absent"], NOW) == ["pilot"] == labels_of(tx, vault.id)


def test_a_label_finds_its_vaults_and_theirs_alone(tx):
    for slug, labels in (("aurora", ["pilot"]), ("bella", ["pilot", "north"]), ("corda", [])):
        change_labels(tx, make_vault(tx, slug).id, labels, [], NOW)
    assert vaults_labelled(tx, "pilot") == {"v-aurora", "v-bella"}
    assert vaults_labelled(tx, "absent") == frozenset()
    page = list_vaults(tx, label="north")
    assert ([entry.slug for entry in page.entries], page.total) == (["bella"], 1)


@pytest.mark.parametrize("label", ["", "Pilot", "-a", ".a", "a b", "ä", "a" * 41, "a\n"])
def test_other_forms_are_refused(tx, label):
    vault = make_vault(tx)
    if label.strip() != "a":
        with pytest.raises(Invalid):
            change_labels(tx, vault.id, [label], [], NOW)
    else:
        assert change_labels(tx, vault.id, [label], [], NOW) == ["a"]


@pytest.mark.parametrize("label", ["a", "2026", "a.b-c_d", "a" * 40])
def test_these_forms_are_taken(tx, label):
    assert change_labels(tx, make_vault(tx).id, [label], [], NOW) == [label]


@pytest.mark.parametrize("count", [MAX_PER_VAULT, MAX_PER_VAULT + 1])
def test_the_number_of_labels_is_limited(tx, count):
    vault = make_vault(tx)
    labels = [f"l{number}" for number in range(count)]
    if count <= MAX_PER_VAULT:
        assert len(change_labels(tx, vault.id, labels, [], NOW)) == count
    else:
        with pytest.raises(Invalid, match="at most 50"):
            change_labels(tx, vault.id, labels, [], NOW)


def test_labels_go_with_their_vault(tx):
    vault = make_vault(tx)
    change_labels(tx, vault.id, ["pilot"], [], NOW)
    delete_vault(tx, vault.id, NOW)
    forget_vault(tx, vault.id, after(NOW, seconds=30 * 86400))
    assert vaults_labelled(tx, "pilot") == frozenset()
