"""Notifications for users, each made once however often its producer runs. Knows rows; sends no mail."""

from typing import Literal

from db.clock import Moment
from db.transaction import WriteTx

NoticeType = Literal["ANNOUNCEMENT", "EVENT_REMINDER", "MUSIC_ASSIGNMENT", "ATTENDANCE_REMINDER", "SYSTEM"]
MESSAGE_CHARACTERS = 200

_ADD = """
INSERT INTO user_notifications (id, user_id, type, title, message, link_url, announcement_id, event_id, created_at,
                                dedupe_key)
VALUES (:id, :user_id, :type, :title, :message, :link_url, :announcement_id, :event_id, :now, :dedupe_key)
    ON CONFLICT (dedupe_key) DO NOTHING
"""


def shortened(text: str) -> str:
    """The first 200 characters, and `...` where something was left out."""
    return text if len(text) <= MESSAGE_CHARACTERS else text[:MESSAGE_CHARACTERS] + "..."


def notify(
    tx: WriteTx,
    user_id: str,
    kind: NoticeType,
    title: str,
    message: str,
    *,
    dedupe_key: str,
    now: Moment,
    link_url: str | None = None,
    announcement_id: str | None = None,
    event_id: str | None = None,
) -> bool:
    """Tell the user; False when a notification with this key was made before."""
    return bool(
        tx.execute(
            _ADD,
            id=now.new_id(),
            user_id=user_id,
            type=kind,
            title=title,
            message=shortened(message),
            link_url=link_url,
            announcement_id=announcement_id,
            event_id=event_id,
            now=now.text,
            dedupe_key=dedupe_key,
        )
    )
