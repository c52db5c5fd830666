"""What a write answers, and which writes are refused as such."""

import pytest

from db.errors import Conflict, Invalid, NotAcceptable, NotFound, VaultError
from tests.db.rest.library import (
    LIBRARIAN,
    SINGULAR,
    Library,
    write,
)


def test_failed_constraints_have_postgres_codes(library: Library) -> None:
    library.work("Requiem")
    library.work("Anchored")
    library.edition("requiem", "a")
    for error, code, method, table, query, body in (
        (Conflict, "23505", "POST", "works", (), {"title": "Requiem"}),
        (Conflict, "23505", "POST", "works", (), {"id": "requiem", "title": "B"}),
        (Conflict, "23503", "POST", "work_tags", (), {"work_id": "none", "tag_id": 1}),
        (Conflict, "work_anchored", "DELETE", "works", [("id", "eq.anchored")], None),
    ):
        with pytest.raises(error) as caught:
            write(library, method, table, *query, body=body)
        assert caught.value.code == code


@pytest.mark.parametrize("prefer", ["return=representation", "return=minimal"])
@pytest.mark.parametrize("condition", ["eq.none", "not.is.null"])
def test_singular_write_refuses_another_number_of_rows(library: Library, prefer: str, condition: str) -> None:
    library.work("A")
    library.work("B")
    for method in ("PATCH", "DELETE"):
        with pytest.raises(NotAcceptable) as caught:
            library.ask(
                method, "works", ("id", condition), who=LIBRARIAN, body={"pages": 1}, accept=SINGULAR, prefer=prefer
            )
        assert caught.value.code == "PGRST116"


def test_singular_insert_answers_the_object(library: Library) -> None:
    assert write(library, "POST", "works", ("select", "title"), body=[{"title": "A"}], accept=SINGULAR) == {
        "title": "A"
    }


@pytest.mark.parametrize(("limit", "refused"), [(1, True), (2, False), (3, False)])
def test_max_affected_is_held_when_strict(library: Library, limit: int, refused: bool) -> None:
    library.work("A")
    library.work("B")
    prefer = f"handling=strict, max-affected={limit}"
    query = ("DELETE", "works", ("id", "not.is.null"))
    if not refused:
        answer = library.ask(*query, who=LIBRARIAN, prefer=prefer)
        assert answer.applied == ("handling=strict", f"max-affected={limit}")
        return
    with pytest.raises(Invalid) as caught:
        library.ask(*query, who=LIBRARIAN, prefer=prefer)
    assert caught.value.code == "PGRST124"


def test_a_table_that_is_no_resource_cannot_be_written(library: Library) -> None:
    with pytest.raises(NotFound):
        write(library, "POST", "accounts", body={"id": "x"})


def test_other_methods_are_refused(library: Library) -> None:
    with pytest.raises(VaultError) as caught:
        write(library, "BREW", "works", body={})
    assert caught.value.code == "PGRST117"
