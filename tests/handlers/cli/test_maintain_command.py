"""`vaultry maintain`: what runs, what is said of it, and with which status it ends."""

import json

from standardwebhooks.webhooks import Webhook as Standard

JOBS = {"outbox", "keys", "tokens", "log", "audit", "statistics", "integrity", "optimise", "sweep"}


def states(shell, code: int) -> dict[str, str]:
    result = shell.run("maintain", "--status", "--json")
    assert result.exit_code == code, result.output
    return {state["job"]: state["state"] for state in json.loads(result.stdout)}


def test_maintenance_that_never_ran_shows_and_then_it_ran(choir):
    assert states(choir, 1)["audit"] == "never run"
    report = choir.json("maintain", "--force")
    assert report["jobs"].keys() >= JOBS
    assert (report["vaults"], report["failures"], report["left"]) == (2, [], [])
    assert set(states(choir, 0).values()) == {"ok"}


def test_one_job_on_one_tenant(choir):
    report = choir.json("maintain", "audit", "--vault", "bella", "--force")
    assert report["vaults"] == 1
    assert report["jobs"]["audit"]["done"] == 1
    assert report["jobs"].keys() == {"audit"}


def test_what_is_not_due_does_not_run(choir):
    choir.ok("maintain", "keys")
    assert choir.json("maintain", "keys")["jobs"] == {}


def test_a_failing_job_is_named_and_the_status_says_so(choir, open_services):
    choir.ok("maintain", "integrity", "--force")
    services = open_services()
    with services.vault(services.entry("bella")) as vault:
        vault.alter(
            lambda connection: bool(
                connection.execute(
                    "INSERT INTO works (id, org_id, title, created_at) "
                    "VALUES ('w', 'gone', 'x', '2026-01-01T00:00:00.000Z')"
                )
            ),
            foreign_keys=False,
        )
    services.close()
    refused = choir.refused("maintain", "integrity", "--force")
    assert "failed: integrity on " in refused
    assert "vault_damaged: 1 tables; works" in refused
    assert states(choir, 1)["integrity"] == "failing"


def test_the_runs_of_one_tenant_are_shown_with_their_reports(choir):
    choir.ok("maintain", "--force", "--vault", "bella")
    runs = {run["job"]: run for run in choir.json("maintain", "--status", "--vault", "bella")}
    assert runs["audit"]["outcome"] == "ok"
    assert runs["statistics"]["report"]["rows.members"] == 1
    assert "statistics" in choir.ok("maintain", "--status", "--vault", "bella")


def test_what_a_job_counts_is_shown_day_by_day(choir):
    asked = ("maintain", "choir.figures.count", "--status", "--vault", "bella")
    assert choir.json(*asked) == []
    choir.ok("maintain", "choir.figures.count", "--force")
    (day,) = choir.json(*asked)
    assert (day["figures"]["members"], day["figures"]["events_concert"]) == (1, 0)
    shown = choir.ok(*asked).splitlines()
    assert shown[0].split()[0] == "day"
    assert shown[-1].split()[0] == day["day"] == day["counted_at"][:10]


def test_tables_for_people(choir):
    shown = choir.ok("maintain", "--force")
    assert "audit_rows" in shown
    assert "last success" in choir.ok("maintain", "--status")


def test_a_job_or_tenant_that_is_not_there_is_refused(choir):
    assert "(job_not_found)" in choir.refused("maintain", "nope")
    assert "(not_found)" in choir.refused("maintain", "--vault", "nobody")


def test_the_secret_of_webhooks_is_shown_and_renewed(choir):
    first = choir.json("webhook-secret", "bella")["secret"]
    assert choir.ok("webhook-secret", "bella").strip() == first
    second = choir.json("webhook-secret", "bella", "--rotate")["secret"]
    assert second != first
    assert choir.json("webhook-secret", "bella")["secret"] == second
    Standard(second)
