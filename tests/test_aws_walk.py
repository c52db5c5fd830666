"""docs/how-to/deploy-on-aws.md walked with moto in the place of AWS: tenants by the command line, a request, a round.

The functions are started by Lambda's own runtime client with the environment template.yaml gives them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from handlers.cli import cli
from tests.gateway import KINDS, Request, http_api_2
from tests.lambda_runtime import LambdaRuntime
from tests.moto_s3 import MotoS3, moto_s3

SLUGS = ("aurora", "bella", "cantus")
FROM = "post@vaultry.example"


@dataclass
class Stack:
    """What the template makes, as far as moto has it. environ: of both functions and of the operator's shell."""

    s3: MotoS3
    queue_url: str
    environ: dict[str, str]

    def client(self, service: str) -> Any:
        return _client(self.s3, service)

    def operator(self, *words: str) -> Any:
        """What a command prints as JSON."""
        environ = self.environ | {"VAULTRY_CACHE": self.environ["VAULTRY_CACHE"] + "-operator"}
        result = CliRunner().invoke(cli, [*words, "--json"], env=environ, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def take(self) -> list[dict[str, Any]]:
        """The messages that wait, as the event of a queue has them; they are deleted, as after a success."""
        sqs = self.client("sqs")
        found = sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return [{"messageId": message["MessageId"], "body": message["Body"]} for message in found]


def _client(s3: MotoS3, service: str) -> Any:
    boto3: Any = import_module("boto3")
    keys = {"aws_access_key_id": s3.access_key_id, "aws_secret_access_key": s3.secret_access_key}
    return boto3.client(service, endpoint_url=s3.endpoint, region_name=s3.region, **keys)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("aws")
    with moto_s3() as s3:
        url = _client(s3, "sqs").create_queue(QueueName="batches")["QueueUrl"]
        _client(s3, "sesv2").create_email_identity(EmailIdentity=FROM)
        environ = {
            "VAULTRY_STORE": f"s3://{s3.bucket}/vaultry?region={s3.region}",
            "VAULTRY_S3_ENDPOINT": s3.endpoint,
            "VAULTRY_SECRET": "s" * 64,
            "VAULTRY_BASE_URL": "https://api.vaultry.example",
            "VAULTRY_MAIL": f"ses:{s3.region}",
            "VAULTRY_MAIL_FROM": FROM,
            "VAULTRY_CACHE": str(folder / "cache"),
            "VAULTRY_QUEUE": url,
            # On a busy machine moto takes its time.
            "VAULTRY_PUT_TIMEOUT_MS": "30000",
            "AWS_ACCESS_KEY_ID": s3.access_key_id,
            "AWS_SECRET_ACCESS_KEY": s3.secret_access_key,
            "AWS_REGION": s3.region,
            "AWS_DEFAULT_REGION": s3.region,
            "AWS_ENDPOINT_URL_SQS": s3.endpoint,
            "AWS_ENDPOINT_URL_SESV2": s3.endpoint,
            "AWS_CHECKSUM_ALGORITHM": "SHA256",
        }
        made = Stack(s3, url, environ)
        with pytest.MonkeyPatch.context() as patch:
            for name in ("AWS_CA_BUNDLE", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
                patch.delenv(name, raising=False)
            for slug in SLUGS:
                made.operator(*tenant(slug))
            yield made


def tenant(slug: str) -> tuple[str, ...]:
    owner = ("--owner", f"owner@{slug}.example")
    return ("tenants", "create", slug, "--charter", "choir", "--name", slug.title(), *owner)


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[LambdaRuntime]:
    with LambdaRuntime("handlers.api.handler", stack.environ) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def maintenance(stack: Stack) -> Iterator[LambdaRuntime]:
    environ = stack.environ | {"VAULTRY_CACHE": stack.environ["VAULTRY_CACHE"] + "-maintenance"}
    with LambdaRuntime("handlers.scheduled.handler", environ) as runtime:
        yield runtime


def test_the_operators_tenants_are_in_the_bucket_and_answer_behind_every_kind_of_api(stack, api):
    listed = stack.operator("tenants", "list")
    assert [entry["slug"] for entry in listed["tenants"]] == list(SLUGS)
    token = stack.operator("tokens", "create", "first", "--operator")["token"]
    headers = (("Authorization", f"Bearer {token}"), ("Content-Type", "application/json"))
    for slug, kind in zip(SLUGS, KINDS, strict=True):
        made = Request("POST", f"/{slug}/rest/v1/rpc/work.create", headers, b'{"title":"Requiem"}')
        assert api.invoke(kind(made))["statusCode"] == 200
        read = api.invoke(kind(Request("GET", f"/{slug}/rest/v1/works?select=title&title=eq.Requiem", headers)))
        assert (read["statusCode"], json.loads(read["body"])) == (200, [{"title": "Requiem"}])
    keys = [entry["Key"] for entry in stack.client("s3").list_objects_v2(Bucket=stack.s3.bucket)["Contents"]]
    assert {key.partition("/")[0] for key in keys} == {"vaultry"}


def test_the_mail_of_a_sign_in_goes_out_through_ses(stack, api):
    before = int(stack.client("ses").get_send_quota()["SentLast24Hours"])
    body = json.dumps({"email": "owner@aurora.example"}).encode()
    asked = Request("POST", "/aurora/auth/v1/otp", (("Content-Type", "application/json"),), body)
    assert api.invoke(http_api_2(asked))["statusCode"] == 200
    # moto counts whom the call names and whom the message names, so one mail is two.
    assert int(stack.client("ses").get_send_quota()["SentLast24Hours"]) == before + 2


def test_a_plan_and_its_batches_bring_the_platform_up_to_date(stack, maintenance):
    sent = maintenance.invoke({"task": "plan"})["sent"]
    records = stack.take()
    assert sent == len(records) > 0
    assert maintenance.invoke({"Records": records}) == {"batchItemFailures": []}
    assert maintenance.invoke({"task": "plan"}) == {"sent": len(rest := stack.take())}
    assert "registry" not in json.dumps(rest)
    assert '"Plans":1' in maintenance.log


def test_a_message_that_means_nothing_is_the_only_one_reported(stack, maintenance):
    listed = stack.operator("tenants", "list")["tenants"]
    good = {"messageId": "good", "body": json.dumps({"vaults": [entry["id"] for entry in listed]})}
    answer = maintenance.invoke({"Records": [{"messageId": "bad", "body": "{}"}, good]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
