"""The library of a choir in a year: works, editions and their files, numbered copies, loans, complaints.

Knows one choir at a time and what it sings; the same for the same source of chance.
"""

import random

from db.clock import Moment
from db.transaction import WriteTx
from domain.choir.score_files import BUCKET

SECTIONS = ("soprano", "alto", "tenor", "baritone", "bass")
LICENSES = ("public_domain", "owned", "licensed")
CONDITIONS = ("good", "good", "good", "fair", "poor", "lost")
# One work in so many has a stored score.
WITH_FILE = 4


def add_works(tx: WriteTx, org_id: str, count: int, chance: random.Random, now: Moment) -> list[str]:
    """The ids of so many new works, each with a score for everybody and a part for one or two sections."""
    works: list[str] = []
    for number in range(count):
        work_id = now.new_id()
        title = f"{chance.choice(('Ave', 'Locus', 'Õhtu', 'Sanctus'))} {number:03d}"
        tx.insert("works", id=work_id, org_id=org_id, title=title, composer=f"Composer {number % 40}")
        score_id, part_id = now.new_id(), now.new_id()
        tx.insert("editions", id=score_id, work_id=work_id, name="Score", edition_type="vocal_score",
                  license_type=chance.choice(LICENSES))  # fmt: skip
        tx.insert("editions", id=part_id, work_id=work_id, name="Part", edition_type="part")
        for name in chance.sample(SECTIONS, 1 + number % 2):
            tx.insert("edition_sections", edition_id=part_id, section_id=f"{org_id}-{name}")
        if number % WITH_FILE == 0:
            _store(tx, score_id, 10_000 + number, chance, now)
        works.append(work_id)
    return works


_NOTE = "UPDATE editions SET file_key = id, file_name = 'score.pdf', file_size = :size, file_uploaded_at = :now"


def _store(tx: WriteTx, edition_id: str, size: int, chance: random.Random, now: Moment) -> None:
    """The rows of a stored score; its bytes are nowhere."""
    sha256 = chance.randbytes(32).hex()
    tx.insert("vaultry_blobs", sha256=sha256, size=size, object=now.new_id(), created_at=now.text)
    tx.insert("vaultry_files", id=now.new_id(), bucket=BUCKET, name=f"{edition_id}/score.pdf", row_key=edition_id,
              sha256=sha256, size=size, content_type="application/pdf", cache_control="no-cache",
              uploaded_by="year", created_at=now.text, updated_at=now.text)  # fmt: skip
    tx.execute(f"{_NOTE} WHERE id = :id", id=edition_id, size=size, now=now.text)


_SUNG = """
SELECT DISTINCT p.edition_id FROM season_works AS i JOIN season_work_editions AS p ON p.season_work_id = i.id
  JOIN seasons AS s ON s.id = i.season_id WHERE s.org_id = :org_id ORDER BY p.edition_id
"""


def add_copies(
    tx: WriteTx, org_id: str, count: int, members: list[str], chance: random.Random, now: Moment
) -> list[str]:
    """The ids of so many new copies of what the seasons sing from; most are out, and all were out before."""
    editions = [row[0] for row in tx.rows(_SUNG, org_id=org_id)]
    copies: list[str] = []
    for number in range(count):
        copy_id, condition = now.new_id(), chance.choice(CONDITIONS)
        tx.insert("physical_copies", id=copy_id, edition_id=editions[number % len(editions)],
                  copy_number=f"M-{number // len(editions) + 1:02d}")  # fmt: skip
        loan = {"copy_id": copy_id, "assigned_at": now.text}
        tx.insert("copy_assignments", id=now.new_id(), member_id=chance.choice(members), returned_at=now.text, **loan)
        if chance.random() < 0.7:
            tx.insert("copy_assignments", id=now.new_id(), member_id=chance.choice(members), **loan)
        # Some were lost while they were out.
        tx.execute("UPDATE physical_copies SET condition = :to WHERE id = :id", to=condition, id=copy_id)
        copies.append(copy_id)
    return copies


_COMPLAIN = """
INSERT INTO takedowns (id, org_id, edition_id, claimant_name, claimant_email, reason, attestation, created_at)
SELECT :id, w.org_id, e.id, personal_seal('takedowns.claimant_name', 'C. Laimant'),
       personal_seal('takedowns.claimant_email', 'c@rights.example'), 'Mine.', 1, :now
  FROM editions AS e JOIN works AS w ON w.id = e.work_id WHERE e.work_id = :work_id AND e.edition_type = 'vocal_score'
"""


def add_complaints(tx: WriteTx, works: list[str], now: Moment) -> None:
    """A complaint that nobody has decided about the score of each of the works."""
    for work_id in works:
        tx.execute(_COMPLAIN, id=now.new_id(), work_id=work_id, now=now.text)
