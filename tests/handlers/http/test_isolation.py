"""One tenant's callers at another tenant's door: every route, every way to address a vault, nothing comes out."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from starlette.routing import Route

from db.registry.directory import delete_vault, suspend_vault
from tests.handlers.http.asgi_client import Answer
from tests.handlers.http.site import AUTH, OPERATOR, REST, Caller, Choir, Site, error_of, make_choir, make_site, refused

SECRET = "Harmonia only"
OWN = "nocturne"
KEPT_OUT = {401, 403, 404}


@dataclass(frozen=True)
class Probe:
    """What to send to one route of the other vault. allowed: the statuses that give nothing away."""

    path: str
    body: Any = None
    allowed: frozenset[int] = frozenset(KEPT_OUT)
    headers: Mapping[str, str] = field(default_factory=dict)


CODE = {"type": "email", "email": "owner@harmonia.example", "token": "123456"}
FORM = {"content_type": "application/x-www-form-urlencoded"}
# Every route with every probe; a route that is missing here fails the test below.
PROBES: dict[tuple[str, str], list[Probe]] = {
    ("GET", "/{vault}/rest/v1/{table}"): [
        Probe(f"{REST}/works"),
        Probe(f"{REST}/members?select=*,member_roles(*)"),
        Probe(f"{REST}/organizations"),
        Probe(f"{REST}/no_such_table"),
    ],
    ("HEAD", "/{vault}/rest/v1/{table}"): [Probe(f"{REST}/works")],
    ("POST", "/{vault}/rest/v1/{table}"): [Probe(f"{REST}/works", {"title": OWN})],
    ("PATCH", "/{vault}/rest/v1/{table}"): [Probe(f"{REST}/works?id=not.is.null", {"title": OWN})],
    ("DELETE", "/{vault}/rest/v1/{table}"): [Probe(f"{REST}/works?id=not.is.null")],
    ("PUT", "/{vault}/rest/v1/{table}"): [Probe(f"{REST}/works", {"title": OWN})],
    ("OPTIONS", "/{vault}/rest/v1/{table}"): [Probe(f"{REST}/works"), Probe(f"{REST}/no_such_table")],
    ("GET", "/{vault}/rest/v1/rpc/{verb}"): [Probe(f"{REST}/rpc/work.list"), Probe(f"{REST}/rpc/member.list")],
    ("HEAD", "/{vault}/rest/v1/rpc/{verb}"): [Probe(f"{REST}/rpc/work.list")],
    ("POST", "/{vault}/rest/v1/rpc/{verb}"): [
        Probe(f"{REST}/rpc/work.create", {"title": OWN}),
        Probe(f"{REST}/rpc/organization.list_public", {}),
    ],
    ("PATCH", "/{vault}/rest/v1/rpc/{verb}"): [Probe(f"{REST}/rpc/work.create", {"title": OWN})],
    ("DELETE", "/{vault}/rest/v1/rpc/{verb}"): [Probe(f"{REST}/rpc/work.delete")],
    ("OPTIONS", "/{vault}/rest/v1"): [Probe(REST)],
    ("OPTIONS", "/{vault}/rest/v1/"): [Probe(f"{REST}/")],
    ("OPTIONS", "/{vault}/rest/v1/rpc/{verb}"): [Probe(f"{REST}/rpc/work.create")],
    ("PUT", "/{vault}/rest/v1/rpc/{verb}"): [Probe(f"{REST}/rpc/work.create")],
    # Open to everybody, whoever else they are: the answers hold nothing of the vault.
    ("POST", "/{vault}/auth/v1/otp"): [Probe(f"{AUTH}/otp", {"email": "a@x.example"}, frozenset({200}))],
    ("GET", "/{vault}/auth/v1/verify"): [Probe(f"{AUTH}/verify?token_hash=vll_guess", None, frozenset({200}))],
    ("HEAD", "/{vault}/auth/v1/verify"): [Probe(f"{AUTH}/verify?token_hash=vll_guess", None, frozenset({200}))],
    ("POST", "/{vault}/auth/v1/verify"): [
        Probe(f"{AUTH}/verify", CODE),
        Probe(f"{AUTH}/verify", {"token_hash": "vll_x"}),
    ],
    ("GET", "/{vault}/invite/accept"): [Probe("/invite/accept?token=guess")],
    ("HEAD", "/{vault}/invite/accept"): [Probe("/invite/accept?token=guess")],
    ("POST", "/{vault}/invite/accept"): [
        Probe("/invite/accept", b"token=guess&email=owner%40harmonia.example&code=123456", headers=FORM),
    ],
    ("POST", "/{vault}/auth/v1/token"): [
        Probe(f"{AUTH}/token?grant_type=password", {"email": "owner@harmonia.example", "password": "password1"}),
        Probe(f"{AUTH}/token?grant_type=refresh_token", {"refresh_token": "vlr_guess"}),
    ],
    ("POST", "/{vault}/auth/v1/logout"): [Probe(f"{AUTH}/logout"), Probe(f"{AUTH}/logout?scope=global")],
    ("GET", "/{vault}/auth/v1/user"): [Probe(f"{AUTH}/user")],
    ("HEAD", "/{vault}/auth/v1/user"): [Probe(f"{AUTH}/user")],
    ("PUT", "/{vault}/auth/v1/user"): [Probe(f"{AUTH}/user", {"password": "taken over"})],
    ("GET", "/{vault}/auth/v1/settings"): [Probe(f"{AUTH}/settings", None, frozenset({200}))],
    ("HEAD", "/{vault}/auth/v1/settings"): [Probe(f"{AUTH}/settings", None, frozenset({200}))],
    ("GET", "/{vault}/auth/v1/health"): [Probe(f"{AUTH}/health", None, frozenset({200}))],
    ("HEAD", "/{vault}/auth/v1/health"): [Probe(f"{AUTH}/health", None, frozenset({200}))],
    ("POST", "/{vault}/auth/v1/sso"): [Probe(f"{AUTH}/sso", {"domain": "x.example"}, frozenset({400}))],
    ("POST", "/{vault}/auth/v1/signup"): [
        Probe(f"{AUTH}/signup", {"email": "a@x.example", "password": "password1"}, frozenset({200})),
    ],
    ("POST", "/{vault}/auth/v1/magiclink"): [Probe(f"{AUTH}/magiclink", {"email": "a@x.example"}, frozenset({200}))],
    ("POST", "/{vault}/auth/v1/recover"): [Probe(f"{AUTH}/recover", {"email": "a@x.example"}, frozenset({200}))],
    ("POST", "/{vault}/auth/v1/resend"): [
        Probe(f"{AUTH}/resend", {"type": "signup", "email": "a@x.example"}, frozenset({200})),
    ],
    ("GET", "/{vault}/auth/v1/authorize"): [
        Probe(f"{AUTH}/authorize?provider=google&redirect_to=https://choirs.example/", None, frozenset({400})),
    ],
    ("HEAD", "/{vault}/auth/v1/authorize"): [
        Probe(f"{AUTH}/authorize?provider=google&redirect_to=https://choirs.example/", None, frozenset({400})),
    ],
    ("GET", "/{vault}/auth/v1/reauthenticate"): [Probe(f"{AUTH}/reauthenticate", None)],
    ("HEAD", "/{vault}/auth/v1/reauthenticate"): [Probe(f"{AUTH}/reauthenticate", None)],
    ("GET", "/{vault}/auth/v1/user/identities/authorize"): [
        Probe(f"{AUTH}/user/identities/authorize?provider=google", None),
    ],
    ("HEAD", "/{vault}/auth/v1/user/identities/authorize"): [
        Probe(f"{AUTH}/user/identities/authorize?provider=google", None),
    ],
    ("DELETE", "/{vault}/auth/v1/user/identities/{identity}"): [Probe(f"{AUTH}/user/identities/x", None)],
    ("GET", "/{vault}/auth/v1/alerts"): [Probe(f"{AUTH}/alerts", None)],
    ("HEAD", "/{vault}/auth/v1/alerts"): [Probe(f"{AUTH}/alerts", None)],
    ("POST", "/{vault}/auth/v1/factors"): [Probe(f"{AUTH}/factors", {"factor_type": "totp"})],
    ("POST", "/{vault}/auth/v1/factors/{factor}/challenge"): [Probe(f"{AUTH}/factors/x/challenge", {})],
    ("POST", "/{vault}/auth/v1/factors/{factor}/verify"): [
        Probe(f"{AUTH}/factors/x/verify", {"challenge_id": "x", "code": "000000"}),
    ],
    ("DELETE", "/{vault}/auth/v1/factors/{factor}"): [Probe(f"{AUTH}/factors/x", None)],
    ("GET", "/{vault}/auth/v1/vaults"): [Probe(f"{AUTH}/vaults", None)],
    ("HEAD", "/{vault}/auth/v1/vaults"): [Probe(f"{AUTH}/vaults", None)],
    ("POST", "/{vault}/auth/v1/vaults/{other}/token"): [
        Probe(f"{AUTH}/vaults/harmonia/token", {}),
        Probe(f"{AUTH}/vaults/aurora/token", {}),
    ],
    ("POST", "/{vault}/auth/v1/invite"): [Probe(f"{AUTH}/invite", {"email": "owner@harmonia.example"})],
    ("POST", "/{vault}/auth/v1/admin/generate_link"): [
        Probe(f"{AUTH}/admin/generate_link", {"type": "magiclink", "email": "owner@harmonia.example"}),
    ],
    ("GET", "/{vault}/auth/v1/admin/users"): [Probe(f"{AUTH}/admin/users", None)],
    ("HEAD", "/{vault}/auth/v1/admin/users"): [Probe(f"{AUTH}/admin/users", None)],
    ("POST", "/{vault}/auth/v1/admin/users"): [Probe(f"{AUTH}/admin/users", {"email": "new@x.example"})],
    ("GET", "/{vault}/auth/v1/admin/users/{user}"): [Probe(f"{AUTH}/admin/users/x", None)],
    ("HEAD", "/{vault}/auth/v1/admin/users/{user}"): [Probe(f"{AUTH}/admin/users/x", None)],
    ("PUT", "/{vault}/auth/v1/admin/users/{user}"): [Probe(f"{AUTH}/admin/users/x", {"password": "taken over"})],
    ("DELETE", "/{vault}/auth/v1/admin/users/{user}"): [Probe(f"{AUTH}/admin/users/x", {})],
    ("GET", "/{vault}/auth/v1/admin/users/{user}/factors"): [Probe(f"{AUTH}/admin/users/x/factors", None)],
    ("HEAD", "/{vault}/auth/v1/admin/users/{user}/factors"): [Probe(f"{AUTH}/admin/users/x/factors", None)],
    ("DELETE", "/{vault}/auth/v1/admin/users/{user}/factors/{factor}"): [
        Probe(f"{AUTH}/admin/users/x/factors/y", None),
    ],
    ("GET", "/{vault}/auth/v1/.well-known/jwks.json"): [Probe(f"{AUTH}/.well-known/jwks.json", None, frozenset({200}))],
    ("HEAD", "/{vault}/auth/v1/.well-known/jwks.json"): [
        Probe(f"{AUTH}/.well-known/jwks.json", None, frozenset({200}))
    ],
}  # fmt: skip
# Of files; a route that takes GET is asked by HEAD too.
FILES = "/storage/v1"
ROW = "00000000-0000-7000-8000-000000000000"
FILE, SIGNED = f"scores/{ROW}/a.pdf", "token=guess"
WISH = {"bucketId": "scores", "sourceKey": f"{ROW}/a.pdf", "destinationKey": f"{ROW}/b.pdf"}
TUS = {"tus_resumable": "1.0.0", "upload_length": "1", "upload_metadata": "bucketName c2NvcmVz,objectName YS9iLnBkZg=="}
UPLOAD = "upload/resumable"
OPEN_TO_ALL = frozenset({204})
FILE_PROBES: dict[str, dict[str, Probe]] = {
    "bucket": {"GET": Probe("bucket"), "POST": Probe("bucket", {"id": OWN})},
    "bucket/{bucket}": {
        "GET": Probe("bucket/scores"),
        "PUT": Probe("bucket/scores", {"public": True}),
        "DELETE": Probe("bucket/scores"),
    },
    "bucket/{bucket}/empty": {"POST": Probe("bucket/scores/empty")},
    "object/list/{bucket}": {"POST": Probe("object/list/scores", {"prefix": ""})},
    "object/list-v2/{bucket}": {"POST": Probe("object/list-v2/scores", {})},
    "object/move": {"POST": Probe("object/move", WISH)},
    "object/copy": {"POST": Probe("object/copy", WISH)},
    "object/upload/sign/{bucket}/{name:path}": {
        "POST": Probe(f"object/upload/sign/{FILE}", {}),
        "PUT": Probe(f"object/upload/sign/{FILE}?{SIGNED}", b"x"),
    },
    "object/upload/direct/{bucket}/{name:path}": {
        "POST": Probe(f"object/upload/direct/{FILE}", {"size": 1}),
        "PUT": Probe(f"object/upload/direct/{FILE}", {"token": "guess"}),
    },
    "object/sign/{bucket}": {"POST": Probe("object/sign/scores", {"expiresIn": 60, "paths": [f"{ROW}/a.pdf"]})},
    "object/sign/{bucket}/{name:path}": {
        "POST": Probe(f"object/sign/{FILE}", {"expiresIn": 60}),
        "GET": Probe(f"object/sign/{FILE}?{SIGNED}"),
    },
    "object/info/public/{bucket}/{name:path}": {"GET": Probe(f"object/info/public/{FILE}")},
    "object/info/authenticated/{bucket}/{name:path}": {"GET": Probe(f"object/info/authenticated/{FILE}")},
    "object/info/{bucket}/{name:path}": {"GET": Probe(f"object/info/{FILE}")},
    "object/public/{bucket}/{name:path}": {"GET": Probe(f"object/public/{FILE}")},
    "object/authenticated/{bucket}/{name:path}": {"GET": Probe(f"object/authenticated/{FILE}")},
    "object/{bucket}/{name:path}": {
        "GET": Probe(f"object/{FILE}"),
        "POST": Probe(f"object/{FILE}", b"%PDF-"),
        "PUT": Probe(f"object/{FILE}", b"%PDF-"),
        "DELETE": Probe(f"object/{FILE}"),
    },
    "object/{bucket}": {"DELETE": Probe("object/scores", {"prefixes": [f"{ROW}/a.pdf"]})},
    UPLOAD: {"POST": Probe(UPLOAD, None, headers=TUS), "OPTIONS": Probe(UPLOAD, None, OPEN_TO_ALL)},
    f"{UPLOAD}/sign": {"POST": Probe(f"{UPLOAD}/sign", None, headers={**TUS, "x_signature": "guess"})},
    **{
        f"{path}/{{upload}}": {
            "OPTIONS": Probe(f"{path}/{ROW}", None, OPEN_TO_ALL),
            **{method: Probe(f"{path}/{ROW}", None, headers=TUS) for method in ("HEAD", "PATCH", "DELETE")},
        }
        for path in (UPLOAD, f"{UPLOAD}/sign")
    },
    "render/image/{rest:path}": {"GET": Probe(f"render/image/public/{FILE}")},
    "cdn/{rest:path}": {"DELETE": Probe(f"cdn/{FILE}")},
}
for path, by_method in FILE_PROBES.items():
    for method, probe in by_method.items():
        sent = replace(probe, path=f"{FILES}/{probe.path}")
        PROBES[method, f"/{{vault}}{FILES}/{path}"] = [sent]
        if method == "GET":
            PROBES["HEAD", f"/{{vault}}{FILES}/{path}"] = [sent]
for method in ("GET", "HEAD"):
    for path in ("/openapi.json", REST, f"{REST}/"):
        PROBES[method, f"/{{vault}}{path}"] = [Probe(path)]
    # The page holds nothing; what it then asks for does.
    PROBES[method, "/{vault}/docs"] = [Probe("/docs", None, frozenset({200}))]
D1 = "/client/v4"
_DATABASES = f"{D1}/accounts/{{account}}/d1/database"
_HARMONIA = f"{D1}/accounts/vaultry/d1/database/harmonia"
_SQL = {"sql": "SELECT * FROM works"}
_FIGURES = {
    "query": "d1AnalyticsAdaptiveGroups",
    "variables": {"accountTag": "vaultry", "filter": {"AND": [{"databaseId": "harmonia"}]}},
}
PROBES["POST", f"{D1}/graphql"] = [Probe(f"{D1}/graphql", _FIGURES)]
PROBES["POST", _DATABASES] = [Probe(_HARMONIA.removesuffix("/harmonia"), {"name": "harmonia"})]
for method in ("GET", "HEAD"):
    # Everybody's list has what is theirs.
    PROBES[method, _DATABASES] = [Probe(_HARMONIA.removesuffix("/harmonia"), None, frozenset({200, *KEPT_OUT}))]
    for path in ("", "/time_travel/bookmark", "/export/{file}"):
        sent = Probe(_HARMONIA + path.replace("{file}", "x.sql?token=x"))
        PROBES[method, f"{_DATABASES}/{{database}}{path}"] = [sent]
for method, path, body in (
    ("PUT", "", {"read_replication": {"mode": "auto"}}),
    ("PATCH", "", {"read_replication": {"mode": "auto"}}),
    ("DELETE", "", None),
    ("POST", "/query", _SQL),
    ("POST", "/raw", _SQL),
    ("POST", "/time_travel/restore", None),
    ("POST", "/export", {"output_format": "polling"}),
    ("POST", "/import", {"action": "init", "etag": "0" * 32}),
    ("PUT", "/import/{file}", b"DROP TABLE works"),
):
    sent = Probe(_HARMONIA + path.replace("{file}", "x.sql?token=x"), body)
    PROBES[method, f"{_DATABASES}/{{database}}{path}"] = [sent]
# Routes of the platform, which lead into no vault.
_PLATFORM_D1 = ("/accounts", "/accounts/{account}", "/accounts/{account}/tokens/verify", "/memberships", "/user",
                "/user/tokens/verify")  # fmt: skip
_PUBLIC = ("/public/v1/slugs/{slug}", "/public/v1/{charter}/{verb}")
PLATFORM = {*_PUBLIC, *(D1 + path for path in _PLATFORM_D1)}
PLATFORM |= {"/healthz", "/.well-known/jwks.json", "/auth/v1/callback", "/openapi.json", "/docs", "/docs/{file}"}


def scene(site: Site) -> tuple[Choir, Choir]:
    """Aurora, whose people try, and Harmonia, whose library, people and settings are to stay its own."""
    ours = make_choir(site, "aurora", owner="owner@aurora.example")
    theirs = make_choir(site, "harmonia")
    owner = site.sign_in("harmonia", theirs.owner)
    work = owner.add("works", {"title": f"{SECRET} work"}).json()[0]
    owner.add("editions", {"work_id": work["id"], "name": f"{SECRET} edition", "license_type": "public_domain"})
    site.add_member(theirs, f"{SECRET} singer", "singer@harmonia.example")
    return ours, theirs


def strangers(site: Site, ours: Choir) -> dict[str, str]:
    """Tokens that are good at home, and garbage."""
    return {
        "person": site.sign_in(ours.slug, ours.owner).token,
        "owner token": site.api_token(ours, "owner"),
        "member token": site.api_token(ours, "member", read_only=True),
        "unknown token": "vlt_" + "A" * 43,
        "garbage": "garbage",
    }


def at_the_door(caller: Caller, method: str, probe: Probe) -> Answer:
    """What a caller gets for a probe, be it below the vault's own address or that of all databases."""
    if not probe.path.startswith(D1):
        return caller.send(method, probe.path, probe.body, **probe.headers)
    bearer = {"authorization": f"Bearer {caller.token}"}
    return caller.client.request(method, probe.path, headers=bearer, body=probe.body)


