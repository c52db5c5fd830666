"""What is refused over HTTP, with which status, and which field the answer names."""

from typing import Any

import pytest

from tests.handlers.http.site import REST, Caller, Site, error_of, make_choir, refused


def scene(site: Site) -> Caller:
    """The owner, who is librarian too, so that only the input is to blame."""
    choir = make_choir(site, "aurora", owner="liis@aurora.example")
    site.add_member(choir, "Anna Tamm")
    site.add_member(choir, "Mari", "mari@aurora.example", ["librarian", "admin"])
    return site.sign_in("aurora", "mari@aurora.example")


VERBS: list[tuple[str, dict[str, Any], int, str, str | None]] = [
    ("member.add_roster", {"name": "  "}, 400, "invalid_input", "name"),
    ("member.add_roster", {"name": "ANNA TAMM"}, 409, "duplicate", "name"),
    ("member.add_roster", {"name": "x" * 201}, 400, "invalid_input", "name"),
    ("member.add_roster", {"name": "B", "email_contact": "anna@tamm"}, 400, "invalid_input", "email_contact"),
    ("member.add_roster", {"name": "B", "roles": ["singer"]}, 400, "invalid_input", "roles"),
    ("member.add_roster", {"name": "B", "roles": ["owner"]}, 403, "forbidden", None),
    ("member.add_roster", {"name": "B", "section_ids": ["elsewhere-alto"]}, 404, "not_found", "section_id"),
    ("member.add_roster", {"name": "B", "sections": ["Drums"]}, 404, "not_found", "sections"),
    ("member.add_roster", {"name": "B", "sections": ["Alto I"]}, 409, "inactive", "section_id"),
    ("member.add_roster", {"name": "B", "surname": "C"}, 400, "invalid_input", "surname"),
    ("member.add_roster", {"name": ["B"]}, 400, "invalid_input", "name"),
    ("member.add_roster", {}, 400, "invalid_input", "name"),
    ("role.grant", {"member_id": "nobody", "role": "singer"}, 400, "invalid_input", "role"),
    ("role.grant", {"member_id": "nobody", "role": "librarian"}, 404, "not_found", "member_id"),
    ("section.reorder", {"ids": ["a"] * 12}, 400, "invalid_input", "ids"),
    ("section.reorder", {"ids": "a"}, 400, "invalid_input", "ids"),
    ("section.activate", {"section_id": "x", "is_active": "yes"}, 400, "invalid_input", "is_active"),
    ("voice.create", {"name": "Oboe", "abbreviation": "Ob", "category": "wind"}, 400, "invalid_input", "category"),
    ("voice.create", {"name": "alto", "abbreviation": "A", "category": "vocal"}, 409, "duplicate", "name"),
    ("voice.create", {"name": "Oboe", "abbreviation": "123456789", "category": "vocal"}, 400, "invalid_input",
     "abbreviation"),
    ("organization.register", {"name": "X", "subdomain": "xyz", "type": "choir", "contact_email": "a@x.example"}, 400,
     "invalid_input", "type"),
    ("organization.update", {"contact_email": "anna@tamm"}, 400, "invalid_input", "contact_email"),
    ("organization.update", {"subdomain": "other"}, 400, "invalid_input", "subdomain"),
    ("organization.update", {"org_id": "other", "name": "X"}, 403, "forbidden", "org_id"),
    ("organization.update", {}, 400, "invalid_input", None),
    ("organization.update", {"name": None}, 400, "invalid_input", "name"),
    ("edition.create", {"work_id": "nothing", "name": "x"}, 404, "not_found", "work_id"),
    ("work.update", {"work_id": "nothing", "title": "x"}, 404, "not_found", "work_id"),
    ("invite.create", {"name": "B", "roles": ["librarian"]}, 400, "invalid_input", "roles"),
    ("invite.create", {}, 400, "invalid_input", "name"),
    ("invite.renew", {"id": "nothing"}, 404, "not_found", "id"),
]  # fmt: skip


@pytest.mark.parametrize(("verb", "args", "status", "code", "field"), VERBS, ids=lambda value: str(value)[:40])
def test_a_verb_refuses_bad_input_and_names_the_field(site, verb, args, status, code, field):
    caller = scene(site)
    before = caller.rows("members?select=id"), caller.rows("voices?select=id")
    answer = caller.call(verb, **args)
    assert refused(answer) == (status, code)
    assert error_of(answer)["details"] == field
    assert (caller.rows("members?select=id"), caller.rows("voices?select=id")) == before


