"""How many come to an event and how many came. Knows counts; names nobody, so an umbrella may read it."""

from typing import Any

from db.clock import Moment
from db.fields import Text
from db.principal import Principal
from db.transaction import ReadTx
from domain.charter import Args, Verb
from domain.choir.event.events import event_seen

# The members of this choir now. At an umbrella: those of every collective affiliated now, added up choir by choir.
_COUNTS = """
SELECT count(*) AS members,
       count(*) FILTER (WHERE p.planned_status = 'yes') AS yes,
       count(*) FILTER (WHERE p.planned_status = 'no') AS no,
       count(*) FILTER (WHERE p.planned_status = 'maybe') AS maybe,
       count(*) FILTER (WHERE p.planned_status = 'late') AS late,
       count(*) FILTER (WHERE p.planned_status IS NULL) AS no_response,
       count(*) FILTER (WHERE p.actual_status = 'present') AS present,
       count(*) FILTER (WHERE p.actual_status = 'absent') AS absent,
       count(*) FILTER (WHERE p.actual_status = 'late') AS late_arrivals,
       count(*) FILTER (WHERE p.actual_status IS NULL) AS not_recorded
  FROM (SELECT id FROM organizations WHERE id = :org_id AND type = 'collective'
        UNION ALL
        SELECT collective_id FROM affiliations WHERE umbrella_id = :org_id AND left_at IS NULL) AS choir
  JOIN member_organizations AS o ON o.org_id = choir.id
  LEFT JOIN participation AS p ON p.member_id = o.member_id AND p.event_id = :event_id
"""


def summary(tx: ReadTx, principal: Principal, args: Args, now: Moment) -> dict[str, Any]:
    """Counts of RSVP and attendance over the members there are now; former members are left out. Raises NotFound."""
    event = event_seen(tx, principal.scope, args["event_id"])
    row = tx.row(_COUNTS, org_id=principal.scope, event_id=event["id"])
    return {} if row is None else dict(row)


VERBS = (
    Verb(
        "participation.summary",
        summary,
        False,
        "How many said they come, and how many came.",
        ("member",),
        {"event_id": Text(required=True)},
    ),
)
