"""What the checks of a band's vault look for, as SQL. Data only: each query gives the ids of what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString


@dataclass(frozen=True, slots=True)
class FullText:
    """A full-text table: its rows and those of its source, counted, and how it is made again."""

    rows: LiteralString
    source: LiteralString
    clear: LiteralString
    fill: LiteralString


def _full_text(name: LiteralString, key: LiteralString, source: LiteralString, columns: LiteralString) -> FullText:
    return FullText(
        f"SELECT count(*) FROM {name}",
        f"SELECT count(*) FROM {source}",
        f"DELETE FROM {name}",
        f"INSERT INTO {name} ({key}, {columns}) SELECT id, {columns} FROM {source} ORDER BY id",
    )


FULL_TEXT: Mapping[str, FullText] = {
    "music_pieces_fts": _full_text("music_pieces_fts", "piece_id", "music_pieces", "title, subtitle, notes"),
    "music_pieces_title_tri": _full_text("music_pieces_title_tri", "piece_id", "music_pieces", "title"),
    "pages_fts": _full_text("pages_fts", "page_id", "pages", "title, description, raw_markdown"),
}
SEALED: tuple[tuple[str, str], ...] = (
    ("users", "email"),
    ("members", "email"),
    ("members", "phone"),
    ("members", "emergency_name"),
    ("members", "emergency_phone"),
    ("members", "emergency_email"),
)
STAMPED: Mapping[str, tuple[str, ...]] = {
    "users": ("email_verified", "created_at", "updated_at", "deleted_at"),
    "user_roles": ("assigned_at", "expires_at"),
    "members": ("join_date", "leave_date", "created_at", "updated_at", "deleted_at"),
    "music_pieces": ("created_at", "updated_at", "deleted_at"),
    "music_assignments": ("assigned_at", "due_date", "picked_up_at", "returned_at", "missing_since"),
    "events": ("start_time", "end_time", "call_time", "created_at", "updated_at", "deleted_at"),
    "attendance": ("marked_at",),
    "pages": ("published_at", "scheduled_for", "created_at", "updated_at", "deleted_at"),
    "announcements": ("publish_at", "published_at", "expires_at", "created_at", "updated_at"),
    "user_notifications": ("read_at", "created_at"),
    "messages": ("sent_at",),
}
# Ids that may outlive the user they name.
_SOFT_USERS: tuple[tuple[LiteralString, LiteralString], ...] = (
    ("user_roles", "assigned_by"),
    ("music_files", "uploaded_by"),
    ("music_assignments", "assigned_by"),
    ("attendance", "marked_by"),
    ("event_notes", "created_by"),
    ("pages", "created_by"),
    ("pages", "updated_by"),
    ("page_versions", "created_by"),
    ("announcements", "created_by"),
    ("media_assets", "uploaded_by"),
    ("messages", "sender_id"),
    ("system_settings", "updated_by"),
)
_GONE_USERS: LiteralString = " UNION ALL ".join(
    f"SELECT id FROM {table} WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT id FROM users)"
    for table, column in _SOFT_USERS
)
# The key of a row is the bucket and the name there.
_NO_BYTES: LiteralString = """
SELECT id FROM music_files
 WHERE NOT EXISTS (SELECT 1 FROM vaultry_files WHERE bucket = 'music' AND name = substr(storage_key, 7))
UNION ALL
SELECT id FROM media_assets
 WHERE NOT EXISTS (SELECT 1 FROM vaultry_files WHERE bucket = 'assets' AND name = substr(storage_key, 8))
"""
_NO_ROW: LiteralString = """
SELECT id FROM vaultry_files
 WHERE (bucket = 'music' AND 'music/' || name NOT IN (SELECT storage_key FROM music_files))
    OR (bucket = 'assets' AND 'assets/' || name NOT IN (SELECT storage_key FROM media_assets))
"""
_ODD_PROGRAMME: LiteralString = """
SELECT e.id FROM events AS e
 WHERE e.program_order IS NOT NULL AND (
       EXISTS (SELECT 1 FROM json_each(e.program_order) AS o
                WHERE o.value ->> 'piece_id' NOT IN (SELECT id FROM music_pieces))
    OR EXISTS (SELECT 1 FROM json_each(e.program_order) AS o
                WHERE o.value ->> 'piece_id' NOT IN (SELECT piece_id FROM event_music WHERE event_id = e.id))
    OR EXISTS (SELECT 1 FROM event_music AS m
                WHERE m.event_id = e.id
                  AND m.piece_id NOT IN (SELECT o.value ->> 'piece_id' FROM json_each(e.program_order) AS o)))
"""
_NO_PART: LiteralString = """
SELECT a.id FROM music_assignments AS a
 WHERE a.part_name IS NOT NULL AND NOT EXISTS (
       SELECT 1 FROM music_parts AS p WHERE p.piece_id = a.piece_id AND p.part_name = a.part_name COLLATE NOCASE)
"""
_LATE: LiteralString = """
SELECT id FROM pages WHERE status = 'SCHEDULED' AND deleted_at IS NULL AND scheduled_for < :late
UNION ALL
SELECT id FROM announcements WHERE status = 'SCHEDULED' AND publish_at < :late
"""
# Name, severity, query.
CHECKS: tuple[tuple[str, str, LiteralString], ...] = (
    (
        "members_without_their_user",
        "error",
        "SELECT id FROM members WHERE user_id IS NOT NULL AND user_id NOT IN (SELECT id FROM users)",
    ),
    (
        "notes_without_their_section",
        "error",
        "SELECT id FROM event_notes WHERE target_section NOT IN (SELECT id FROM sections)",
    ),
    ("files_without_bytes", "error", _NO_BYTES),
    (
        "pages_from_no_version",
        "warning",
        "SELECT id FROM pages WHERE parent_version_id NOT IN (SELECT id FROM page_versions)",
    ),
    ("programmes", "warning", _ODD_PROGRAMME),
    ("assignments_of_no_part", "warning", _NO_PART),
    ("bytes_without_a_row", "warning", _NO_ROW),
    ("late_content", "warning", _LATE),
    (
        "members_without_primary_instrument",
        "warning",
        "SELECT member_id FROM member_instruments GROUP BY member_id HAVING max(is_primary) = 0",
    ),
    ("users_that_are_gone", "info", _GONE_USERS),
    (
        "notifications_of_no_event",
        "info",
        "SELECT id FROM user_notifications WHERE event_id IS NOT NULL AND event_id NOT IN (SELECT id FROM events)",
    ),
)