def test_a_table_refuses_bad_rows_and_names_the_field(site):
    caller = scene(site)
    work_id = caller.add("works", {"title": "Locus iste"}).json()[0]["id"]
    cases: list[tuple[str, Any, int, str, str | None]] = [
        ("works", {"title": ""}, 400, "invalid_input", "title"),
        ("works", {"title": None}, 400, "invalid_input", "title"),
        ("works", {"composer": "Bruckner"}, 400, "invalid_input", "title"),
        ("works", {"title": "x" * 201}, 400, "invalid_input", "title"),
        ("works", {"title": 7}, 400, "invalid_input", "title"),
        ("works", {"title": "x", "opus": 1}, 400, "PGRST204", "opus"),
        ("works", {"title": "x", "id": "chosen"}, 400, "invalid_input", "id"),
        ("works", {"title": "x", "org_id": "other"}, 400, "invalid_input", "org_id"),
        ("works", [{"title": "x"}, {"title": ""}], 400, "invalid_input", "title"),
        ("works", [{"title": "x"}, {"composer": "y"}], 400, "PGRST102", None),
        ("editions", {"work_id": work_id, "name": "x", "edition_type": "score"}, 400, "invalid_input", "edition_type"),
        ("editions", {"work_id": work_id, "name": "x", "license_type": "cc"}, 400, "invalid_input", "license_type"),
        ("editions", {"work_id": work_id, "name": "x", "external_url": "javascript:x"}, 400, "invalid_input",
         "external_url"),
        ("editions", {"work_id": work_id, "name": "x", "deleted_at": None}, 400, "invalid_input", "deleted_at"),
        ("edition_sections", {"edition_id": "nothing", "section_id": "nothing"}, 404, "not_found", "edition_id"),
    ]  # fmt: skip
    for table, row, status, code, field in cases:
        answer = caller.add(table, row)
        assert (row, *refused(answer), error_of(answer)["details"]) == (row, status, code, field)
    assert [row["title"] for row in caller.rows("works")] == ["Locus iste"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]]", b"null", b"7", b'"text"', b"[[1]]", b'{"title": NaN}', b"\xff\xfe", b'{"title": "\\ud800"}',
        b"[" * 100_000, b'{"title": 1e999}', b"{'title': 'x'}", b'{"title": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_refused_at_every_door(site, body):
    caller = scene(site)
    for path in ("works", "rpc/work.create"):
        answer = caller.send("POST", f"{REST}/{path}", body)
        assert answer.status == 400
        assert error_of(answer)["code"] in ("PGRST102", "invalid_json", "invalid_input")
    for method, path in (("PUT", "user"), ("POST", "otp"), ("POST", "verify")):
        answer = caller.auth(path, body, method)
        # Where every field is optional, an object without a known one asks for nothing.
        assert answer.status == 400 or (path == "user" and body[:9] in (b"", b'{"title":')), answer.text
    assert caller.rows("works") == []


def test_a_name_that_is_half_a_surrogate_pair_is_refused_in_readable_json(site):
    caller = scene(site)
    answer = caller.send("POST", f"{REST}/rpc/work.create", b'{"\\ud800": 1}')
    assert refused(answer) == (400, "invalid_input")
    assert error_of(answer)["details"] == "\ud800"


QUERIES: list[tuple[str, int, str]] = [
    ("works?titel=eq.x", 400, "42703"),
    ("works?select=titel", 400, "42703"),
    ("works?order=titel", 400, "42703"),
    ("works?select=*,cats(*)", 400, "PGRST200"),
    ("works?title=is.x", 400, "PGRST100"),
    ("works?title=eqq.x", 400, "PGRST100"),
    ("works?select=title,(", 400, "PGRST100"),
    ("works?or=(title.eq.x", 400, "PGRST100"),
    ("works?limit=-1", 416, "PGRST103"),
    ("works?limit=x", 400, "PGRST100"),
    ("works?offset=99&limit=1", 200, ""),
    ("members?email_id_lookup=eq.x", 400, "42703"),
    ("members?select=email_id_lookup", 400, "42703"),
    ("wroks", 404, "PGRST205"),
    ("accounts", 404, "PGRST205"),
    ("rpc/work.lsit", 404, "PGRST202"),
    ("rpc/work.create?title=x", 405, "25006"),
    ("rpc/work.search?p=x", 400, "invalid_input"),
    ("works?" + "&".join(["title=eq.x"] * 1001), 413, "too_large"),
    ("works?title=eq." + "x" * 17_000, 413, "too_large"),
    ("works?or=" + "or(" * 200, 400, "PGRST100"),
]


@pytest.mark.parametrize(("query", "status", "code"), QUERIES, ids=lambda value: str(value)[:40])
def test_a_query_that_asks_for_what_is_not_there_is_refused(site, query, status, code):
    answer = scene(site).get(query)
    assert answer.status == status, answer.text
    if code:
        assert error_of(answer)["code"] == code


@pytest.mark.parametrize("value", ["' OR 1=1 --", '"; DROP TABLE works; --', "%", "_", "\\", "*", "😀"])
def test_what_looks_like_sql_or_a_pattern_is_just_text(site, value):
    caller = scene(site)
    caller.add("works", {"title": "Locus iste"})
    assert caller.done("work.search", q=value) == []
    by_filter = caller.client.request(
        "GET",
        "/aurora/rest/v1/works",
        query={"title": f"eq.{value}"},
        headers={"authorization": f"Bearer {caller.token}"},
    )
    assert by_filter.json() == []


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_write_to_a_whole_table_needs_to_say_so(site, method):
    caller = scene(site)
    caller.add("works", [{"title": "A"}, {"title": "B"}])
    body = {"lyricist": "x"} if method == "PATCH" else None
    assert refused(caller.send(method, f"{REST}/works", body)) == (400, "21000")
    assert refused(caller.send(method, f"{REST}/works?limit=1&id=not.is.null", body)) == (400, "PGRST109")
    assert len(caller.rows("works?lyricist=is.null")) == 2
    assert caller.send(method, f"{REST}/works?id=not.is.null", body).status == 204


@pytest.mark.parametrize("media_type", ["text/html", "application/xml", "text/plain"])
def test_a_body_of_another_media_type_is_refused_for_rows(site, media_type):
    answer = scene(site).send("POST", f"{REST}/works", b"title\nx", content_type=media_type)
    assert refused(answer) == (400, "PGRST102")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/geo+json"])
def test_an_answer_in_another_media_type_is_not_to_be_had(site, accept):
    assert refused(scene(site).get("works", accept=accept)) == (406, "PGRST107")