def stored(site: Site, choir: Choir) -> list[dict[str, Any]]:
    """Everything the audit log of a vault holds: a write by anybody shows."""
    return site.vault_rows(choir, "SELECT actor, verb, table_name, new_values FROM vaultry_audit ORDER BY seq")


def routes_of(site: Site) -> set[tuple[str, str]]:
    routes = [route for route in site.client.app.routes if isinstance(route, Route)]
    assert len(routes) == len(site.client.app.routes)
    return {(method, route.path) for route in routes for method in route.methods or ()}


def test_every_route_into_a_vault_is_probed(site):
    assert {(method, path) for method, path in routes_of(site) if path not in PLATFORM} == set(PROBES)


@pytest.mark.parametrize("known", PROBES, ids=lambda known: " ".join(known))
def test_a_route_gives_a_stranger_nothing(site, known, caplog):
    ours, theirs = scene(site)
    tokens = strangers(site, ours)
    if known[1].startswith(D1):
        tokens["SQL token"] = site.api_token(ours, sql="write")
    before = stored(site, theirs)
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    for who, token in tokens.items():
        caller = site.guest(theirs.slug).with_token(token)
        for probe in PROBES[known]:
            answer = at_the_door(caller, known[0], probe)
            assert (who, answer.status in probe.allowed) == (who, True), answer.text
            shown = answer.text.replace("<h1>Harmonia</h1>", "") + str(answer.headers)
            assert "harmonia only" not in shown.lower()
            assert theirs.entry.id not in shown
    assert "harmonia only" not in caplog.text.lower()
    assert not any(token in caplog.text for token in tokens.values())
    assert stored(site, theirs) == before


