"""Settings: names, units, defaults, and what is refused."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from db.errors import Invalid
from handlers.settings import Settings, documentation
from handlers.settings_page import page

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
S3 = {
    "VAULTRY_STORE": "s3://choirs/production",
    "VAULTRY_SECRET": "s" * 32,
    "VAULTRY_MAIL": "ses:eu-central-1",
    "VAULTRY_MAIL_FROM": "Choirs <post@choir.example>",
}


def local(folder: Path, **more: str) -> Settings:
    return Settings.from_env({"VAULTRY_STORE": folder.as_uri(), **{f"VAULTRY_{k}": v for k, v in more.items()}})


def refusal(environ: dict[str, str]) -> Invalid:
    with pytest.raises(Invalid) as caught:
        Settings.from_env(environ)
    assert caught.value.code == "setting_invalid"
    return caught.value


def test_an_empty_environment_keeps_everything_below_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_env({"PATH": "/bin"})
    assert settings.folder == Path("data")
    assert settings.cache == Path("data/cache")
    assert settings.mail == "folder:data/outbox"
    assert settings.log == "text"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_an_unknown_name_is_refused_and_the_closest_one_named(tmp_path):
    error = refusal({"VAULTRY_STORE": tmp_path.as_uri(), "VAULTRY_MAX_ROW": "10"})
    assert error.field == "VAULTRY_MAX_ROW"
    assert "VAULTRY_MAX_ROWS" in error.message


def test_names_of_other_programs_are_left_alone(tmp_path):
    assert Settings.from_env({"VAULTRY_STORE": tmp_path.as_uri(), "VAULT_ADDR": "x"}).folder == tmp_path


def test_settings_cannot_be_changed_after_reading(tmp_path):
    with pytest.raises(FrozenInstanceError):
        local(tmp_path).max_rows = 5  # type: ignore[misc]  # the refusal is what is tested


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "1_000", "9" * 17, "٣"])
def test_a_number_that_is_none_or_outside_its_bounds_is_refused(tmp_path, text):
    error = refusal({"VAULTRY_STORE": tmp_path.as_uri(), "VAULTRY_MAX_ROWS": text})
    assert error.field == "VAULTRY_MAX_ROWS"


@pytest.mark.parametrize(("hours", "accepted"), [("23", False), ("24", True), ("25", True)])
def test_commits_keep_objects_of_their_own_for_at_least_a_day(tmp_path, hours, accepted):
    if accepted:
        assert local(tmp_path, LEVEL0_HOURS=hours).level0_hours == int(hours)
    else:
        refusal({"VAULTRY_STORE": tmp_path.as_uri(), "VAULTRY_LEVEL0_HOURS": hours})


def test_an_empty_value_counts_as_absent(tmp_path):
    assert local(tmp_path, MAX_ROWS=" ").max_rows == 1000


def test_origins_are_split_and_lose_their_slash(tmp_path):
    settings = local(tmp_path, CORS_ORIGINS="https://a.example/, http://b.example:3000")
    assert settings.cors_origins == ("https://a.example", "http://b.example:3000")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STORE", "gs://bucket/x"),
        ("STORE", "file://host/data"),
        ("STORE", "s3://UPPER/x"),
        ("STORE", "s3:///x"),
        ("STORE", "s3://bucket/a//b"),
        ("STORE", "s3://bucket/a?reguon=eu"),
        ("S3_ENDPOINT", "127.0.0.1:9000"),
        ("BASE_URL", "vaultry.example"),
        ("BASE_URL", "https://"),
        ("BASE_URL", "https://x.example/?q"),
        ("ISSUER", "ftp://x.example"),
        ("CORS_ORIGINS", "https://a.example/path"),
        ("MAIL", "sendmail"),
        ("LOG", "xml"),
        ("SIGNING_ALGORITHM", "RS256"),
        ("SECRET", "s" * 31),
    ],
)
def test_a_value_of_the_wrong_form_names_its_variable(name, value):
    assert refusal({**S3, f"VAULTRY_{name}": value}).field == f"VAULTRY_{name}"


@pytest.mark.parametrize("name", ["SECRET", "MAIL", "MAIL_FROM"])
def test_an_s3_store_needs_what_a_folder_would_have_supplied(name):
    environ = {key: value for key, value in S3.items() if key != f"VAULTRY_{name}"}
    error = refusal(environ)
    assert error.field == f"VAULTRY_{name}"
    assert "missing" in error.message


@pytest.mark.parametrize(
    ("store", "bucket"),
    [
        ("s3://choirs/a/b/", ("choirs", "a/b")),
        ("s3://choirs", ("choirs", "")),
        ("s3://choirs/a?region=eu-central-1&endpoint=http://127.0.0.1:5000", ("choirs", "a")),
    ],
)
def test_an_s3_store_is_a_bucket_and_a_prefix(store, bucket):
    settings = Settings.from_env({**S3, "VAULTRY_STORE": store})
    assert settings.bucket == bucket
    assert settings.folder is None


def test_the_endpoint_may_stand_in_the_address_of_the_store_or_beside_it():
    in_store = {**S3, "VAULTRY_STORE": "s3://choirs/a?endpoint=http://127.0.0.1:5000"}
    assert Settings.from_env(S3).s3_endpoint == ""
    assert Settings.from_env(in_store).s3_endpoint == "http://127.0.0.1:5000"
    beside = {**in_store, "VAULTRY_S3_ENDPOINT": "http://127.0.0.1:9000"}
    assert Settings.from_env(beside).s3_endpoint == "http://127.0.0.1:9000"


def test_a_relative_folder_becomes_an_absolute_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Settings.from_env({"VAULTRY_STORE": "file:./my data"}).store_address == (tmp_path / "my data").as_uri()


def test_copies_of_two_stores_never_share_a_folder():
    caches = {
        Settings.from_env(S3 | {"VAULTRY_STORE": store}).cache
        for store in ("s3://choirs/b", "s3://choirs/c", "s3://choirs/b")
    }
    assert len(caches) == 2
    assert all(cache.parent == Path("data") and cache.name.startswith("cache-") for cache in caches)


def test_on_lambda_the_cache_is_the_writable_folder_and_the_log_is_json():
    settings = Settings.from_env({**S3, "AWS_LAMBDA_FUNCTION_NAME": "api"})
    assert (str(settings.cache), settings.log) == ("/tmp/vaultry", "json")


def test_the_issuer_is_the_base_url_unless_given():
    assert Settings.from_env({**S3, "VAULTRY_BASE_URL": "https://x.example/"}).issuer == "https://x.example"


def test_a_local_secret_is_made_once_and_kept_for_its_owner_alone(tmp_path):
    folder = tmp_path / "new data"
    first = local(folder)
    assert len(first.secret) >= 32
    assert (folder / "secret").stat().st_mode & 0o777 == 0o600
    assert local(folder).secret == first.secret
    assert [path.name for path in folder.iterdir()] == ["secret"]


def test_a_local_secret_others_may_read_is_refused(tmp_path):
    local(tmp_path)
    (tmp_path / "secret").chmod(0o644)
    assert "chmod 600" in refusal({"VAULTRY_STORE": tmp_path.as_uri()}).message


def test_a_secret_that_is_given_leaves_no_file(tmp_path):
    assert local(tmp_path, SECRET="g" * 40).secret == "g" * 40
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shown", [repr, str, lambda settings: repr(documentation(settings))])
def test_secrets_are_never_shown(tmp_path, shown):
    settings = local(
        tmp_path, SECRET="hidden-" * 6, MAIL="smtp://anna:p@ss/kiwi@mail.example:587", MAIL_FROM="a@b.example"
    )
    text = shown(settings)
    assert "hidden-" not in text
    assert "kiwi" not in text
    assert "anna" not in text


def test_a_refused_mail_address_is_not_repeated():
    assert "kiwi" not in refusal({**S3, "VAULTRY_MAIL": "stmp://anna:kiwi@mail.example"}).message


def test_every_setting_says_what_it_means_and_in_which_unit(tmp_path):
    rows = documentation(local(tmp_path))
    assert len(rows) == len(fields(Settings))
    assert all(row.meaning and row.unit and row.default for row in rows)


def test_the_reference_page_is_the_one_made_from_the_declaration():
    assert REFERENCE.read_text() == page(), "run `make reference`"


def test_charters_that_are_not_in_the_box_are_named_with_their_module(tmp_path):
    given = "toolshed=toolshed.charter:TOOLSHED, allotment=allotment:CHARTER"
    assert local(tmp_path, CHARTERS=given).further_charters == [
        ("toolshed", "toolshed.charter", "TOOLSHED"),
        ("allotment", "allotment", "CHARTER"),
    ]


@pytest.mark.parametrize("given", ["toolshed", "toolshed=toolshed.charter", "Tool Shed=toolshed:X", "t=toolshed:X"])
def test_a_charter_of_another_form_is_refused(tmp_path, given):
    assert refusal({"VAULTRY_STORE": tmp_path.as_uri(), "VAULTRY_CHARTERS": given}).field == "VAULTRY_CHARTERS"
