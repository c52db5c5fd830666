"""The routes of storage, and which handler serves each. Loads none of them: most requests are for rows."""

from typing import Final, NamedTuple

PREFIX: Final = "/{vault}/storage/v1"


class StorageRoute(NamedTuple):
    """A path below the prefix, its methods, and where its handler is. streams: the handler reads the body itself."""

    path: str
    methods: tuple[str, ...]
    module: str
    name: str
    streams: bool = False


_GET, _POST, _PUT = ("GET",), ("POST",), ("PUT",)
_FILE = "{bucket}/{name:path}"

# In this order: a path that could also be a bucket's comes first.
ROUTES: Final = (
    StorageRoute("/bucket", _GET, "buckets", "list_all"),
    StorageRoute("/bucket", _POST, "buckets", "create"),
    StorageRoute("/bucket/{bucket}", _GET, "buckets", "get"),
    StorageRoute("/bucket/{bucket}", _PUT, "buckets", "update"),
    StorageRoute("/bucket/{bucket}", ("DELETE",), "buckets", "delete"),
    StorageRoute("/bucket/{bucket}/empty", _POST, "buckets", "empty"),
    StorageRoute("/object/list/{bucket}", _POST, "objects", "list_folder"),
    StorageRoute("/object/list-v2/{bucket}", _POST, "objects", "list_page"),
    StorageRoute("/object/move", _POST, "objects", "move"),
    StorageRoute("/object/copy", _POST, "objects", "copy"),
    StorageRoute(f"/object/upload/sign/{_FILE}", _POST, "links", "sign_upload"),
    StorageRoute(f"/object/upload/sign/{_FILE}", _PUT, "uploads", "by_link", streams=True),
    StorageRoute(f"/object/upload/direct/{_FILE}", _POST, "direct", "begin"),
    StorageRoute(f"/object/upload/direct/{_FILE}", _PUT, "direct", "complete"),
    StorageRoute("/object/sign/{bucket}", _POST, "links", "sign_several"),
    StorageRoute(f"/object/sign/{_FILE}", _POST, "links", "sign_one"),
    StorageRoute(f"/object/sign/{_FILE}", _GET, "downloads", "by_link"),
    StorageRoute(f"/object/info/public/{_FILE}", _GET, "objects", "public_info"),
    StorageRoute(f"/object/info/authenticated/{_FILE}", _GET, "objects", "info"),
    StorageRoute(f"/object/info/{_FILE}", _GET, "objects", "info"),
    StorageRoute(f"/object/public/{_FILE}", _GET, "downloads", "public"),
    StorageRoute(f"/object/authenticated/{_FILE}", _GET, "downloads", "own"),
    StorageRoute(f"/object/{_FILE}", _GET, "downloads", "own"),
    StorageRoute(f"/object/{_FILE}", _POST, "uploads", "create", streams=True),
    StorageRoute(f"/object/{_FILE}", _PUT, "uploads", "replace", streams=True),
    StorageRoute(f"/object/{_FILE}", ("DELETE",), "objects", "remove_one"),
    StorageRoute("/object/{bucket}", ("DELETE",), "objects", "remove"),
    StorageRoute("/upload/resumable", ("OPTIONS",), "resumable", "options"),
    StorageRoute("/upload/resumable", _POST, "resumable", "begin", streams=True),
    StorageRoute("/upload/resumable/sign", _POST, "resumable", "begin", streams=True),
    StorageRoute("/upload/resumable/{upload}", ("OPTIONS",), "resumable", "options"),
    StorageRoute("/upload/resumable/{upload}", ("HEAD",), "resumable", "head"),
    StorageRoute("/upload/resumable/{upload}", ("DELETE",), "resumable", "end"),
    StorageRoute("/upload/resumable/{upload}", ("PATCH",), "resumable", "add", streams=True),
    StorageRoute("/upload/resumable/sign/{upload}", ("OPTIONS",), "resumable", "options"),
    StorageRoute("/upload/resumable/sign/{upload}", ("HEAD",), "resumable", "head"),
    StorageRoute("/upload/resumable/sign/{upload}", ("DELETE",), "resumable", "end"),
    StorageRoute("/upload/resumable/sign/{upload}", ("PATCH",), "resumable", "add", streams=True),
    StorageRoute("/render/image/{rest:path}", _GET, "objects", "not_rendered"),
    StorageRoute("/cdn/{rest:path}", ("DELETE",), "objects", "not_cached"),
)