def test_what_the_probes_look_for_is_there_for_its_own_people(site):
    _, theirs = scene(site)
    owner = site.sign_in("harmonia", theirs.owner)
    assert f"{SECRET} work" in owner.get("works").text
    assert f"{SECRET} singer" in owner.get("members").text


def test_an_operator_token_reaches_every_vault(site):
    scene(site)
    token = site.api_token(None)
    assert [len(site.guest(slug).with_token(token).rows("works")) for slug in ("aurora", "harmonia")] == [0, 1]


def test_a_vault_that_does_not_exist_is_not_found_for_everybody(site):
    ours, _ = scene(site)
    for token in ("", *strangers(site, ours).values()):
        nowhere = site.guest("nowhere").with_token(token)
        assert refused(nowhere.get("works")) == refused(nowhere.auth("user", method="GET")) == (404, "not_found")
        assert refused(nowhere.auth("otp", {"email": "a@x.example"})) == (404, "not_found")
    assert site.mails("a@x.example") == []


@pytest.mark.parametrize(
    ("change", "status", "code"), [(suspend_vault, 403, "vault_suspended"), (delete_vault, 410, "vault_deleted")]
)
def test_a_closed_vault_lets_nobody_in(site, clock, change, status, code):
    ours, _ = scene(site)
    owner = site.sign_in(ours.slug, ours.owner)
    callers = [owner, site.guest("aurora"), owner.with_token(site.api_token(ours, "owner"))]
    site.services.registry_write(lambda tx: change(tx, ours.entry.id, clock()), OPERATOR, clock())
    for caller in callers:
        assert refused(caller.get("works")) == (status, code)
        assert refused(caller.call("work.create", title="x")) == (status, code)
        assert refused(caller.auth("otp", {"email": ours.owner})) == (status, code)
        assert refused(caller.auth("user", method="GET")) == (status, code)
        assert refused(caller.auth("verify?token_hash=x", method="GET")) == (status, code)
    assert site.guest("harmonia").get("works").status == 200


