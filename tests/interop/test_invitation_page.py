"""The page of an invitation's link in a headless Chromium that runs no script."""

from pathlib import Path
from urllib.parse import urlsplit

from tests.interop.node import chromium, node, node_json
from tests.interop.served import open_aurora, served

ANNA = "anna@x.example"


def test_a_link_leads_into_the_choir_without_a_script(tmp_path: Path) -> None:
    browser, _ = chromium(), node()
    site, choir = open_aurora(tmp_path)
    made = site.sign_in("aurora", choir.owner).done("invite.create", name="Anna")
    with served(site.services) as address:
        link = urlsplit(made["link"])
        where = f"{address}{link.path}?{link.query}"
        seen = node_json("invitation_page.mjs", browser, where, ANNA, str(site.folder / "mail"))
        assert {urlsplit(url).netloc for url in seen["requests"]} == {urlsplit(address).netloc}
    # A breach of the content policy would be among them.
    assert seen["complaints"] == []
    assert "You are invited to" in seen["invited"]
    assert f"A code was sent to {ANNA}" in seen["asked"]
    assert "This code is not valid" in seen["wrong"]
    assert "You are a member of Aurora" in seen["joined"]
    assert site.sign_in("aurora", choir.owner).done("invite.list") == []
