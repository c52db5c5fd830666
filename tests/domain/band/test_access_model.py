"""The table of who may download, against a second reading of it: every combination of what it looks at."""

from itertools import product

from db.principal import guest
from domain.band.files.access import judge
from tests.domain.band.riverside import build
from tests.domain.band.shelf import FIRST

CALLERS = {"": (), "Sam": ("SUPER_ADMIN",), "Ada": ("ADMIN",), "Dana": ("DIRECTOR",), "M21": ("LIBRARIAN",),
           "M16": ("MUSICIAN",), "M54": ()}  # fmt: skip
KINDS = ("FULL_SCORE", "PART", "LICENSING", "AUDIO")
STATUSES = (None, "ASSIGNED", "PICKED_UP", "OVERDUE", "RETURNED", "LOST", "DAMAGED")
_FILE = "SELECT f.*, p.is_archived FROM music_files AS f JOIN music_pieces AS p ON p.id = f.piece_id"


def wanted(who, kind, status, *, public, archived, strict, own_part):
    """The answer as the table reads, from its top."""
    roles = CALLERS[who]
    if public:
        return "public_file" if who else "public_file_anonymous"
    if not who:
        return "not_signed_in"
    if {"SUPER_ADMIN", "ADMIN", "LIBRARIAN"} & set(roles):
        return "admin_access"
    if "DIRECTOR" in roles:
        return "download_all_permission"
    if "MUSICIAN" not in roles:
        return "no_download_permission"
    if status not in ("ASSIGNED", "PICKED_UP", "OVERDUE"):
        return "not_assigned_to_piece"
    if archived or kind == "LICENSING":
        return "not_released"
    return "other_part" if strict and kind == "PART" and not own_part else "assigned_to_piece"


def test_every_combination_is_decided_by_the_first_case_that_fits(stage):
    story = build(stage.tx, stage.now)
    piece, part = story.pieces[FIRST], story.parts["Clarinet 2"]
    file_id = stage.now.new_id()
    stage.tx.insert("music_files", id=file_id, piece_id=piece, file_name="a.pdf", file_type="PART", file_size=1,
                    mime_type="application/pdf", storage_key="music/a")  # fmt: skip
    allowed = {"public_file", "public_file_anonymous", "admin_access", "download_all_permission", "assigned_to_piece"}
    flags, people = (False, True), {who: stage.as_person(who) if who else guest("") for who in CALLERS}
    for status, strict in product(STATUSES, flags):
        stage.tx.execute("DELETE FROM music_assignments")
        if status is not None:
            done = {"returned_at": stage.now.text, "missing_since": stage.now.text, "missing_notes": "gone"}
            done |= {"piece_id": piece, "part_id": part, "part_name": "Clarinet 2", "status": status}
            for number in (16, 54):
                stage.tx.insert("music_assignments", id=stage.now.new_id(), member_id=story.members[number], **done)
        stage.call("settings.update", "Sam", settings={"strict_part_download": strict})
        for kind, public, archived, own_part in product(KINDS, flags, flags, flags):
            if public and kind == "LICENSING":
                continue
            stage.tx.execute("UPDATE music_files SET file_type = :kind, is_public = :open", kind=kind, open=int(public))
            stage.tx.execute("UPDATE music_pieces SET is_archived = :now WHERE id = :id", now=int(archived), id=piece)
            linked = file_id if own_part else None
            stage.tx.execute("UPDATE music_parts SET file_id = :file WHERE id = :id", file=linked, id=part)
            (file,) = stage.tx.rows(_FILE)
            for who, principal in people.items():
                told = judge(stage.tx, principal, file)
                reason = wanted(who, kind, status, public=public, archived=archived, strict=strict, own_part=own_part)
                assert told == (reason in allowed, reason), (who, kind, status, public, archived, strict, own_part)