def test_another_process_learns_of_a_suspension_within_two_seconds(tmp_path, clock, site):
    ours, _ = scene(site)
    other = make_site(tmp_path, clock, cache=str(tmp_path / "other-cache"))
    try:
        assert other.guest("aurora").get("works").status == 200
        site.services.registry_write(lambda tx: suspend_vault(tx, ours.entry.id, clock()), OPERATOR, clock())
        clock.tick(2)
        assert refused(other.guest("aurora").get("works")) == (403, "vault_suspended")
    finally:
        other.services.close()


PATHS = [
    "/aurora/../harmonia/rest/v1/works",
    "/aurora/rest/v1/../../../harmonia/rest/v1/works",
    "/aurora/%2e%2e/harmonia/rest/v1/works",
    "/aurora%2f..%2fharmonia/rest/v1/works",
    "/aurora%2Frest%2Fv1%2F..%2F..%2F..%2Fharmonia%2Frest%2Fv1%2Fworks",
    "//harmonia/rest/v1/works",
    "/./harmonia/rest/v1/works",
    "/aurora\\..\\harmonia/rest/v1/works",
    "/aurora;harmonia/rest/v1/works",
    "/harmonia%00/rest/v1/works",
    "/harmonia%20/rest/v1/works",
    "/harmonia'--/rest/v1/works",
    "/%ff%fe/rest/v1/works",
    "/registry/rest/v1/accounts",
    "/aurora/rest/v1/works/",
    "/aurora/rest/v1//works",
    "/aurora/rest/v1/rpc/",
    "/aurora/rest/v2/works",
    "/aurora/rest/v1/main.works",
    "/aurora/rest/v1/sqlite_master",
    "/aurora/rest/v1/vaultry_audit",
    "/aurora/rest/v1/vaultry_settings",
    "/aurora/rest/v1/principals",
    "/aurora/rest/v1/rpc/../works",
    f"/{'a' * 10_000}/rest/v1/works",
    f"/aurora/rest/v1/{'w' * 10_000}",
    "/",
    "/aurora",
    "/favicon.ico",
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:40])
def test_a_path_trick_leads_nowhere(site, path):
    ours, _ = scene(site)
    for token in (site.sign_in(ours.slug, ours.owner).token, site.api_token(None)):
        answer = site.client.request("GET", path, headers={"authorization": f"Bearer {token}"})
        assert answer.status == 404
        assert error_of(answer)
        assert len(answer.body) < 12_000
        assert SECRET not in answer.text


