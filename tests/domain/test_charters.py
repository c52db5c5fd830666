"""Charters are found by name and declare what a door needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from db.errors import Conflict, VaultError
from domain import charters
from domain.charters import CHARTERS, declare_charter

_ROOT = Path(__file__).parents[2]


def test_charters_are_found_by_name():
    assert "choir" in CHARTERS
    assert "orchestra" not in CHARTERS
    assert CHARTERS["choir"].name == "choir"
    with pytest.raises(KeyError):
        CHARTERS["orchestra"]


@pytest.mark.parametrize("name", list(CHARTERS))
def test_names_in_a_charter_are_unique(name: str):
    charter = CHARTERS[name]
    verbs = [verb.name for verb in charter.verbs]
    tables = [resource.table for resource in charter.resources]
    assert len(set(verbs)) == len(verbs)
    assert len(set(tables)) == len(tables)


@pytest.mark.parametrize("name", list(CHARTERS))
def test_verbs_ask_for_permissions_that_some_role_holds(name: str):
    charter = CHARTERS[name]
    known = frozenset().union(*charter.roles.values())
    policies = [
        policy
        for resource in charter.resources
        for policy in (*resource.read, *resource.insert, *resource.update, *resource.delete)
    ]
    asked = {permission for verb in charter.verbs for permission in verb.allow}
    asked |= {policy.permission for policy in policies if policy.permission is not None}
    assert asked <= known


@pytest.mark.parametrize("name", list(CHARTERS))
def test_the_migrations_of_a_charter_exist(name: str):
    for migration_set in CHARTERS[name].sets:
        numbers = sorted(path.name[:4] for path in (_ROOT / "migrations" / migration_set).glob("*.sql"))
        assert numbers == [f"{number:04d}" for number in range(1, len(numbers) + 1)]
        assert numbers


def test_asking_for_the_list_of_charters_imports_none():
    code = "import sys, domain.charters; print([m for m in sys.modules if m.startswith('domain.choir')])"
    answer = subprocess.run([sys.executable, "-c", code], cwd=_ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.fixture
def declared(monkeypatch):
    """What is declared in a test is forgotten after it."""
    monkeypatch.setattr(charters, "_declared", dict(charters.IN_THE_BOX))


def test_a_charter_that_is_not_in_the_box_is_imported_when_it_is_asked_for(declared, tmp_path, monkeypatch):
    declare_charter("allotment", "allotment_charter", "ALLOTMENT")
    declare_charter("allotment", "allotment_charter", "ALLOTMENT")
    assert list(CHARTERS)[-1] == "allotment"
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "allotment_charter.py").write_text(
        "from domain.charter import Charter\n"
        "ALLOTMENT = Charter('allotment', ('kernel', 'allotment'), (), (), {}, lambda *_: '', migrations=__file__)\n"
    )
    assert CHARTERS["allotment"].name == "allotment"


@pytest.mark.parametrize("name", ["choir", "kernel", "registry"])
def test_a_name_that_is_taken_is_refused(declared, name: str):
    with pytest.raises(Conflict):
        declare_charter(name, "allotment", "ALLOTMENT")


@pytest.mark.parametrize(
    ("module", "constant", "said"),
    [
        ("nowhere.charter", "X", "nowhere"),
        ("domain.choir.charter", "BAND", "BAND"),
        ("domain.choir.charter", "CHOIR", "choir"),
        ("domain.choir.charter", "__doc__", "str"),
    ],
)
def test_a_charter_that_is_not_where_it_should_be_is_our_own_fault(declared, module: str, constant: str, said: str):
    declare_charter("allotment", module, constant)
    with pytest.raises(VaultError, match=said) as caught:
        CHARTERS["allotment"]
    assert caught.value.code == "misconfigured"
