"""The catalogue over REST: pieces, composers and arrangers, publishers. Data, and the rules a single row must keep.

What is in the trash is nobody's row here; `music.trash` lists it.
"""

from db.clock import Moment
from db.errors import Conflict
from db.fields import Choice, Field, Integer, ListOf, Text, Url
from db.principal import Principal
from db.resources import Policy, Resource, SearchIndex, Values
from db.transaction import Row, WriteTx
from domain.band.names import check_name
from domain.band.visibility import ASSIGNED_PIECES
from domain.supplied import moment, new_id

DIFFICULTIES = tuple(f"GRADE_{grade}" for grade in range(1, 7))

PIECE_FIELDS: dict[str, Field] = {
    "title": Text(required=True),
    "subtitle": Text(),
    "composer_id": Text(),
    "arranger_id": Text(),
    "publisher_id": Text(),
    "difficulty": Choice(DIFFICULTIES),
    "duration": Integer(minimum=1),
    "genre": Text(max_characters=100),
    "style": Text(max_characters=100),
    "instrumentation": Text(max_characters=2000),
    "tags": ListOf(Text(max_characters=60), maximum=50),
    "catalog_number": Text(max_characters=100),
    "notes": Text(max_characters=4000),
    "performance_history": Text(max_characters=4000),
}
PERSON_FIELDS: dict[str, Field] = {
    "first_name": Text(max_characters=100),
    "last_name": Text(required=True, max_characters=100),
    "bio": Text(max_characters=4000),
}

_LIVE = "deleted_at IS NULL"
_ANY_MUSIC = (Policy("music.view.all", "1"), Policy("music.view.assigned", "1"))
_EDIT = (Policy("music.edit", "1"),)
_CREATE = (Policy("music.create", "1"),)
_WORDS = SearchIndex("music_pieces_fts", key="piece_id")
_SAME_PERSON = "SELECT 1 FROM persons WHERE casefold(full_name) = casefold(:name)"
_NUMBER_TAKEN = "SELECT 1 FROM music_pieces WHERE catalog_number = :number AND id IS NOT :id"


def full_name(first_name: str | None, last_name: str) -> str:
    """`Last, First`; the last name alone for somebody with one name."""
    return f"{last_name}, {first_name}" if first_name else last_name


def _check_piece(tx: WriteTx, principal: Principal, old: Row | None, new: Values, now: Moment) -> None:
    """Raise Conflict `catalog_number_taken`, for the number of a piece in the trash too."""
    number = new.get("catalog_number")
    if number is not None and tx.value(_NUMBER_TAKEN, number=number, id=old["id"] if old else None) is not None:
        raise Conflict(
            f"catalog_number: {number!r} is taken, by a piece in the trash perhaps",
            code="catalog_number_taken",
            field="catalog_number",
        )


def _check_person(tx: WriteTx, principal: Principal, old: Row | None, new: Values, now: Moment) -> None:
    """Keep the full name in step with its parts. Raises Conflict `name_taken` for a known person added again."""
    first = new.get("first_name", old["first_name"] if old else None)
    last = new.get("last_name", old["last_name"] if old else "")
    if first is None:
        new["first_name"] = ""
    name = new["full_name"] = full_name(str(first or ""), str(last))
    if old is None and tx.value(_SAME_PERSON, name=name) is not None:
        raise Conflict(
            f"last_name: there is a {name} already",
            code="name_taken",
            field="last_name",
            hint="person.add gives the known person's id, or with force another of that name",
        )


CATALOGUE: tuple[Resource, ...] = (
    Resource(
        "music_pieces",
        read=(
            Policy("music.view.all", _LIVE),
            Policy("music.view.assigned", f"{_LIVE} AND id IN {ASSIGNED_PIECES}", unless="music.view.all"),
        ),
        insert=_CREATE,
        update=(Policy("music.edit", _LIVE),),
        fields=PIECE_FIELDS,
        supplied={"id": new_id, "created_at": moment, "updated_at": moment},
        touched={"updated_at": moment},
        check=_check_piece,
        search=dict.fromkeys(("title", "subtitle", "notes"), _WORDS),
    ),
    Resource(
        "persons",
        read=_ANY_MUSIC,
        insert=_CREATE,
        update=_EDIT,
        fields=PERSON_FIELDS,
        supplied={"id": new_id, "created_at": moment, "updated_at": moment},
        touched={"updated_at": moment},
        check=_check_person,
    ),
    Resource(
        "publishers",
        read=_ANY_MUSIC,
        insert=_CREATE,
        update=_EDIT,
        fields={"name": Text(required=True), "website": Url(), "contact_info": Text(max_characters=1000)},
        supplied={"id": new_id, "created_at": moment, "updated_at": moment},
        touched={"updated_at": moment},
        check=check_name("publishers"),
    ),
)
