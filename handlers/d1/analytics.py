"""`graphql`: what clients ask about the use of a database, answered from the audit log. Understands no GraphQL.

Only what was written is known, and by the hour; what is read, and by which statement, is not kept: those figures are 0
and those lists empty.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from db.audit.activity import Activity, activity_by_hour
from db.clock import parse_timestamp
from db.errors import Invalid
from db.fields import is_json_list, is_json_object
from handlers.d1.access import caller, enter
from handlers.d1.envelope import MEDIA_TYPE
from handlers.http.call import Call
from handlers.http.reply import Reply
from handlers.services import Services

_WRITTEN = "d1AnalyticsAdaptiveGroups"
_STATEMENTS = "d1QueriesAdaptiveGroups"


def query(services: Services, call: Call) -> Reply:
    """The figures of one database, in the shape of either dataset. Raises Invalid for another question."""
    caller(services, call)
    body = call.json_object()
    variables = body.get("variables")
    asked = variables if is_json_object(variables) else {}
    wanted = _condition(asked)
    access = enter(
        services, replace(call, path={"account": str(asked.get("accountTag")), "database": wanted["databaseId"]})
    )
    groups: list[dict[str, Any]] = []
    if _WRITTEN in str(body.get("query")):
        first = _moment(wanted, "datetimeHour_geq", "1970-01-01T00:00:00Z")
        last = _moment(wanted, "datetimeHour_leq", call.now.text)
        with services.quiet_vault(access.entry) as vault:
            found = vault.read(lambda tx: activity_by_hour(tx, first, last), call.freshness).value
        groups = [_group(hour, activity) for hour, activity in found.items()]
    told = {"viewer": {"accounts": [{_WRITTEN: groups, _STATEMENTS: []}]}}
    return Reply(200, json.dumps({"data": told, "errors": None}), MEDIA_TYPE)


def _condition(variables: Mapping[str, Any]) -> dict[str, str]:
    """The conditions of the filter, all of which must hold. Raises Invalid unless one names the database."""
    given = variables.get("filter")
    listed: Any = given.get("AND", [given]) if is_json_object(given) else []
    conditions = [part for part in listed if is_json_object(part)] if is_json_list(listed) else []
    found = {str(name): str(value) for part in conditions for name, value in part.items()}
    if not found.get("databaseId"):
        raise Invalid("Invalid property: variables.filter.AND => wanted the databaseId to tell about", field="filter")
    return found


def _moment(wanted: Mapping[str, str], name: str, default: str) -> str:
    return parse_timestamp(wanted.get(name, default), name)


def _group(hour: str, activity: Activity) -> dict[str, Any]:
    summed = {"readQueries": 0, "writeQueries": activity.requests, "rowsRead": 0, "rowsWritten": activity.rows}
    return {"sum": summed, "dimensions": {"datetimeHour": hour}}
