"""What an umbrella owns, as the members of its collectives see it. Knows active affiliations; changes nothing."""

import json
from typing import Any

from db.clock import Moment
from db.errors import NotFound
from db.fields import Field, Text
from db.principal import Principal
from db.transaction import ReadTx
from domain.charter import Args, Verb
from domain.choir.library.score_access import score_place

_EVENTS = """
SELECT e.id, e.title, e.description, e.location, e.starts_at, e.ends_at, e.event_type,
       u.id AS umbrella_id, u.name AS umbrella
  FROM affiliations AS a JOIN organizations AS u ON u.id = a.umbrella_id JOIN events AS e ON e.org_id = u.id
 WHERE a.collective_id = :org_id AND a.left_at IS NULL
 ORDER BY e.starts_at, e.id
"""


def events(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The events of every umbrella the collective is under now, by start."""
    return [dict(row) for row in tx.rows(_EVENTS, org_id=principal.scope)]


_WORKS = """
SELECT w.id, w.title, w.composer, w.lyricist, u.id AS umbrella_id, u.name AS umbrella,
       (SELECT json_group_array(json_object(
            'id', id, 'name', name, 'arranger', arranger, 'publisher', publisher, 'voicing', voicing,
            'edition_type', edition_type, 'license_type', license_type, 'notes', notes, 'external_url', external_url,
            'file_name', file_name, 'file_size', file_size))
          FROM (SELECT * FROM editions WHERE work_id = w.id AND deleted_at IS NULL
                 ORDER BY edition_type, casefold(name), id)) AS editions
  FROM affiliations AS a JOIN organizations AS u ON u.id = a.umbrella_id JOIN works AS w ON w.org_id = u.id
 WHERE a.collective_id = :org_id AND a.left_at IS NULL
 ORDER BY casefold(w.title), w.id
"""


def works(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> list[dict[str, Any]]:
    """The works of every umbrella the collective is under now, by title, each with its editions."""
    return [dict(row) | {"editions": json.loads(row["editions"])} for row in tx.rows(_WORKS, org_id=principal.scope)]


_EDITION = """
SELECT e.* FROM editions AS e JOIN works AS w ON w.id = e.work_id
  JOIN affiliations AS a ON a.umbrella_id = w.org_id AND a.collective_id = :org_id AND a.left_at IS NULL
 WHERE e.id = :id
"""


def file(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Where the file of a shared edition is. Raises NotFound once the affiliation has ended, TakenDown."""
    edition = tx.row(_EDITION, id=args["edition_id"], org_id=principal.scope)
    if edition is None:
        raise NotFound(f"edition {args['edition_id']}: not shared with this organization", field="edition_id")
    return score_place(tx, edition, member=True)


_MEMBER = ("member",)
_ONE: dict[str, Field] = {"edition_id": Text(required=True)}

VERBS = (
    Verb("shared.events", events, False, "Events of the umbrellas this collective is under.", _MEMBER),
    Verb("shared.works", works, False, "Works of the umbrellas this collective is under.", _MEMBER),
    Verb("shared.file", file, False, "Where the file of a shared edition is.", _MEMBER, _ONE),
)
