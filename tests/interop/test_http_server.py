"""A real server under many connections: what was acknowledged is there, once."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.interop.served import open_aurora, served

THREADS, EACH = 32, 3


def test_thirty_two_connections_insert_and_every_row_is_there_once(tmp_path):
    site, choir = open_aurora(tmp_path)
    headers = {"Authorization": f"Bearer {site.api_token(choir, 'librarian')}", "Prefer": "return=representation"}
    with served(site.services) as address:
        works = f"{address}/aurora/rest/v1/works"

        def add(number: int) -> list[str]:
            with httpx.Client(headers=headers, trust_env=False) as client:
                added = [client.post(works, json={"title": f"{number}-{turn}"}) for turn in range(EACH)]
                assert [answer.status_code for answer in added] == [201] * EACH
                # A reader that asks after its own write sees it, and all that was promised before.
                assert len(client.get(works).json()) >= EACH
                return [answer.json()[0]["id"] for answer in added]

        with ThreadPoolExecutor(THREADS) as pool:
            ids = [work_id for batch in pool.map(add, range(THREADS)) for work_id in batch]
        rows = httpx.get(works, headers=headers, trust_env=False).json()
    assert len(set(ids)) == THREADS * EACH
    assert {row["id"] for row in rows} == set(ids)
    assert len(rows) == THREADS * EACH


def test_a_long_body_is_refused_by_the_server_before_it_is_whole(tmp_path):
    site, _ = open_aurora(tmp_path)
    with served(site.services) as address, httpx.Client(trust_env=False) as client:
        answer = client.post(f"{address}/aurora/rest/v1/works", content=b"x" * (10 * 2**20))
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert client.get(f"{address}/healthz").json()["status"] == "ok"
        dots = client.get(f"{address}/aurora/rest/v1/..%2f..%2f..%2fhealthz")
        assert (dots.status_code, dots.json()["code"]) == (404, "PGRST125")
