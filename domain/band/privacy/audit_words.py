"""The audit log in the words of the band: what an action is called, which model a table holds. Pure data and names."""

from collections.abc import Mapping

MODELS: Mapping[str, str] = {
    "users": "User",
    "roles": "Role",
    "user_roles": "UserRole",
    "permissions": "Permission",
    "role_permissions": "RolePermission",
    "members": "Member",
    "instruments": "Instrument",
    "member_instruments": "MemberInstrument",
    "sections": "Section",
    "member_sections": "MemberSection",
    "persons": "Person",
    "publishers": "Publisher",
    "music_pieces": "MusicPiece",
    "music_files": "MusicFile",
    "music_parts": "MusicPart",
    "music_assignments": "MusicAssignment",
    "file_downloads": "FileDownload",
    "events": "Event",
    "venues": "Venue",
    "attendance": "Attendance",
    "event_music": "EventMusic",
    "event_notes": "EventNote",
    "pages": "Page",
    "page_versions": "PageVersion",
    "announcements": "Announcement",
    "media_assets": "MediaAsset",
    "user_notifications": "UserNotification",
    "messages": "Message",
    "system_settings": "SystemSetting",
}
TABLES: Mapping[str, str] = {model: table for table, model in MODELS.items()}
_PLAIN = {"insert": "CREATE", "update": "UPDATE", "delete": "DELETE"}
# What a row of this table that came or went means, whichever verb it was.
_OF_TABLE: Mapping[tuple[str, str], str] = {
    ("user_roles", "insert"): "GRANT_ROLE",
    ("user_roles", "delete"): "REVOKE_ROLE",
    ("music_assignments", "insert"): "ASSIGN",
    ("music_assignments", "delete"): "UNASSIGN",
    ("attendance", "insert"): "MARK",
    ("attendance", "update"): "MARK",
    ("messages", "insert"): "SEND",
    ("vaultry_forgotten", "insert"): "ANONYMISE",
}
# What a change of a row means by the last word of the verb that made it.
_BY_VERB: Mapping[str, str] = {
    "restore": "RESTORE",
    "set_status": "STATUS_CHANGE",
    "set_statuses": "STATUS_CHANGE",
    "publish": "PUBLISH",
    "unpublish": "UNPUBLISH",
    "schedule": "SCHEDULE",
    "unschedule": "UNSCHEDULE",
    "archive": "ARCHIVE",
    "unarchive": "UNARCHIVE",
    "cancel": "CANCEL",
    "reinstate": "REINSTATE",
}
_SECRET = ("_secret", "_password", "_key")
_SETTING_CHARACTERS = 100
REDACTED = "[redacted]"


def action_of(verb: str, operation: str, table: str, noted: Mapping[str, object] | None) -> str:
    """What the row says was done. noted: the values of a note."""
    if operation == "note":
        named = (noted or {}).get("action")
        return named if isinstance(named, str) else table.upper()
    if verb == "attendance.initialise" and table == "attendance":
        return "INITIALISE"
    of_table = _OF_TABLE.get((table, operation))
    if of_table is not None:
        return of_table
    return _BY_VERB.get(verb.rpartition(".")[2], "UPDATE") if operation == "update" else _PLAIN[operation]


def shown_values(table: str, values: dict[str, object] | None, setting: object = None) -> dict[str, object] | None:
    """The values without `updated_at`; of a setting the first 100 characters, and nothing of a secret."""
    if values is None:
        return None
    shown = {name: value for name, value in values.items() if name != "updated_at"}
    value = shown.get("value")
    if table == "system_settings" and isinstance(value, str):
        key = shown.get("key", setting)
        secret = not isinstance(key, str) or key.endswith(_SECRET)
        shown["value"] = REDACTED if secret else value[:_SETTING_CHARACTERS]
    return shown
