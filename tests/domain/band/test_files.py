"""Music files put, described, replaced, taken away and cleaned up after; who reads their rows."""

from dataclasses import replace

import pytest

from tests.domain.band.shelf import FILES, FIRST, MP3, PDF, POSY, fetch, key, put, refused, stored

WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(60)


def row(band, file_id):
    (found,) = band.stored("SELECT * FROM music_files WHERE id = :id", id=file_id)
    return found


def test_an_upload_makes_a_row_of_the_piece_under_the_key_it_is_kept_at(riverside):
    piece = riverside.ids.pieces[FIRST]
    answer = put(riverside, "M21", f"music/{piece}/Score in C.pdf", PDF, description="  clean copy ")
    assert answer.status == 200, answer.text
    file_id = answer.json()["Id"]
    assert answer.json()["Key"] == f"music/{piece}/{file_id}.pdf"
    assert row(riverside, file_id) == {
        "id": file_id,
        "piece_id": piece,
        "file_name": "Score in C.pdf",
        "file_type": "FULL_SCORE",
        "file_size": len(PDF),
        "mime_type": "application/pdf",
        "storage_key": f"music/{piece}/{file_id}.pdf",
        "storage_url": None,
        "version": 1,
        "description": "clean copy",
        "is_public": 0,
        "uploaded_at": "2026-04-10T12:00:00.000Z",
        "uploaded_by": riverside.ids.users["M21"],
    }


@pytest.mark.parametrize(
    ("body", "kind", "said", "wanted"),
    [
        (PDF, "application/pdf", {}, "FULL_SCORE"),
        (MP3, "audio/mpeg", {}, "AUDIO"),
        (WAV, "audio/wav", {}, "AUDIO"),
        (PDF, "application/pdf", {"part_id": "Oboe"}, "PART"),
        (PDF, "application/pdf", {"file_type": "LICENSING"}, "LICENSING"),
        (PDF, "application/pdf", {"file_type": "CONDENSED_SCORE", "part_id": "Oboe"}, "CONDENSED_SCORE"),
    ],
)
def test_what_a_file_is_follows_from_what_is_said_and_shown(riverside, body, kind, said, wanted):
    part = riverside.ids.parts["Oboe"]
    said = {name: part if value == "Oboe" else value for name, value in said.items()}
    file_id = stored(riverside, "a", body=body, kind=kind, **said)
    assert row(riverside, file_id)["file_type"] == wanted
    linked = riverside.value("SELECT file_id FROM music_parts WHERE id = :id", id=part)
    assert linked == (file_id if "part_id" in said else None)


@pytest.mark.parametrize(
    ("body", "kind", "said", "status", "code"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "image/png", {}, 400, "unsupported_media_type"),
        (b"plain", "text/plain", {}, 400, "unsupported_media_type"),
        (b"plain", "application/pdf", {}, 400, "content_mismatch"),
        (PDF, "audio/mpeg", {}, 400, "content_mismatch"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "audio/wav", {}, 400, "content_mismatch"),
        (b"", "application/pdf", {}, 400, "content_mismatch"),
        (PDF, "application/pdf", {"description": "x" * 501}, 400, "invalid_input"),
        (PDF, "application/pdf", {"file_type": "SCORE"}, 400, "invalid_input"),
        (PDF, "application/pdf", {"file_type": "LICENSING", "is_public": True}, 400, "invalid_input"),
        (PDF, "application/pdf", {"version": 4}, 400, "invalid_input"),
        (PDF, "application/pdf", {"part_id": "nothing"}, 400, "file_of_other_piece"),
    ],
)
def test_what_is_no_music_is_refused_and_leaves_nothing(riverside, body, kind, said, status, code):
    answer = put(riverside, "M21", f"music/{riverside.ids.pieces[FIRST]}/a.pdf", body, kind, **said)
    assert refused(answer) == (status, code)
    for table in ("music_files", "vaultry_files", "vaultry_blobs"):
        assert riverside.value(f"SELECT count(*) FROM {table}") == 0


