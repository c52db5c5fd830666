"""Names under which the band's files are kept. Knows text; not rows."""

MUSIC = "music"
# Contents of music files that were replaced, for 30 days.
REPLACED = "replaced"
ASSETS = "assets"
PHOTOS = "photos"
_ID_CHARACTERS = 36


def key_of(piece_id: str, file_id: str, version: int, extension: str) -> str:
    """The name of one version of a music file below its bucket."""
    return f"{piece_id}/{file_id}{'' if version == 1 else f'-{version}'}{extension}"


def file_id_of(name: str) -> str:
    """The music file of which this name is a version."""
    return name.rpartition("/")[2][:_ID_CHARACTERS]
