"""The published supabase client for Python against a running server: sign-in, rows, verbs, errors, sign-out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from postgrest import SyncPostgrestClient
from postgrest.exceptions import APIError
from supabase import Client, create_client
from supabase.lib.client_options import SyncClientOptions
from supabase_auth.errors import AuthApiError
from supabase_functions.errors import FunctionsHttpError

from tests.handlers.http.site import Choir, Site
from tests.interop.clients_page import check_methods
from tests.interop.served import KADRI, MARI, OWNER, open_aurora, served

# The client warns of a parameter that it passes to itself.
pytestmark = pytest.mark.filterwarnings("ignore:The '(timeout|verify|proxy)' parameter is deprecated")
# What the client insists on; it names no one.
KEY = "sb_publishable_none"


@dataclass(frozen=True)
class Aurora:
    """A served choir. url: what `create_client` is given."""

    site: Site
    choir: Choir
    url: str
    connections: httpx.Client

    def client(self, key: str = KEY) -> Client:
        # No timer of its own: it would outlive the test.
        options = SyncClientOptions(auto_refresh_token=False, httpx_client=self.connections)
        return create_client(self.url, key, options)

    def sign_in(self, email: str = MARI) -> Client:
        client = self.client()
        client.auth.sign_in_with_otp({"email": email})
        client.auth.verify_otp({"email": email, "token": self.site.code(email), "type": "email"})
        return client


@pytest.fixture
def aurora(tmp_path) -> Iterator[Aurora]:
    site, choir = open_aurora(tmp_path)
    with served(site.services) as address, httpx.Client(trust_env=False) as connections:
        yield Aurora(site, choir, f"{address}/aurora", connections)


def titles(client: Client) -> list[str]:
    return [row["title"] for row in client.table("works").select("title").order("title").execute().data]


def test_a_code_signs_in_and_the_user_is_the_one_who_asked(aurora):
    client = aurora.client()
    client.auth.sign_in_with_otp({"email": MARI})
    answer = client.auth.verify_otp({"email": MARI, "token": aurora.site.code(MARI), "type": "email"})
    assert answer.session is not None
    assert (answer.session.expires_in, answer.session.token_type) == (900, "bearer")
    user = client.auth.get_user()
    assert user is not None
    assert (user.user.email, user.user.role) == (MARI, "authenticated")


def test_the_token_of_a_link_signs_in(aurora):
    client = aurora.client()
    answer = client.auth.verify_otp({"token_hash": aurora.choir.link_token, "type": "magiclink"})
    assert answer.user is not None
    assert answer.user.email == OWNER
    assert len(client.table("vault_settings").select("*").execute().data) == 1


def test_a_password_is_set_and_signs_in(aurora):
    aurora.sign_in().auth.update_user({"password": "cello and oboe", "data": {"name": "Mari Mets"}})
    client = aurora.client()
    answer = client.auth.sign_in_with_password({"email": MARI, "password": "cello and oboe"})
    assert answer.user is not None
    assert answer.user.user_metadata == {"name": "Mari Mets"}
    with pytest.raises(AuthApiError) as caught:
        aurora.client().auth.sign_in_with_password({"email": MARI, "password": "wrong password"})
    assert (caught.value.status, caught.value.code) == (401, "invalid_credentials")


def test_rows_are_inserted_read_with_embeds_changed_and_deleted(aurora):
    client = aurora.sign_in()
    work = client.table("works").insert({"title": "Locus iste", "composer": "Bruckner"}).execute().data[0]
    client.table("editions").insert({"work_id": work["id"], "name": "Urtext"}).execute()
    assert client.from_("works").select("title,editions(name)").execute().data == [
        {"title": "Locus iste", "editions": [{"name": "Urtext"}]}
    ]
    changed = client.table("works").update({"lyricist": "Gradual"}).eq("id", work["id"]).execute().data
    assert (changed[0]["lyricist"], changed[0]["title"]) == ("Gradual", "Locus iste")
    assert client.table("works").select("title").eq("id", work["id"]).single().execute().data == {"title": "Locus iste"}
    assert client.table("works").select("title").eq("id", "x").maybe_single().execute() is None
    gone = client.table("works").delete().eq("id", work["id"]).execute().data
    assert [row["id"] for row in gone] == [work["id"]]
    assert titles(client) == []


def test_several_rows_are_counted_and_paged(aurora):
    client = aurora.sign_in()
    client.table("works").insert([{"title": title} for title in "ABCDE"]).execute()
    page = client.table("works").select("title", count="exact").order("title", desc=True).range(1, 2).execute()
    assert (page.count, page.data) == (5, [{"title": "D"}, {"title": "C"}])
    assert client.table("works").select("*", count="exact", head=True).execute().count == 5
    assert len(client.table("works").select("title").or_("title.eq.A,title.eq.B").execute().data) == 2
    assert len(client.table("works").select("title").in_("title", ["A", "C,D"]).execute().data) == 1
    assert len(client.table("works").select("title").ilike("title", "*b*").execute().data) == 1


def test_an_upsert_leaves_a_row_that_is_there(aurora):
    client = aurora.sign_in()
    work = client.table("works").insert({"title": "A"}).execute().data[0]
    edition = client.table("editions").insert({"work_id": work["id"], "name": "Part"}).execute().data[0]
    section = client.table("sections").select("id").eq("name", "Alto").single().execute().data
    listing = {"edition_id": edition["id"], "section_id": section["id"]}
    assert client.table("edition_sections").upsert(listing, ignore_duplicates=True).execute().data == [listing]
    assert client.table("edition_sections").upsert(listing, ignore_duplicates=True).execute().data == []


def test_verbs_are_called_by_rpc(aurora):
    client = aurora.sign_in()
    assert client.rpc("work.create", {"title": "Os justi"}).execute().data["title"] == "Os justi"
    found = client.rpc("work.search", {"q": "JUSTI"}).execute().data
    assert [work["title"] for work in found] == ["Os justi"]
    assert client.rpc("work.search", {"q": "nothing"}, get=True).execute().data == []


def test_an_error_arrives_with_our_code_message_and_field(aurora):
    client = aurora.sign_in(KADRI)
    with pytest.raises(APIError) as forbidden:
        client.table("works").insert({"title": "x"}).execute()
    assert forbidden.value.code == "42501"
    with pytest.raises(APIError) as missing:
        client.table("wroks").select("*").execute()
    assert missing.value.code == "PGRST205"
    with pytest.raises(APIError) as invalid:
        aurora.sign_in(OWNER).rpc("member.add_roster", {"name": " "}).execute()
    assert (invalid.value.code, invalid.value.details) == ("invalid_input", "name")
    asking = aurora.client().auth
    for _ in range(5):
        asking.sign_in_with_otp({"email": "many@x.example"})
    with pytest.raises(AuthApiError) as limited:
        asking.sign_in_with_otp({"email": "many@x.example"})
    assert (limited.value.status, limited.value.code) == (429, "rate_limited")


def test_a_session_is_refreshed_and_ended(aurora):
    client = aurora.sign_in()
    first = client.auth.get_session()
    assert first is not None
    second = client.auth.refresh_session().session
    assert second is not None
    assert second.refresh_token != first.refresh_token
    assert titles(client) == []
    client.auth.sign_out()
    with pytest.raises(AuthApiError) as caught:
        client.auth.get_user(second.access_token)
    assert (caught.value.status, caught.value.code) == (401, "session_ended")


def test_an_api_token_is_a_key(aurora):
    key = aurora.site.api_token(aurora.choir, "librarian")
    client = aurora.client(key)
    client.table("works").insert({"title": "By a program"}).execute()
    assert titles(client) == ["By a program"]
    assert titles(aurora.client()) == []


def test_the_plain_rest_client_works_too(aurora):
    token = aurora.site.api_token(aurora.choir, "librarian")
    with SyncPostgrestClient(f"{aurora.url}/rest/v1", headers={"Authorization": f"Bearer {token}"}) as client:
        client.from_("works").insert({"title": "A"}).execute()
        answer = client.from_("works").select("title", count="exact").execute()
        assert (answer.data, answer.count) == ([{"title": "A"}], 1)
        with pytest.raises(APIError) as caught:
            client.from_("works").select("titel").execute()
        assert caught.value.code == "42703"


def test_what_the_client_has_besides_is_not_here(aurora):
    client = aurora.sign_in()
    assert client.schema("public").table("works").select("id").execute().data == []
    assert client.postgrest.from_("works").select("id").execute().data == []
    assert Client.create(aurora.url, KEY, SyncClientOptions(httpx_client=aurora.connections)).storage is not None
    for call in (lambda: client.channel("works"), client.get_channels, client.remove_all_channels):
        with pytest.raises(NotImplementedError):
            call()
    with pytest.raises(NotImplementedError):
        client.remove_channel(None)
    with pytest.raises(FunctionsHttpError) as missing:
        client.functions.invoke("hello")
    assert missing.value.status == 404


def test_the_page_says_of_every_method_whether_it_works():
    """One that a new version brings shows up here."""
    methods = {name for name in dir(Client) if name[0] != "_"}
    check_methods("supabase", methods)
    source = Path(__file__).read_text()
    assert {name for name in methods if not re.search(rf"\.{name}\b", source)} == set()
