"""Postgres's text for a list of values, `{a,"b,c",NULL}`. Knows the quoting; not the type of a value."""

__all__ = ["parse_array"]


def parse_array(text: str) -> tuple[str | None, ...] | None:
    """The values in order, None for a bare NULL; None when the text is not such a list. Lists in lists are not."""
    if not (text.startswith("{") and text.endswith("}") and len(text) > 1):
        return None
    inside = text[1:-1]
    if not inside.strip():
        return ()
    values: list[str | None] = []
    position = 0
    while True:
        value, position = (
            _quoted(inside, position) if inside[position : position + 1] == '"' else _bare(inside, position)
        )
        if position < 0:
            return None
        values.append(value)
        if position >= len(inside):
            return tuple(values)
        if inside[position] != ",":
            return None
        position += 1


def _bare(text: str, start: int) -> tuple[str | None, int]:
    """The value up to the next comma, and where it ends; -1 for one that cannot stand without quotes."""
    end = text.find(",", start)
    end = len(text) if end < 0 else end
    value = text[start:end].strip()
    if not value or any(sign in value for sign in '{}"\\'):
        return None, -1
    return (None if value.upper() == "NULL" else value), end


def _quoted(text: str, start: int) -> tuple[str | None, int]:
    """The value between quotes, in which a backslash takes the next character as it is; -1 without an end."""
    characters: list[str] = []
    position = start + 1
    while position < len(text):
        if text[position] == '"':
            return "".join(characters), position + 1
        if text[position] == "\\":
            position += 1
        characters.append(text[position : position + 1])
        position += 1
    return None, -1
