"""What a music file is, from what is said of it and what it shows itself to be. Knows no row and no store."""

from typing import Any

from db.errors import Invalid
from db.fields import Choice, Field, Flag, Text

FILE_TYPES = ("FULL_SCORE", "CONDUCTOR_SCORE", "PART", "CONDENSED_SCORE", "AUDIO", "LICENSING", "OTHER")
# Content types that are taken, and how a key of each ends.
EXTENSIONS = {"application/pdf": ".pdf", "audio/mpeg": ".mp3", "audio/wav": ".wav"}
MOST_BYTES = 50 << 20
NAME_CHARACTERS = 255

DESCRIBED: dict[str, Field] = {
    "description": Text(max_characters=500),
    "file_type": Choice(FILE_TYPES),
    "is_public": Flag(),
}
# What an upload may say of its file, in the metadata of storage.
SAID: dict[str, Field] = {**DESCRIBED, "file_name": Text(max_characters=NAME_CHARACTERS), "part_id": Text()}


def default_type(content_type: str, *, for_part: bool) -> str:
    """What a file is of which nobody said it."""
    if for_part:
        return "PART"
    if content_type == "application/pdf":
        return "FULL_SCORE"
    return "AUDIO" if content_type.startswith("audio/") else "OTHER"


def refuse_public_licence(values: dict[str, Any]) -> None:
    """Raise Invalid for a licence that everybody could read."""
    if values["is_public"] and values["file_type"] == "LICENSING":
        raise Invalid("is_public: a licence cannot be public", field="is_public")
