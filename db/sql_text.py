"""SQL text as text: cut a script into statements. Knows SQLite's own notion of a complete statement; runs nothing."""

import sqlite3


def split_statements(script: str) -> list[str]:
    """The statements of a script in order, each with its semicolon; comments and blanks alone are no statement.

    Where a statement ends is SQLite's judgement, so triggers, CASE, quotes and comments are cut right.
    """
    statements: list[str] = []
    start = 0
    for end, character in enumerate(script):
        if character == ";" and sqlite3.complete_statement(script[start : end + 1]):
            statements.append(script[start : end + 1].strip())
            start = end + 1
    statements.append(script[start:].strip())
    return [statement for statement in statements if has_code(statement)]


def has_code(statement: str) -> bool:
    """Whether anything but blanks, comments and semicolons is left."""
    rest = statement.strip().lstrip(";").strip()
    while rest.startswith(("--", "/*")):
        _, _, rest = rest.partition("\n" if rest.startswith("--") else "*/")
        rest = rest.strip().lstrip(";").strip()
    return rest != ""
