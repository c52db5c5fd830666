"""Where in a statement SQLite found the fault: the byte offset that CPython's module does not tell.

Through the documented C interface of the very library CPython uses, on a database of its own in memory: nothing here
touches a vault's file or reads CPython's structures. The schema is copied when the fault depends on it. Where the
library cannot be reached so, there is no offset, and the message goes without.
"""

import ctypes
import sqlite3
from functools import cache, partial
from typing import Any, Final

from db.vault.guard import engine_only

_OBJECTS = engine_only("""
SELECT type, name, sql FROM main.sqlite_schema
 WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
   AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow') ORDER BY type <> 'table', rowid
""")
_FUNCTIONS = engine_only("SELECT DISTINCT name, narg FROM pragma_function_list WHERE NOT builtin")
_ANY_UTF8: Final = 1
_PREPARED_BYTES: Final = 1_000_000
_LIMITS: Final = (sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, sqlite3.SQLITE_LIMIT_EXPR_DEPTH)
_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_AUTHORISER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, *([ctypes.c_char_p] * 4))
_REFUSED: Final = "not authorized to use function: "


def _do_nothing(context: int | None, count: int, values: int | None) -> None:
    """Stands for functions of ours: a statement is compiled here, never run."""


_stand_in = _FUNCTION(_do_nothing)


def error_place(sql: str, message: str, connection: sqlite3.Connection | None) -> int | None:
    """The offset in bytes at which SQLite says `message` of the statement; None when it cannot be told.

    connection: for its schema; its authoriser must let the engine read.
    """
    library = _library()
    if library is None or len(sql) > _PREPARED_BYTES:
        return None
    limits = [] if connection is None else [(limit, connection.getlimit(limit)) for limit in _LIMITS]
    found = _ask(library, sql, message, [], [], limits)
    if found is None and connection is not None:
        objects = [row[2] for row in connection.cursor().execute(_OBJECTS)]
        functions = [(row[0], row[1]) for row in connection.cursor().execute(_FUNCTIONS)]
        found = _ask(library, sql, message, objects, functions, limits)
    return found


def _ask(
    library: Any,
    sql: str,
    message: str,
    objects: list[str],
    functions: list[tuple[str, int]],
    limits: list[tuple[int, int]],
) -> int | None:
    """Compile the statement beside these objects and functions; the offset, if SQLite says the same of it there."""
    database, statement = ctypes.c_void_p(), ctypes.c_void_p()
    authoriser = _AUTHORISER(partial(_refuse_function, message))
    library.sqlite3_open(b":memory:", ctypes.byref(database))
    try:
        for name, arguments in functions:
            library.sqlite3_create_function(database, name.encode(), arguments, _ANY_UTF8, None, _stand_in, None, None)
        for made in objects:
            library.sqlite3_exec(database, made.encode(), None, None, None)
        for limit, most in limits:
            library.sqlite3_limit(database, limit, most)
        library.sqlite3_set_authorizer(database, authoriser, None)
        text = sql.encode("utf-8", "replace")
        library.sqlite3_prepare_v2(database, text, len(text), ctypes.byref(statement), None)
        same = library.sqlite3_errmsg(database).decode("utf-8", "replace") == message
        at = library.sqlite3_error_offset(database) if same else -1
        library.sqlite3_finalize(statement)
    finally:
        library.sqlite3_close(database)
    return at if at >= 0 else None


def _refuse_function(message: str, _: Any, action: int, __: Any, name: bytes | None, *rest: Any) -> int:
    """The authoriser that says the message again, if it is about a function."""
    refused = action == sqlite3.SQLITE_FUNCTION and message == _REFUSED + (name or b"").decode("utf-8", "replace")
    return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK


@cache
def _library() -> Any:
    """SQLite as CPython's module links it, or None where its functions cannot be found behind that module."""
    try:
        import _sqlite3

        library: Any = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_errmsg.restype = ctypes.c_char_p
        library.sqlite3_libversion.restype = ctypes.c_char_p
        known = library.sqlite3_error_offset, library.sqlite3_create_function
    except (ImportError, OSError, AttributeError, TypeError):
        return None
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    library.sqlite3_open.argtypes = (text, pointer)
    library.sqlite3_errmsg.argtypes = (pointer,)
    library.sqlite3_exec.argtypes = (pointer, text, pointer, pointer, pointer)
    library.sqlite3_prepare_v2.argtypes = (pointer, text, number, pointer, pointer)
    library.sqlite3_limit.argtypes = (pointer, number, number)
    library.sqlite3_finalize.argtypes = library.sqlite3_close.argtypes = (pointer,)
    library.sqlite3_set_authorizer.argtypes = (pointer, _AUTHORISER, pointer)
    known[0].argtypes = (pointer,)
    known[1].argtypes = (pointer, text, number, number, pointer, _FUNCTION, pointer, pointer)
    return library if library.sqlite3_libversion().decode() == sqlite3.sqlite_version else None
