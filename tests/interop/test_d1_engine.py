"""The same statements on D1's own engine and on ours: every difference is on the written list, with its reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from db.fields import is_json_list, is_json_object
from tests.handlers.d1.desk import make_desk
from tests.interop.d1_corpus import corpus
from tests.interop.node import FOLDER, node_json

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "d1-differences.md"
_EXACT = 1 << 53
# The page ends its rows about SQLite's version and build so: another SQLite may answer as D1 does.
_OF_THE_BUILD = "SQLite's"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    if not (FOLDER / "node_modules" / "miniflare").is_dir():
        pytest.skip("miniflare is not here: npm ci --prefix tests/interop/js")
    statements = tmp_path_factory.mktemp("corpus") / "corpus.json"
    statements.write_text(json.dumps(corpus()))
    told: list[Any] = node_json("d1_engine.mjs", str(statements))
    return told


def test_every_difference_from_d1_is_on_the_list(tmp_path: Path, theirs: list[Any]) -> None:
    desk = make_desk(tmp_path)
    shop = desk.create("shop")
    different: dict[str, tuple[Any, Any]] = {}
    for (sql, values), their in zip(corpus(), theirs, strict=True):
        answer = desk.send("POST", f"/{shop}/raw", {"sql": sql, "params": values}, x_vaultry_numbers="d1").json()
        ours = answer["result"][-1]["results"] if answer["success"] else {"message": answer["errors"][0]["message"]}
        if _rounded(ours) != _rounded(their):
            different[sql] = (their, ours)

    listed = _listed()
    assert {sql: told for sql, told in different.items() if sql not in listed} == {}
    assert {sql for sql, reason in listed.items() if not reason.startswith(_OF_THE_BUILD)} <= different.keys()
    assert len(corpus()) >= 300


def _rounded(value: Any) -> Any:
    """Numbers as JavaScript has them: it writes large ones with zeros at the end."""
    if is_json_list(value):
        return [_rounded(each) for each in value]
    if is_json_object(value):
        return {name: _rounded(each) for name, each in value.items()}
    return float(value) if isinstance(value, int | float) and abs(value) >= _EXACT else value


def _listed() -> dict[str, str]:
    """The statements of the page's table and why they differ."""
    rows = (line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `"))
    return {cells[0].removeprefix("| `").removesuffix("`"): cells[-1].removesuffix(" |") for cells in rows}