def test_a_file_may_have_fifty_megabytes_and_no_byte_more(riverside):
    path = f"{FILES}/object/music/{riverside.ids.pieces[FIRST]}/a.pdf"
    long = riverside.caller("M21").send(
        "POST", path, b"%PDF-1.7\n".ljust((50 << 20) + 1), content_type="application/pdf"
    )
    assert refused(long) == (413, "file_too_large")


@pytest.mark.parametrize(
    ("who", "status"), [("", 401), ("M16", 403), ("Dana", 403), ("M54", 403), ("Ada", 200), ("Sam", 200)]
)
def test_uploading_needs_its_permission(riverside, who, status):
    answer = put(riverside, who, f"music/{riverside.ids.pieces[FIRST]}/a.pdf", PDF)
    assert answer.status == status, answer.text


def test_no_file_is_put_to_a_piece_that_is_not_there(riverside):
    piece = riverside.ids.pieces[FIRST]
    riverside.done("M21", "music.delete", piece_id=piece)
    for wrong in (piece, riverside.ids.pieces[POSY][:-1] + "x"):
        assert refused(put(riverside, "M21", f"music/{wrong}/a.pdf", PDF)) == (404, "not_found")


def test_two_files_of_one_name_are_two_files(riverside):
    assert stored(riverside, "a.pdf") != stored(riverside, "a.pdf")
    assert riverside.value("SELECT count(*) FROM music_files") == 2


def test_replacing_gives_the_next_version_a_key_of_its_own_and_keeps_what_was_said(riverside):
    part = riverside.ids.parts["Oboe"]
    file_id = stored(riverside, "oboe.pdf", part_id=part, description="ours", is_public=True)
    first = key(riverside, file_id)
    riverside.clock.tick(60)
    answer = put(riverside, "Ada", first, b"%PDF-1.7 corrected", method="PUT", file_name="oboe 2.pdf")
    assert answer.status == 200, answer.text
    second = f"music/{riverside.ids.pieces[FIRST]}/{file_id}-2.pdf"
    now = row(riverside, file_id)
    assert (now["storage_key"], now["version"], now["file_name"]) == (second, 2, "oboe 2.pdf")
    assert (now["description"], now["is_public"], now["file_type"]) == ("ours", 1, "PART")
    assert (now["file_size"], now["uploaded_by"]) == (18, riverside.ids.users["Ada"])
    assert fetch(riverside, "M21", second).body == b"%PDF-1.7 corrected"
    assert refused(fetch(riverside, "M21", first)) == (404, "not_found")
    assert riverside.value("SELECT file_id FROM music_parts WHERE id = :id", id=part) == file_id
    audited = riverside.stored(
        "SELECT old_values ->> 'storage_key' AS was, old_values ->> 'file_size' AS size,"
        " old_values ->> 'file_name' AS name"
        " FROM vaultry_audit WHERE table_name = 'music_files' AND operation = 'update'"
    )
    assert audited == [{"was": first, "size": len(PDF), "name": "oboe.pdf"}]


def test_of_two_who_replace_the_same_version_the_second_is_told(riverside):
    first = key(riverside, stored(riverside, "a.pdf"))
    assert put(riverside, "M21", first, b"%PDF-2", method="PUT").status == 200
    assert refused(put(riverside, "Ada", first, b"%PDF-3", method="PUT")) == (409, "version_conflict")
    assert riverside.value("SELECT count(*) FROM music_files") == 1
    assert refused(put(riverside, "Ada", first.replace("0", "1"), b"%PDF-3", method="PUT"))[0] == 404


def test_what_was_replaced_counts_until_it_goes(riverside):
    services = riverside.site.services
    services.settings = replace(services.settings, vault_file_bytes=2 * len(PDF) + 10)
    file_id = stored(riverside, "a.pdf")
    assert put(riverside, "M21", key(riverside, file_id), PDF + b"2", method="PUT").status == 200
    assert refused(put(riverside, "M21", key(riverside, file_id), PDF + b"3", method="PUT")) == (413, "quota_reached")
    riverside.clock.tick(31 * 86400)
    riverside.done("Sam", "files.clean")
    assert put(riverside, "M21", key(riverside, file_id), PDF + b"3", method="PUT").status == 200


