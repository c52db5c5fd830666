"""Absent keeps, null clears, nothing at all is an error."""

import pytest

from db.errors import Invalid
from db.fields import Choice, Field, Text, parse_fields
from domain.partial_update import changeable, changes

FIELDS: dict[str, Field] = {"title": Text(required=True), "composer": Text(), "kind": Choice(("a", "b"))}


def given(**values: object) -> dict[str, object]:
    parsed = parse_fields(values, changeable(FIELDS))
    return changes(parsed, FIELDS, never_null=frozenset({"kind"}))


def test_only_given_fields_change():
    assert given(title=" Crucifixus ") == {"title": "Crucifixus"}


def test_null_and_blank_clear_an_optional_field():
    assert given(composer=None) == {"composer": None}
    assert given(composer="  ") == {"composer": None}


@pytest.mark.parametrize("values", [{}, {"title": None}, {"title": " "}, {"kind": None}, {"kind": "c"}, {"year": 1}])
def test_a_required_field_is_not_cleared_and_something_must_change(values: dict[str, object]):
    with pytest.raises(Invalid):
        given(**values)


def test_fields_beside_the_changeable_ones_are_left_to_the_caller():
    assert changes({"title": "x", "id": "1"}, FIELDS) == {"title": "x"}