def test_a_name_in_another_case_is_the_same_vault_under_the_same_rules(site):
    ours, _ = scene(site)
    person = site.sign_in(ours.slug, ours.owner)
    assert person.at("AURORA").rows("works") == []
    assert refused(person.at("HARMONIA").get("works")) == (403, "wrong_audience")


def test_headers_that_claim_another_host_path_or_person_change_nothing(site):
    ours, _ = scene(site)
    person = site.sign_in(ours.slug, ours.owner)
    claims = {
        "host": "harmonia.choirs.example",
        "x_forwarded_host": "harmonia.choirs.example",
        "x_original_url": "/harmonia/rest/v1/works",
        "x_rewrite_url": "/harmonia/rest/v1/works",
        "x_forwarded_prefix": "/harmonia",
        "x_http_method_override": "DELETE",
        "x_user": "owner@harmonia.example",
        "forwarded": "for=127.0.0.1;host=harmonia",
    }
    assert person.get("works", **claims).json() == []
    assert person.get("organizations?select=subdomain", **claims).json() == [{"subdomain": "aurora"}]


def sized(site: Site, size: int, **headers: str) -> Answer:
    """A POST whose body is so many bytes long."""
    head, tail = b'{"title": "x", "lyricist": "', b'"}'
    body = head + b"y" * (size - len(head) - len(tail)) + tail
    return site.guest("aurora").send("POST", f"{REST}/works", body, **headers)


def test_a_long_body_is_refused_by_its_limit(site):
    make_choir(site, "aurora")
    answer = sized(site, 10 * 2**20)
    assert refused(answer) == (413, "too_large")
    assert str(6 * 2**20) in error_of(answer)["message"]


def test_the_limit_of_a_body_counts_what_comes_not_what_is_announced(tmp_path, clock):
    site = make_site(tmp_path, clock, max_body_bytes="2048")
    try:
        make_choir(site, "aurora")
        assert refused(sized(site, 2048)) == (401, "42501")
        assert refused(sized(site, 2049)) == (413, "too_large")
        assert refused(sized(site, 2049, content_length="10")) == (413, "too_large")
        assert refused(sized(site, 100, content_length="9999999")) == (413, "too_large")
        assert refused(sized(site, 2048, content_length="\xb2")) == (401, "42501")
    finally:
        site.services.close()
