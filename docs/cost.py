"""What a month on AWS costs: `python docs/cost.py --tenants 1000`. Knows prices and guesses at use; measures nothing.

Prices are in US dollars for us-east-1 (N. Virginia), before tax and without any free tier; most of Europe is 5 to 20 %
above. They were looked up in November 2026 in the pages named beside them, which are not all Amazon's own: check them
before you rely on a total. Those marked "not confirmed" come from memory of Amazon's price list.

The use of one tenant is a guess at an organisation of forty people. Guess otherwise: `--assume people=200`. A KMS key
of your own and a bucket that locks the anchors come on top.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace

REGION, DATE = "us-east-1", "November 2026"
TABLE = (10, 1_000, 10_000)
MINUTES = 30 * 24 * 60


@dataclass(frozen=True, slots=True)
class Price:
    """usd: of one unit. source: where it was read, and when that was written if it says so."""

    usd: float
    unit: str
    source: str


_AWS_API = "docs.aws.amazon.com, whitepaper on private API Gateway APIs, table 4"
_LAMBDA = "cloudchipr.com/blog/aws-lambda-pricing, 2024"
_S3 = "devnotes.tech, a breakdown of S3 pricing"
_CLOUDWATCH = "factualminds.com, CloudWatch pricing, June 2026"
PRICES = {
    "http request": Price(1.00 / 1e6, "request", _AWS_API),
    "rest request": Price(3.50 / 1e6, "request", _AWS_API),
    "lambda request": Price(0.20 / 1e6, "invocation", "not confirmed"),
    "lambda time": Price(0.0000133334, "GB-second, arm64", _LAMBDA),
    "lambda storage": Price(0.0000000309, "GB-second above 512 MB", "not confirmed"),
    "s3 put": Price(0.005 / 1e3, "PUT or LIST", _S3),
    "s3 get": Price(0.0004 / 1e3, "GET or HEAD", _S3),
    "s3 storage": Price(0.023, "GB-month", _S3),
    "data out": Price(0.09, "GB", "apigatewaycost.com/aws"),
    "sqs request": Price(0.40 / 1e6, "request", "cloudburn.io/blog/amazon-sqs-pricing, March 2026"),
    "mail": Price(0.10 / 1e3, "mail", "acecloudinterviews.com/tutorials/aws/ses"),
    "log": Price(0.50, "GB written", _CLOUDWATCH),
    "metric": Price(0.30, "metric of our own", "signoz.io/guides/cloudwatch-pricing, February 2026"),
    "alarm": Price(0.10, "alarm metric", "not confirmed"),
    "dashboard": Price(3.00, "dashboard", _CLOUDWATCH),
    "secret": Price(0.40, "secret", "hivebook.wiki, AWS Secrets Manager"),
}


def _guess(value: float, meaning: str) -> float:
    return field(default=value, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True)
class Use:
    """What one tenant does in a month, and what each thing takes."""

    people: float = _guess(40, "people of one tenant")
    sessions: float = _guess(8, "sessions of one person")
    requests: float = _guess(25, "requests in a session")
    writes: float = _guess(0.08, "share of requests that write")
    mails: float = _guess(60, "mails of one tenant")
    answer_kb: float = _guess(4, "kB of an answer")
    request_ms: float = _guess(60, "ms a warm request takes")
    cold: float = _guess(0.02, "share of requests that start a process")
    cold_ms: float = _guess(1_500, "ms that such a start takes")
    opens: float = _guess(0.75, "times a session finds its vault not open in the process it reaches")
    vault_mb: float = _guess(5, "MB of a vault")
    copies: float = _guess(3, "how many times that the log holds for 30 days of points in time")
    commit_kb: float = _guess(3, "kB of a commit")
    visits: float = _guess(5, "times a day that maintenance opens a vault")
    visit_ms: float = _guess(250, "ms of a visit")
    drill_ms: float = _guess(3_000, "ms of the monthly restore drill of a vault")
    memory_gb: float = _guess(1, "GB of memory of a function")
    storage_gb: float = _guess(1, "GB of space for files of a function")
    log_kb: float = _guess(1.0, "kB of log lines for a request, Lambda's own and the gateway's among them")


MEANINGS: dict[str, str] = {known.name: known.metadata["meaning"] for known in fields(Use)}

# Opening a vault: two listings; the newest snapshot and the commits since then.
OPEN_LISTS, OPEN_GETS = 2, 6
# A look at the next commit of the vault, and at times of the registry.
LOOKS = 1.5
# What a day of upkeep writes for one vault: a folded log, an anchor, and its share of snapshots.
UPKEEP_PUTS = 4
PLAN_MS = 150
# Lambda polls a queue with five long polls of twenty seconds, whether something is in it or not.
POLLS = 5 * MINUTES * 60 / 20
BATCH = 50
# An alarm on two metrics is charged twice.
METRICS, ALARMS = 6, 11


def lines(tenants: int, use: Use, api: str) -> list[tuple[str, str, float]]:
    """(price, what for, quantity) of a month."""
    sessions = tenants * use.people * use.sessions
    requests = sessions * use.requests
    writes = requests * use.writes
    visits = tenants * use.visits * 30
    opened = sessions * use.opens + visits
    serving_s = requests * (use.request_ms + use.cold * use.cold_ms) / 1000
    upkeep_s = (visits * use.visit_ms + tenants * use.drill_ms + MINUTES * PLAN_MS) / 1000
    batches = visits / BATCH
    stored_gb = (
        tenants
        * (use.vault_mb * use.copies + use.people * use.sessions * use.requests * use.writes * use.commit_kb / 1000)
        / 1000
    )
    return [
        (f"{api} request", "requests at the gateway", requests),
        ("lambda request", "requests, plans, batches", requests + MINUTES + batches),
        ("lambda time", "answering requests", serving_s * use.memory_gb),
        ("lambda time", "maintenance", upkeep_s * use.memory_gb),
        ("lambda storage", "space for open vaults", (serving_s + upkeep_s) * max(0, use.storage_gb - 0.5)),
        ("s3 put", "commits", writes),
        ("s3 put", "upkeep of the logs", tenants * UPKEEP_PUTS * 30 + batches),
        ("s3 put", "listings, when a vault is opened", opened * OPEN_LISTS),
        ("s3 get", "looks at the next commit", requests * LOOKS + writes + MINUTES),
        ("s3 get", "opening vaults", opened * OPEN_GETS + tenants * OPEN_GETS),
        ("s3 storage", "logs of 30 days", stored_gb),
        ("data out", "answers", requests * use.answer_kb / 1e6),
        ("sqs request", "batches, and polls of an empty queue", batches * 3 + POLLS + MINUTES),
        ("mail", "mail", tenants * use.mails),
        ("log", "log lines", (requests * use.log_kb + MINUTES * 0.8 + batches * 1.5) / 1e6),
        ("metric", "metrics of maintenance", METRICS),
        ("alarm", "alarms", ALARMS),
        ("dashboard", "dashboard", 1),
        ("secret", "master secret", 1),
    ]


GROUPS = {
    "Gateway": ("http request", "rest request", "data out"),
    "Lambda": ("lambda request", "lambda time", "lambda storage"),
    "S3 requests": ("s3 put", "s3 get"),
    "S3 storage": ("s3 storage",),
    "Queue and mail": ("sqs request", "mail"),
    "Logs, alarms, secret": ("log", "metric", "alarm", "dashboard", "secret"),
}


def grouped(tenants: int, use: Use, api: str) -> dict[str, float]:
    """US dollars a month, by group."""
    bill = lines(tenants, use, api)
    return {
        group: sum(PRICES[name].usd * quantity for name, _, quantity in bill if name in names)
        for group, names in GROUPS.items()
    }


def table(use: Use, api: str = "http", counts: Sequence[int] = TABLE) -> str:
    """The table of the guide, in Markdown."""
    columns = [grouped(count, use, api) for count in counts]
    rows = ["| US dollars a month | " + " | ".join(f"{count:,} tenants" for count in counts) + " |"]
    rows.append("|---|" + "---:|" * len(counts))
    rows += [f"| {group} | " + " | ".join(f"{column[group]:,.2f}" for column in columns) + " |" for group in GROUPS]
    sums = [sum(column.values()) for column in columns]
    rows.append("| **All** | " + " | ".join(f"**{total:,.2f}**" for total in sums) + " |")
    rows.append(
        "| for one tenant | "
        + " | ".join(f"{total / count:,.3f}" for total, count in zip(sums, counts, strict=True))
        + " |"
    )
    return "\n".join(rows)


def bill(tenants: int, use: Use, api: str) -> Iterable[str]:
    """Assumptions, then every line with its price, then the sum."""
    yield f"{tenants:,} tenants, {api} API. Prices: {REGION}, US dollars, {DATE}, no free tier, no tax."
    yield ""
    for known in fields(Use):
        yield f"  {known.name:<12} {getattr(use, known.name):>8g}  {MEANINGS[known.name]}"
    yield ""
    total = 0.0
    for name, purpose, quantity in lines(tenants, use, api):
        price = PRICES[name]
        cost = price.usd * quantity
        total += cost
        usd = f"{price.usd:.10f}".rstrip("0").rstrip(".")
        yield f"{cost:>10.2f}  {purpose:<38} {quantity:>14,.0f} x {usd} per {price.unit} ({price.source})"
    yield f"{total:>10.2f}  together; {total / tenants:.3f} for one tenant"


def _assumed(given: Sequence[str]) -> Use:
    use = Use()
    for text in given:
        name, _, value = text.partition("=")
        if name not in MEANINGS:
            raise SystemExit(f"no assumption {name!r}; there are: {', '.join(MEANINGS)}")
        use = replace(use, **{name: float(value)})
    return use


def main() -> None:
    """Print the bill of one size, or the table of the guide."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, help="how many; without it, the table of the guide")
    parser.add_argument("--api", choices=["http", "rest"], default="http", help="the template's ApiType")
    parser.add_argument("--assume", action="append", default=[], metavar="NAME=VALUE", help="another guess")
    asked = parser.parse_args()
    use = _assumed(asked.assume)
    text = "\n".join(bill(asked.tenants, use, asked.api)) if asked.tenants else table(use, asked.api)
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
