"""Files, parts, hand-outs and downloads over REST: who reads which rows. Data only; writing goes through verbs."""

from db.resources import Policy, Resource
from domain.band.files.media import DESCRIBED
from domain.band.visibility import ASSIGNED_PIECES, OWN_MEMBER

# Asked row by row: a list of all pieces would be read whole for the rows of one.
_LIVE = "EXISTS (SELECT 1 FROM main.music_pieces AS p WHERE p.id = piece_id AND p.deleted_at IS NULL)"
_ASSIGNED = f"{_LIVE} AND piece_id IN {ASSIGNED_PIECES}"
_SEES_PIECE = (Policy("music.view.all", _LIVE), Policy("music.view.assigned", _ASSIGNED))

FILES: tuple[Resource, ...] = (
    Resource("music_files", read=(*_SEES_PIECE, Policy(None, f"is_public = 1 AND {_LIVE}"))),
    Resource("music_parts", read=_SEES_PIECE),
    Resource(
        "music_assignments",
        read=(
            Policy("music.view.all", "1"),
            Policy("music.view.assigned", f"member_id = {OWN_MEMBER} AND {_LIVE}"),
        ),
        # Who gave the part out and who looks for it talk about it among themselves.
        masks={"missing_notes": (Policy("music.assign", "1"),), "assigned_by": (Policy("music.view.all", "1"),)},
    ),
    Resource(
        "file_downloads",
        read=(Policy("audit.view", "1"), Policy("music.download.assigned", "user_id = :principal_id")),
        redacted=frozenset({"ip_address", "user_agent"}),
    ),
    Resource(
        "media_assets",
        read=(Policy("cms.view.all", "1"),),
        update=(Policy("cms.edit", "1"),),
        fields=DESCRIBED,
    ),
)