def test_a_key_that_is_taken_is_not_put_again_without_replacing(riverside):
    assert refused(put(riverside, "M21", key(riverside, stored(riverside, "a.pdf")), PDF)) == (409, "already_exists")


def test_what_is_said_of_a_file_can_be_changed_and_a_licence_stays_secret(riverside):
    file_id = stored(riverside, "a.pdf")
    riverside.done("Dana", "file.update", file_id=file_id, description="new", is_public=True)
    assert (row(riverside, file_id)["description"], row(riverside, file_id)["is_public"]) == ("new", 1)
    assert riverside.refused("Dana", "file.update", file_id=file_id, file_type="LICENSING") == (400, "invalid_input")
    riverside.done("Dana", "file.update", file_id=file_id, file_type="LICENSING", is_public=False, description=None)
    assert riverside.refused("Dana", "file.update", file_id=file_id, is_public=True) == (400, "invalid_input")
    assert riverside.refused("Dana", "file.update", file_id=file_id, description="x" * 501) == (400, "invalid_input")
    assert riverside.refused("Dana", "file.update", file_id=file_id, file_type=None) == (400, "invalid_input")
    assert riverside.refused("M16", "file.update", file_id=file_id, description="x") == (403, "forbidden")
    assert row(riverside, file_id)["description"] is None


@pytest.mark.parametrize("way", ["verb", "door", "several"])
def test_removing_a_file_leaves_its_parts_and_takes_its_log_and_versions(riverside, way):
    part = riverside.ids.parts["Oboe"]
    file_id = stored(riverside, "oboe.pdf", part_id=part)
    put(riverside, "M21", key(riverside, file_id), b"%PDF-2", method="PUT")
    path = key(riverside, file_id)
    fetch(riverside, "M21", path)
    door = riverside.caller("Dana").send("DELETE", f"{FILES}/object/{path}")
    assert refused(door) == (403, "42501")
    assert riverside.refused("Dana", "file.remove", file_id=file_id) == (403, "forbidden")
    librarian = riverside.caller("M21")
    if way == "verb":
        librarian.done("file.remove", file_id=file_id)
    elif way == "door":
        assert librarian.send("DELETE", f"{FILES}/object/{path}").status == 200
    else:
        prefixes = {"prefixes": [path.partition("/")[2]]}
        assert len(librarian.send("DELETE", f"{FILES}/object/music", prefixes).json()) == 1
    for table in ("music_files", "file_downloads", "vaultry_files"):
        assert riverside.value(f"SELECT count(*) FROM {table}") == 0
    assert riverside.stored("SELECT part_name, file_id FROM music_parts WHERE id = :id", id=part) == [
        {"part_name": "Oboe", "file_id": None}
    ]


def test_files_are_kept_thirty_days_after_their_piece_went_and_after_they_were_replaced(riverside):
    riverside.at("2026-03-02T09:00:00Z")
    early, late = stored(riverside, "a.pdf", FIRST), stored(riverside, "b.pdf", POSY, b"%PDF-b")
    sea = stored(riverside, "c.pdf", "Sea Songs", b"%PDF-c")
    fetch(riverside, "M21", key(riverside, early))
    put(riverside, "M21", key(riverside, sea), b"%PDF-d", method="PUT")
    riverside.at("2026-03-05T12:00:00Z")
    riverside.done("M21", "music.delete", piece_id=riverside.ids.pieces[FIRST])
    riverside.at("2026-03-10T12:00:00Z")
    riverside.done("M21", "music.delete", piece_id=riverside.ids.pieces[POSY])
    put(riverside, "M21", key(riverside, sea), b"%PDF-e", method="PUT")
    riverside.at("2026-04-05T03:00:00Z")
    assert riverside.done("Sam", "files.clean", dry_run=True) == {"count": 2, "dry_run": True}
    assert riverside.refused("Ada", "files.clean") == (403, "forbidden")
    for _ in range(2):
        assert riverside.job("files.clean") == 0
        assert [found["id"] for found in riverside.stored("SELECT id FROM music_files ORDER BY id")] == sorted(
            [late, sea]
        )
        kept = riverside.stored("SELECT bucket, count(*) AS n FROM vaultry_files GROUP BY bucket ORDER BY bucket")
        assert kept == [{"bucket": "music", "n": 2}, {"bucket": "replaced", "n": 1}]
    assert riverside.value("SELECT count(*) FROM file_downloads") == 0
    assert riverside.value("SELECT count(*) FROM music_pieces WHERE deleted_at IS NOT NULL") == 2
    riverside.done("M21", "music.restore", piece_id=riverside.ids.pieces[POSY])
    assert fetch(riverside, "M21", key(riverside, late)).body == b"%PDF-b"


