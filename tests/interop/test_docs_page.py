"""The documentation page in a headless Chromium: it shows what the caller may use, and asks nobody but its server."""

from urllib.parse import urlsplit

import httpx

from tests.interop.node import chromium, node, node_json
from tests.interop.served import open_aurora, served


def test_the_page_shows_the_description_and_calls_nobody_else(tmp_path):
    browser, _ = chromium(), node()
    site, choir = open_aurora(tmp_path)
    token = site.api_token(choir, "owner")
    with served(site.services) as address:
        seen = node_json("docs_page.mjs", browser, f"{address}/aurora/docs", token)
    assert {urlsplit(url).netloc for url in seen["requests"]} == {urlsplit(address).netloc}
    # A breach of the content policy would be among them.
    assert seen["complaints"] == []
    assert "Rows of organizations" in seen["guest"]
    assert "Rows of members" not in seen["guest"]
    assert "Rows of members" in seen["caller"]
    assert "composer" in seen["opened"]
    assert seen["refused"].startswith("token_invalid")


def test_the_page_runs_no_script_but_its_own(tmp_path):
    site, _ = open_aurora(tmp_path)
    with served(site.services) as address, httpx.Client(trust_env=False, base_url=address) as client:
        for path in ("/docs", "/aurora/docs"):
            page = client.get(path)
            policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
            assert [policy[kind] for kind in ("default-src", "script-src", "connect-src")] == [
                "'none'", "'self'", "'self'",
            ]  # fmt: skip
            assert "http://" not in page.text
            assert "https://" not in page.text
            for name in ("docs.css", "docs.js", "openapi-explorer-2.4.820.min.js"):
                assert f"docs/{name}" in page.text
                found = client.get(f"/docs/{name}")
                assert (found.status_code, found.headers["x-content-type-options"]) == (200, "nosniff")
                assert found.headers["cache-control"].startswith("public")
        assert client.get("/docs/docs.html").status_code == 404
        assert client.get("/docs/..%2fpage.py").status_code == 404
        assert client.get("/nowhere/docs").status_code == 404
