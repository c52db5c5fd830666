"""The AWS template: clean under cfn-lint, and no permission wider than the prefix of the logs."""

import re
from pathlib import Path
from typing import Any

import cfnlint
import pytest
import yaml

from handlers.settings import Settings

TEMPLATE = Path(__file__).parents[1] / "template.yaml"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Tags(yaml.SafeLoader):
    """YAML with CloudFormation's short tags: `!Sub x` reads as {"Sub": x}."""


def _tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {suffix: loader.construct_mapping(node, deep=True)}


Tags.add_multi_constructor("!", _tag)


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return yaml.load(TEMPLATE.read_text(), Tags)


@pytest.fixture(scope="module")
def resources(template) -> dict[str, Any]:
    return template["Resources"]


@pytest.fixture(scope="module")
def statements(resources) -> dict[str, Any]:
    policies = [
        policy
        for resource in resources.values()
        if resource["Type"] == "AWS::IAM::Role"
        for policy in resource["Properties"].get("Policies", [])
    ]
    return {found["Sid"]: found for policy in policies for found in policy["PolicyDocument"]["Statement"]}


def actions(statement: dict[str, Any]) -> set[str]:
    listed = statement["Action"]
    return {listed} if isinstance(listed, str) else set(listed)


def test_cfn_lint_finds_nothing():
    found = cfnlint.lint_all(TEMPLATE.read_text())
    # I rules are advice about what a template could also have.
    assert [str(match) for match in found if not match.rule.id.startswith("I")] == []


def test_objects_are_reachable_below_the_prefix_only(statements):
    assert actions(statements["ReadAndWriteTheLogs"]) == {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}
    assert statements["ReadAndWriteTheLogs"]["Resource"] == {"Sub": "${Logs.Arn}/${Prefix}/*"}


def test_a_listing_that_names_a_prefix_must_name_ours(statements):
    listing = statements["ListTheLogs"]
    assert actions(listing) == {"s3:ListBucket"}
    assert listing["Resource"] == {"GetAtt": "Logs.Arn"}
    assert listing["Condition"] == {"StringLikeIfExists": {"s3:prefix": {"Sub": "${Prefix}/*"}}}


def test_no_statement_that_allows_is_wide(statements):
    assert {sid for sid, found in statements.items() if found["Effect"] != "Allow"} == set()
    assert [sid for sid, found in statements.items() if any("*" in action for action in actions(found))] == []
    assert [sid for sid, found in statements.items() if found["Resource"] in ("*", ["*"])] == []
    assert {action for found in statements.values() for action in actions(found)} == {
        "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket",
        "ses:SendEmail", "ses:SendRawEmail", "logs:CreateLogStream", "logs:PutLogEvents",
    }  # fmt: skip


def test_every_function_runs_under_a_role_of_this_template(resources):
    functions = [found for found in resources.values() if found["Type"] == "AWS::Serverless::Function"]
    assert functions
    for function in functions:
        assert function["Properties"]["Role"] == {"GetAtt": "ApiRole.Arn"}
        assert "Policies" not in function["Properties"]


def test_the_compiled_files_are_made_for_the_interpreter_and_platform_of_the_function(resources):
    makefile = (TEMPLATE.parent / "Makefile").read_text()
    properties = resources["ApiFunction"]["Properties"]
    assert f"LAMBDA_PYTHON   ?= {properties['Runtime']}\n" in makefile
    assert properties["Architectures"] == ["arm64"]
    assert set(re.findall(r"--platform \w+_([a-z0-9]+)[ \n]", makefile)) == {"aarch64"}


def test_the_bucket_is_private_encrypted_and_outlives_the_stack(resources):
    bucket = resources["Logs"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["Properties"]["BucketEncryption"]


def test_no_lifecycle_rule_removes_an_object_of_a_log(resources):
    (rule,) = resources["Logs"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert set(rule) == {"Id", "Status", "AbortIncompleteMultipartUpload"}


def test_the_master_secret_outlives_the_stack_and_is_never_written_here(resources):
    assert resources["MasterSecret"]["DeletionPolicy"] == "Retain"
    assert resources["MasterSecret"]["Properties"]["GenerateSecretString"]["PasswordLength"] >= 32
    secret = resources["ApiFunction"]["Properties"]["Environment"]["Variables"]["VAULTRY_SECRET"]
    assert secret["Sub"][0] == "{{resolve:secretsmanager:${Arn}:SecretString}}"


def test_the_functions_environment_is_one_the_settings_accept(template, resources):
    variables = resources["ApiFunction"]["Properties"]["Environment"]["Variables"]
    deployed = {
        "VAULTRY_STORE": "s3://stack-logs-1/" + template["Parameters"]["Prefix"]["Default"],
        "VAULTRY_SECRET": "s" * 64,
        "VAULTRY_BASE_URL": "https://abc.execute-api.eu-central-1.amazonaws.com",
        "VAULTRY_MAIL": "ses:eu-central-1",
        "VAULTRY_MAIL_FROM": "post@club.example",
        "VAULTRY_CORS_ORIGINS": template["Parameters"]["CorsOrigins"]["Default"],
        "VAULTRY_CACHE_BYTES": template["Mappings"]["CacheBytes"]["1024"]["Half"],
    }
    assert set(variables) == set(deployed)
    assert Settings.from_env(deployed).bucket == ("stack-logs-1", "vaultry")


def test_the_cache_may_use_half_of_every_size_that_can_be_chosen(template):
    sizes = template["Parameters"]["EphemeralStorageMegabytes"]["AllowedValues"]
    halves = {int(size): int(row["Half"]) for size, row in template["Mappings"]["CacheBytes"].items()}
    assert halves == {size: size * 2**20 // 2 for size in sizes}