def test_at_thirty_days_to_the_millisecond_a_file_is_still_there(riverside):
    stored(riverside, "a.pdf")
    riverside.done("M21", "music.delete", piece_id=riverside.ids.pieces[FIRST])
    riverside.clock.tick(30 * 86400)
    assert riverside.done("Sam", "files.clean")["count"] == 0
    riverside.clock.tick(0.001)
    assert riverside.done("Sam", "files.clean")["count"] == 1


def test_rows_of_files_parts_and_hand_outs_are_read_by_all_assigned_and_own(riverside):
    score, posy = stored(riverside, "score.pdf"), stored(riverside, "posy.pdf", POSY)
    public = stored(riverside, "march.mp3", POSY, MP3, "audio/mpeg", is_public=True)
    given = {"piece_id": riverside.ids.pieces[FIRST], "part_name": "Clarinet 2"}
    players = [riverside.ids.members[number] for number in (16, 17)]
    riverside.done("M21", "music.assign", member_ids=players, **given)

    def seen(who, query):
        return {found["id"] for found in riverside.rows(who, query)}

    assert seen("Dana", "music_files?select=id") == {score, posy, public}
    assert seen("M16", "music_files?select=id") == {score, public}
    assert seen("", "music_files?select=id") == {public}
    assert len(seen("Dana", "music_parts?select=id")) == len(seen("M16", "music_parts?select=id")) == 30
    assert seen("M05", "music_parts?select=id") == set()
    assert len(seen("M21", "music_assignments?select=id")) == 2
    (mine,) = riverside.rows("M16", "music_assignments?select=*")
    assert (mine["member_id"], mine["assigned_by"]) == (riverside.ids.members[16], None)
    assert seen("M54", "music_assignments?select=id") == set()


def test_the_log_is_read_by_auditors_and_everybody_reads_their_own(riverside):
    path = key(riverside, stored(riverside, "score.pdf", is_public=True))
    for who in ("M16", "M21", ""):
        fetch(riverside, who, path, x_real_ip="192.0.2.9")
    assert len(riverside.rows("Ada", "file_downloads?select=ip_address")) == 3
    assert riverside.rows("M16", "file_downloads?select=user_id,ip_address") == [
        {"user_id": riverside.ids.users["M16"], "ip_address": "192.0.2.9"}
    ]
    assert riverside.rows("", "file_downloads") == []
    audited = riverside.stored("SELECT new_values FROM vaultry_audit WHERE table_name = 'file_downloads'")
    assert not any("192.0.2.9" in (found["new_values"] or "") for found in audited)


def test_the_files_of_a_piece_are_listed_to_whoever_sees_the_piece(riverside):
    file_id = stored(riverside, "score.pdf")
    put(riverside, "M21", key(riverside, file_id), b"%PDF-2", method="PUT")
    wish = {"prefix": riverside.ids.pieces[FIRST]}

    def listed(who):
        return [
            found["name"] for found in riverside.caller(who).send("POST", f"{FILES}/object/list/music", wish).json()
        ]

    assert listed("Dana") == [f"{file_id}-2.pdf"]
    assert listed("M16") == []
