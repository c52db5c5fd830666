"""The permissions people need to deploy and to operate: real actions, for everything the template makes."""

import fnmatch
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.data import AdditionalSpecs
from cfnlint.helpers import load_resource

ROOT = Path(__file__).parents[1]
POLICIES = sorted((ROOT / "deploy").glob("*-policy.json"))
# What a resource of each kind is made with.
SERVICE = {
    "S3": "s3",
    "Serverless": "lambda",
    "Lambda": "lambda",
    "IAM": "iam",
    "ApiGatewayV2": "apigateway",
    "SQS": "sqs",
    "Logs": "logs",
    "CloudWatch": "cloudwatch",
    "SecretsManager": "secretsmanager",
    "Route53": "route53",
}


def statements(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text())["Statement"]


def actions(path: Path) -> set[str]:
    listed = [found["Action"] for found in statements(path)]
    return {action for found in listed for action in ([found] if isinstance(found, str) else found)}


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_every_action_is_one_that_iam_knows(path):
    known = load_resource(AdditionalSpecs, "Policies.json")
    for action in actions(path):
        service, _, name = action.partition(":")
        # API Gateway's actions are the methods of HTTP.
        assert fnmatch.filter(known[service]["Actions"], name.lower()) or service == "apigateway", action


def test_whoever_deploys_may_make_everything_the_template_has():
    text = (ROOT / "template.yaml").read_text()
    kinds = set(re.findall(r"Type: AWS::(\w+)::", text))
    assert kinds <= set(SERVICE)
    allowed = {action.partition(":")[0] for action in actions(ROOT / "deploy" / "deployer-policy.json")}
    # The schedule is an event of a function in the template, a rule of EventBridge in the stack.
    assert {SERVICE[kind] for kind in kinds} | {"events", "cloudformation"} <= allowed


def test_roles_are_handed_to_lambda_alone():
    (handing,) = [found for found in statements(ROOT / "deploy" / "deployer-policy.json") if "PassRole" in str(found)]
    assert handing["Condition"] == {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_star_for_a_resource_stands_only_where_iam_has_no_name_for_it(path):
    wide = {found["Sid"] for found in statements(path) if found["Resource"] == "*"}
    assert wide <= {"LookingAround", "TheQueueFeedingTheFunction", "ARandomSecret", "LettingTheGatewayWriteLogs"}


def test_the_guide_names_both_policies():
    guide = (ROOT / "docs" / "how-to" / "deploy-on-aws.md").read_text()
    assert [path.name for path in POLICIES if f"(../../deploy/{path.name})" not in guide] == []
