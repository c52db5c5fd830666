"""Links: to read a file, several files, or to put one; what they open, for how long, and what they do not."""

import pytest

from tests.handlers.http.site import make_choir
from tests.handlers.storage.desk import FILES, PDF, Desk, ask, fetch, put, refused, stored


def signed(desk: Desk, path: str, seconds: int = 60) -> str:
    """The address of a link that the librarian signs, below the vault."""
    return FILES + ask(desk.librarian, f"object/sign/{path}", {"expiresIn": seconds})["signedURL"]


def test_a_link_opens_its_file_for_anybody_until_it_expires(desk, clock):
    path = f"scores/{desk.owned}/a.pdf"
    stored(desk.librarian, path, PDF)
    link = signed(desk, path, seconds=60)
    assert desk.guest.send("GET", link).body == PDF
    assert desk.guest.send("GET", link, range="bytes=0-3").body == PDF[:4]
    clock.tick(59.999)
    assert desk.guest.send("GET", link).status == 200
    clock.tick(0.001)
    assert refused(desk.guest.send("GET", link)) == (410, "link_expired")


def test_a_link_is_for_one_file_of_one_vault(desk, site):
    path, other = f"scores/{desk.owned}/a.pdf", f"scores/{desk.free}/b.pdf"
    stored(desk.librarian, path, PDF)
    stored(desk.librarian, other, PDF)
    token = signed(desk, path).partition("?token=")[2]
    make_choir(site, "harmonia")
    for caller, place in ((desk.guest, other), (desk.guest.at("harmonia"), path), (desk.guest, f"notes/{path}")):
        answer = caller.send("GET", f"{FILES}/object/sign/{place}?token={token}")
        assert refused(answer) == (403, "link_invalid")
    for wrong in ("", "x", token[:-2], "." + token):
        answer = desk.guest.send("GET", f"{FILES}/object/sign/{path}?token={wrong}")
        assert refused(answer) == (403, "link_invalid")
    uploaded = desk.guest.send("PUT", f"{FILES}/object/upload/sign/{path}?token={token}", PDF)
    assert refused(uploaded) == (403, "link_invalid")


def test_nobody_signs_what_he_may_not_read_or_put(desk):
    path = f"scores/{desk.owned}/a.pdf"
    stored(desk.librarian, path, PDF)
    wish = {"expiresIn": 60}
    assert refused(desk.guest.send("POST", f"{FILES}/object/sign/{path}", wish)) == (401, "not_authenticated")
    assert refused(desk.singer.send("POST", f"{FILES}/object/upload/sign/{path}", {})) == (403, "42501")
    several = ask(desk.guest, "object/sign/scores", {**wish, "paths": [f"{desk.owned}/a.pdf"]})
    assert (several[0]["signedURL"], bool(several[0]["error"])) == (None, True)


def test_a_link_to_a_file_that_was_taken_down_opens_nothing(desk):
    path = f"scores/{desk.owned}/a.pdf"
    stored(desk.librarian, path, PDF)
    link = signed(desk, path)
    assert desk.guest.send("GET", link).status == 200
    desk.site.vault_write(
        desk.choir, lambda tx: tx.execute("UPDATE editions SET deleted_at = created_at WHERE id = :id", id=desk.owned)
    )
    assert refused(desk.guest.send("GET", link)) == (410, "taken_down")


def test_a_link_holds_no_more_than_its_signer_held(desk):
    path = f"scores/{desk.free}/a.pdf"
    stored(desk.librarian, path, PDF)
    link = FILES + ask(desk.guest, f"object/sign/{path}", {"expiresIn": 60})["signedURL"]
    assert desk.guest.send("GET", link).status == 200
    desk.site.vault_write(
        desk.choir, lambda tx: tx.execute("UPDATE editions SET license_type = 'owned' WHERE id = :id", id=desk.free)
    )
    assert refused(desk.guest.send("GET", link)) == (401, "not_authenticated")


@pytest.mark.parametrize("seconds", [0, -1, 365 * 86400 + 1, "soon", None, True, 1.5])
def test_a_link_lives_for_a_second_to_a_year(desk, seconds):
    path = f"scores/{desk.free}/a.pdf"
    stored(desk.librarian, path, PDF)
    answer = desk.librarian.send("POST", f"{FILES}/object/sign/{path}", {"expiresIn": seconds})
    assert answer.status == 400
    assert "expiresIn" in answer.json()["message"]


def test_a_link_to_put_a_file_is_used_by_anybody_as_its_signer(desk, clock):
    path = f"scores/{desk.owned}/a.pdf"
    told = ask(desk.librarian, f"object/upload/sign/{path}", {})
    url = FILES + told["url"]
    assert refused(desk.guest.send("PUT", url, b"no pdf", content_type="application/pdf")) == (400, "content_mismatch")
    assert desk.guest.send("PUT", url, PDF, content_type="application/pdf").json()["Key"] == path
    assert fetch(desk.singer, path).body == PDF
    # It does not replace, and was not told it may.
    assert refused(desk.guest.send("PUT", url, PDF, content_type="application/pdf")) == (409, "already_exists")
    rows = desk.site.vault_rows(desk.choir, "SELECT actor_kind FROM vaultry_audit WHERE verb = 'file.put'")
    assert {row["actor_kind"] for row in rows} == {"person"}
    clock.tick(2 * 3600)
    assert refused(desk.guest.send("PUT", url, PDF)) == (410, "link_expired")


def test_a_link_to_put_may_replace_if_it_was_signed_so(desk):
    path = f"scores/{desk.owned}/a.pdf"
    stored(desk.librarian, path, PDF)
    assert refused(desk.librarian.send("POST", f"{FILES}/object/upload/sign/{path}", {})) == (409, "already_exists")
    url = FILES + ask(desk.librarian, f"object/upload/sign/{path}", {}, x_upsert="true")["url"]
    assert desk.guest.send("PUT", url, PDF + b"2", content_type="application/pdf").status == 200
    assert fetch(desk.singer, path).body == PDF + b"2"


def test_a_link_to_put_a_file_to_a_row_that_went_puts_nothing(desk):
    path = f"scores/{desk.owned}/a.pdf"
    url = FILES + ask(desk.librarian, f"object/upload/sign/{path}", {})["url"]
    desk.site.vault_write(
        desk.choir, lambda tx: tx.execute("UPDATE editions SET deleted_at = created_at WHERE id = :id", id=desk.owned)
    )
    assert refused(desk.guest.send("PUT", url, PDF, content_type="application/pdf")) == (410, "taken_down")
    assert desk.objects() == []


def test_an_api_token_reaches_the_files_of_its_tables_only(desk):
    path = f"scores/{desk.owned}/a.pdf"
    stored(desk.librarian, path, PDF)
    narrow = desk.guest.with_token(desk.site.api_token(desk.choir, "librarian", tables=frozenset({"works"})))
    wide = desk.guest.with_token(desk.site.api_token(desk.choir, "librarian", tables=frozenset({"editions"})))
    reading = desk.guest.with_token(desk.site.api_token(desk.choir, "librarian", read_only=True))
    assert refused(fetch(narrow, path)) == (403, "42501")
    assert refused(narrow.send("POST", f"{FILES}/object/sign/{path}", {"expiresIn": 60})) == (403, "42501")
    assert fetch(wide, path).body == fetch(reading, path).body == PDF
    for caller in (narrow, reading):
        assert refused(put(caller, path, PDF, x_upsert="true")) == (403, "42501")
        assert refused(caller.send("DELETE", f"{FILES}/object/{path}")) == (403, "42501")
    assert put(wide, path, PDF, x_upsert="true").status == 200
