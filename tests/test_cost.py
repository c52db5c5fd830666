"""The cost calculator: the guide's table is its output, prices say where they are from, guesses can be changed."""

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from docs import cost

ROOT = Path(__file__).parents[1]


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "docs/cost.py", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_guide_has_the_table_the_calculator_prints():
    guide = (ROOT / "docs" / "how-to" / "deploy-on-aws.md").read_text()
    assert cost.table(cost.Use()) in guide
    assert run().stdout.strip() in guide


def test_the_lines_of_a_bill_add_up_to_its_sum():
    printed = run("--tenants", "1000").stdout
    amounts = [float(found) for found in re.findall(r"(?m)^ +([0-9.]+)  ", printed.partition("\n\n")[2])]
    assert amounts[-1] == pytest.approx(sum(amounts[:-1]), abs=0.01 * len(amounts))
    assert amounts[-1] == pytest.approx(sum(cost.grouped(1000, cost.Use(), "http").values()), abs=0.01)


def test_every_price_is_used_by_one_group_and_names_its_source():
    named = [name for names in cost.GROUPS.values() for name in names]
    assert sorted(named) == sorted(cost.PRICES)
    assert all(price.source and price.unit and price.usd > 0 for price in cost.PRICES.values())


def test_every_assumption_is_shown_with_its_meaning():
    assert set(cost.MEANINGS) == {known.name for known in fields(cost.Use)}
    printed = run("--tenants", "10").stdout
    assert all(f"{name} " in printed and meaning in printed for name, meaning in cost.MEANINGS.items())


def test_another_guess_changes_the_sum_and_an_unknown_one_is_refused():
    usual, busy = run("--tenants", "100").stdout, run("--tenants", "100", "--assume", "requests=50").stdout
    assert usual.splitlines()[-1] != busy.splitlines()[-1]
    refused = run("--assume", "request=50")
    assert (refused.returncode, "no assumption 'request'" in refused.stderr) == (1, True)


def test_more_tenants_cost_more_together_and_less_each():
    sums = [sum(cost.grouped(count, cost.Use(), "http").values()) for count in cost.TABLE]
    assert sums == sorted(sums)
    each = [total / count for total, count in zip(sums, cost.TABLE, strict=True)]
    assert each == sorted(each, reverse=True)


def test_the_dearer_kind_of_api_is_dearer():
    use = cost.Use()
    assert cost.grouped(1000, use, "rest")["Gateway"] > cost.grouped(1000, use, "http")["Gateway"]


def test_as_many_alarms_and_metrics_are_counted_as_the_template_has():
    text = (ROOT / "template.yaml").read_text()
    of_expressions = text.count("MetricStat:")
    assert text.count("Type: AWS::CloudWatch::Alarm") - text.count("Metrics:\n") + of_expressions == cost.ALARMS
    own = ("Plans", "VaultsDue", "VaultsTended", "VaultsLeft", "JobsFailed", "DrillsFailed")
    assert len([name for name in own if name in text]) == cost.METRICS
