"""The published `cloudflare` package for JavaScript against a running server."""

import pytest

from tests.interop.d1_desk import ACCOUNT, d1_server
from tests.interop.node import FOLDER, node, node_json


def test_the_whole_surface(tmp_path):
    node()
    if not (FOLDER / "node_modules" / "cloudflare").is_dir():
        pytest.skip("the package cloudflare is not here: npm ci --prefix tests/interop/js")
    with d1_server(tmp_path) as server:
        told = node_json("cloudflare.mjs", server.base, ACCOUNT, server.token)
    assert (told["listed"], told["fields"], told["mode"]) == (["shop"], ["uuid", "name"], "auto")
    assert told["rows"] == [{"x": 1, "y": "a"}, {"x": 2, "y": 1}]
    assert told["raw"] == {"columns": ["a", "a"], "rows": [["a", "a"], [1, 1]]}
    assert (told["restored"], told["dumped"], told["etag"]) == (True, True, True)
    assert told["imported"] == ["complete", 4]
    assert told["error"] == [400, {"code": 7500, "message": "no such table: nope: SQLITE_ERROR"}]
    assert (told["deleted"], told["missing"]) == (None, 404)
