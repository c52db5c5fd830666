"""The AWS template: clean under cfn-lint, wired to the end, and no permission wider than the prefix of the logs."""

import json
import re
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import cfnlint
import pytest
import yaml
from samtranslator.translator.transform import transform

from db.errors import VaultError
from deploy import package
from handlers.http.errors import STATUS
from handlers.scheduled import NAMESPACE
from handlers.settings import PREFIX, Settings

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
def deployed() -> dict[str, Any]:
    """The resources as CloudFormation gets them from SAM."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        packaged = TEMPLATE.read_text().replace("CodeUri: .\n", "CodeUri: s3://artefacts/code.zip\n")
        return transform(cfnlint.decode.cfn_yaml.loads(packaged), {}, Mock())["Resources"]


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: made["Properties"] for name, made in resources.items() if made["Type"] == kind}


def chosen(listed: list[Any]) -> list[Any]:
    """The members of a list, those in it on a condition too."""
    found = [member["If"][1] if "If" in member else member for member in listed]
    return [member for member in found if member != {"Ref": "AWS::NoValue"}]


@pytest.fixture(scope="module")
def statements(resources) -> dict[str, Any]:
    documents = [made["PolicyDocument"] for made in of_type(resources, "AWS::IAM::ManagedPolicy").values()]
    for made in of_type(resources, "AWS::IAM::Role").values():
        documents += [policy["PolicyDocument"] for policy in made["Policies"]]
    return {found["Sid"]: found for document in documents for found in chosen(document["Statement"])}


def actions(statement: dict[str, Any]) -> set[str]:
    listed = statement["Action"]
    return {listed} if isinstance(listed, str) else set(listed)


# --- The whole ---


def test_cfn_lint_finds_nothing():
    # Not in every region: each costs a second.
    regions = cfnlint.ManualArgs(include_experimental=True, regions=["us-east-1", "eu-central-1"])
    assert [str(match) for match in cfnlint.lint(TEMPLATE.read_text(), config=regions)] == []


def test_the_template_holds_nothing_that_cloudformation_itself_cannot_read():
    text = TEMPLATE.read_text()
    assert re.findall(r"(?m)^[^#\n]*: [&*][a-z]+\s*$", text) == []
    assert len(text.encode()) < 51_200  # what CloudFormation takes without a bucket


def test_every_parameter_is_described_and_in_the_guide(template):
    guide = (TEMPLATE.parent / "docs" / "how-to" / "deploy-on-aws.md").read_text()
    for name, parameter in template["Parameters"].items():
        assert parameter["Description"], name
        row = re.search(rf"\| `{name}` \| ([^|]+) \|", guide)
        assert row, f"{name} is not in the guide's table"
        default = parameter.get("Default", "none, required")
        wanted = f"`{default}`" if default not in ("", "none, required") else default or "empty"
        assert row[1].strip() == wanted, name


# --- What the functions may do ---


def test_nothing_is_allowed_outside_the_prefix_and_nothing_there_can_be_overwritten(statements):
    below = {"Sub": "${Logs.Arn}/${Prefix}/*"}
    assert (actions(statements["ReadTheLogs"]), statements["ReadTheLogs"]["Resource"]) == ({"s3:GetObject"}, below)
    assert statements["AddToTheLogs"]["Resource"] == below
    assert statements["AddToTheLogs"]["Condition"] == {"Null": {"s3:if-none-match": "false"}}
    assert statements["AddPartsOfObjects"]["Condition"] == {"Bool": {"s3:ObjectCreationOperation": "false"}}
    assert statements["StageLargeObjects"]["Resource"] == {"Sub": "${Logs.Arn}/${Prefix}/staging/*"}
    # Outside the folder of the logs: what clients put there replaces no commit.
    assert statements["TakeInImports"]["Resource"] == {"Sub": "${Logs.Arn}/${Prefix}/imports/*"}
    assert actions(statements["TakeInImports"]) == {"s3:PutObject"}


def test_a_listing_that_names_a_prefix_must_name_ours(statements):
    listing = statements["ListTheLogs"]
    assert actions(listing) == {"s3:ListBucket"}
    assert listing["Resource"] == {"GetAtt": "Logs.Arn"}
    assert listing["Condition"] == {"StringLikeIfExists": {"s3:prefix": {"Sub": "${Prefix}/*"}}}


def test_only_maintenance_may_delete_from_the_logs(resources, statements):
    deleting = {sid for sid, found in statements.items() if "s3:DeleteObject" in actions(found)}
    assert deleting == {"StageLargeObjects", "PruneTheLogs"}
    (policy,) = resources["ApiRole"]["Properties"]["Policies"]
    assert [found["Sid"] for found in policy["PolicyDocument"]["Statement"]] == ["WriteApiLogLines"]


def test_no_statement_is_wide(statements):
    assert {sid for sid, found in statements.items() if found["Effect"] != "Allow"} == set()
    assert [sid for sid, found in statements.items() if any("*" in action for action in actions(found))] == []
    for sid, found in statements.items():
        named = found["Resource"]
        text = named if isinstance(named, str) else next(iter(named.values()))
        # A star stands for names below a folder of ours, and for nothing else.
        assert "*" not in text.removesuffix("/*"), sid


def test_the_functions_may_do_these_things_and_no_other(statements):
    assert {action for found in statements.values() for action in actions(found)} == {
        "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:AbortMultipartUpload",
        "ses:SendEmail", "ses:SendRawEmail",
        "sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
        "kms:Decrypt", "kms:GenerateDataKey",
        "logs:CreateLogStream", "logs:PutLogEvents",
    }  # fmt: skip


def test_mail_is_sent_as_the_identity_of_the_parameter_alone(template, statements):
    assert statements["SendMail"]["Resource"]["Sub"].endswith(":identity/${MailIdentity}")
    pattern = template["Parameters"]["MailIdentity"]["AllowedPattern"]
    assert re.fullmatch(pattern, "vaultry.example")
    assert not any(re.fullmatch(pattern, wide) for wide in ("*", "", "a/b.c", "*.example"))


def test_the_key_is_used_through_s3_alone(statements):
    via = {"kms:ViaService": {"Sub": "s3.${AWS::Region}.amazonaws.com"}}
    assert statements["UseTheKey"]["Condition"] == {"StringEquals": via}


# --- Functions ---


def test_every_function_has_a_role_a_log_group_and_an_environment(resources):
    functions = of_type(resources, "AWS::Serverless::Function")
    assert set(functions) == {"ApiFunction", "MaintenanceFunction"}
    groups = of_type(resources, "AWS::Logs::LogGroup")
    for name, function in functions.items():
        part = name.removesuffix("Function")
        assert function["Role"] == {"GetAtt": f"{part}Role.Arn"}
        assert "Policies" not in function
        assert function["LoggingConfig"] == {"LogGroup": {"Ref": f"{part}LogLines"}}
        assert groups[f"{part}LogLines"]["RetentionInDays"] == {"Ref": "LogDays"}
        assert function["Environment"]["Variables"]


def test_the_handlers_are_functions_of_ours(resources):
    for function in of_type(resources, "AWS::Serverless::Function").values():
        module, _, name = function["Handler"].rpartition(".")
        source = (TEMPLATE.parent / f"{module.replace('.', '/')}.py").read_text()
        assert re.search(rf"(?m)^(def )?{name}\b", source)


def test_packages_are_made_for_the_interpreter_and_processor_of_the_functions(template):
    everywhere = template["Globals"]["Function"]
    assert everywhere["Runtime"] == f"python{package.PYTHON}"
    assert everywhere["Architectures"] == ["arm64"]
    assert package.MACHINE == "aarch64"
    assert f"LAMBDA_PYTHON ?= {everywhere['Runtime']}\n" in (TEMPLATE.parent / "Makefile").read_text()


def environment(template: dict[str, Any], resources: dict[str, Any], function: str) -> dict[str, Any]:
    common = template["Globals"]["Function"]["Environment"]["Variables"]
    return common | resources[function]["Properties"]["Environment"]["Variables"]


DEPLOYED = {
    "VAULTRY_STORE": "s3://stack-logs-1/vaultry",
    "VAULTRY_SECRET": "s" * 64,
    "VAULTRY_BASE_URL": "https://abc.execute-api.eu-central-1.amazonaws.com/live",
    "VAULTRY_MAIL": "ses:eu-central-1",
    "VAULTRY_MAIL_FROM": "post@club.example",
    "VAULTRY_CORS_ORIGINS": "",
    "VAULTRY_CACHE_BYTES": "536870912",
    "VAULTRY_QUEUE": "https://sqs.eu-central-1.amazonaws.com/123456789012/stack-Batches-1",
    "VAULTRY_LITESTREAM": "/var/task/bin/litestream",
    "VAULTRY_ANCHORS": "s3://stack-anchors-1",
}


@pytest.mark.parametrize("function", ["ApiFunction", "MaintenanceFunction"])
def test_the_environment_of_a_function_is_one_the_settings_accept(template, resources, function):
    names = {name for name in environment(template, resources, function) if name.startswith(PREFIX)}
    assert names <= set(DEPLOYED)
    settings = Settings.from_env({name: DEPLOYED[name] for name in names})
    assert settings.bucket == ("stack-logs-1", "vaultry")


def test_the_defaults_of_the_parameters_are_what_the_settings_take(template):
    parameters = template["Parameters"]
    environ = DEPLOYED | {
        "VAULTRY_STORE": "s3://stack-logs-1/" + parameters["Prefix"]["Default"],
        "VAULTRY_CORS_ORIGINS": parameters["CorsOrigins"]["Default"],
    }
    assert Settings.from_env(environ).cors_origins == ()


def test_the_cache_may_use_half_of_every_size_that_can_be_chosen(template):
    sizes = template["Parameters"]["EphemeralStorageMegabytes"]["AllowedValues"]
    halves = {int(size): int(row["Half"]) for size, row in template["Mappings"]["CacheBytes"].items()}
    assert halves == {size: size * 2**20 // 2 for size in sizes}


# --- What lasts ---


@pytest.mark.parametrize("name", ["Logs", "Anchors"])
def test_a_bucket_is_private_encrypted_and_outlives_the_stack(resources, name):
    bucket = resources[name]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["Properties"]["BucketEncryption"]
    (only,) = resources[f"{name}Policy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (only["Effect"], only["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_no_lifecycle_rule_removes_an_object_that_the_engine_has_not_given_up(resources):
    rules = resources["Logs"]["Properties"]["LifecycleConfiguration"]["Rules"]
    allowed = {"AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration", "ExpiredObjectDeleteMarker"}
    assert {key for rule in rules for key in rule} - {"Id", "Status"} == allowed


def test_a_key_of_the_operators_is_asked_once_for_many_objects(resources):
    (choice,) = resources["Logs"]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    condition, own, other = choice["If"]
    assert (condition, own["BucketKeyEnabled"]) == ("UsesOwnKey", True)
    assert own["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == {"Ref": "KmsKeyArn"}
    assert other["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_the_anchors_are_locked_from_the_first_second_when_that_is_asked_for(resources):
    bucket = resources["Anchors"]
    assert bucket["Condition"] == "LocksAnchors"
    assert bucket["Properties"]["ObjectLockEnabled"] is True
    retention = bucket["Properties"]["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert retention == {"Mode": {"Ref": "AnchorLockMode"}, "Days": {"Ref": "AnchorLockDays"}}
    # A locked bucket refuses a put without a checksum.
    variables = resources["MaintenanceFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["AWS_CHECKSUM_ALGORITHM"] == "SHA256"


def test_the_master_secret_outlives_the_stack_and_is_never_written_here(template, resources):
    assert resources["MasterSecret"]["DeletionPolicy"] == "Retain"
    assert resources["MasterSecret"]["Properties"]["GenerateSecretString"]["PasswordLength"] >= 32
    for function in of_type(resources, "AWS::Serverless::Function"):
        secret = environment(template, resources, function)["VAULTRY_SECRET"]
        assert secret["Sub"][0] == "{{resolve:secretsmanager:${Arn}:SecretString}}"


# --- Gateway ---

PERSONAL = ("identity", "path", "Path", "domainName", "authorizer", "userAgent", "sourceIp", "resource")


def test_both_kinds_of_api_are_throttled_and_write_the_same_access_log(resources):
    line = {"FindInMap": ["Access", "Line", "Format"]}
    group = {"GetAtt": "AccessLogLines.Arn"}
    http, rest = resources["ApiStage"]["Properties"], resources["RestApi"]["Properties"]
    assert http["AccessLogSettings"] == rest["AccessLogSetting"] == {"DestinationArn": group, "Format": line}
    limits = {"ThrottlingRateLimit": {"Ref": "RequestsPerSecond"}, "ThrottlingBurstLimit": {"Ref": "RequestsAtOnce"}}
    assert http["DefaultRouteSettings"] == limits
    assert rest["MethodSettings"] == [{"HttpMethod": "*", "ResourcePath": "/*", **limits}]


def test_the_access_log_is_json_with_our_fields_and_names_nobody(template):
    line = template["Mappings"]["Access"]["Line"]["Format"]
    assert "\n" not in line
    fields = json.loads(line)
    assert {"event", "request_id", "method", "status", "ms"} <= set(fields)
    assert [word for word in PERSONAL if f"$context.{word}" in line] == []


def test_errors_of_the_gateway_itself_have_our_shape_and_codes_of_ours(resources):
    answers = resources["RestApi"]["Properties"]["GatewayResponses"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED", "REQUEST_TOO_LARGE", "INTEGRATION_TIMEOUT"} <= set(answers)
    codes = {kind.code for kind in STATUS} | {VaultError.code, "no_route"}
    for name, answer in answers.items():
        (template,) = answer["ResponseTemplates"].values()
        body = json.loads(template.replace("$context.error.messageString", '"a message"'))
        # Below /client/v4 the envelope is read; its keys disturb nobody elsewhere.
        envelope = {"success", "result", "messages", "errors"}
        assert set(body) == {"code", "message", "details", "hint"} | envelope, name
        assert (body["success"], body["result"], body["messages"]) == (False, None, []), name
        assert [error["message"] for error in body["errors"]] == [body["message"]], name
        assert all(error["code"] >= 7000 for error in body["errors"]), name
        assert body["code"] in codes, name
        assert answer["ResponseParameters"]["Headers"]["Access-Control-Allow-Origin"] == "'*'"
    assert answers["THROTTLED"]["ResponseParameters"]["Headers"]["Retry-After"] == "'1'"


def test_a_rest_api_hands_bodies_over_as_they_are_and_sends_everything_to_the_function(resources):
    rest = resources["RestApi"]["Properties"]
    assert rest["BinaryMediaTypes"] == ["*~1*"]
    (path,) = rest["DefinitionBody"]["paths"]
    assert path == "/{proxy+}"
    integration = rest["DefinitionBody"]["paths"][path]["x-amazon-apigateway-any-method"]
    uri = integration["x-amazon-apigateway-integration"]["uri"]["Sub"]
    name = resources["ApiFunction"]["Properties"]["FunctionName"]["Sub"]
    assert name == "${AWS::StackName}-api"
    assert uri[1]["Name"]["Sub"].endswith(f":function:{name}")


def test_a_host_name_leads_to_whichever_api_there_is(resources):
    mapping = resources["DomainMapping"]["Properties"]
    assert mapping["ApiId"] == {"If": ["UsesRest", {"Ref": "RestApi"}, {"Ref": "Api"}]}
    assert mapping["Stage"] == {"If": ["UsesRest", {"Ref": "RestApi.Stage"}, {"Ref": "ApiStage"}]}
    assert resources["DomainRecord"]["Properties"]["AliasTarget"]["DNSName"] == {"GetAtt": "Domain.RegionalDomainName"}


# --- Maintenance ---


def test_the_schedule_leads_to_the_maintenance_function_and_may_call_it(deployed):
    (rule,) = of_type(deployed, "AWS::Events::Rule").values()
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["MaintenanceFunction", "Arn"]}
    assert json.loads(target["Input"]) == {"task": "plan"}
    assert rule["ScheduleExpression"] == {"Fn::Sub": "cron(0/${MaintenanceMinutes} * * * ? *)"}
    callers = {found["Principal"] for found in of_type(deployed, "AWS::Lambda::Permission").values()}
    assert callers == {"events.amazonaws.com", "apigateway.amazonaws.com"}


def test_the_queue_feeds_the_function_that_answers_for_each_message(deployed):
    (mapping,) = of_type(deployed, "AWS::Lambda::EventSourceMapping").values()
    assert mapping["FunctionName"] == {"Ref": "MaintenanceFunction"}
    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["Batches", "Arn"]}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "MaintenanceConcurrency"}}


def test_batches_that_fail_go_to_the_dead_letters(resources):
    queue = resources["Batches"]["Properties"]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"GetAtt": "DeadBatches.Arn"}
    assert queue["VisibilityTimeout"] >= 6 * resources["MaintenanceFunction"]["Properties"]["Timeout"]
    dead = resources["DeadBatches"]["Properties"]
    assert dead["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]
    assert queue["SqsManagedSseEnabled"] is dead["SqsManagedSseEnabled"] is True


def test_silence_is_noticed_for_every_rate_that_can_be_chosen(template):
    rates = template["Parameters"]["MaintenanceMinutes"]["AllowedValues"]
    seconds = {int(rate): row["Seconds"] for rate, row in template["Mappings"]["Silence"].items()}
    assert seconds == {rate: max(900, 3 * 60 * rate) for rate in rates}


# --- Alarms ---


def test_every_alarm_tells_the_topic_when_it_starts_and_when_it_ends(resources):
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    told = {"If": ["HasTopic", [{"Ref": "AlarmTopicArn"}], []]}
    assert {name for name, alarm in alarms.items() if not alarm["AlarmActions"] == alarm["OKActions"] == told} == set()
    assert all(alarm["AlarmDescription"] for alarm in alarms.values())


def test_there_is_an_alarm_for_each_thing_that_must_not_go_unnoticed(resources):
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    watched = {name: (alarm.get("MetricName"), alarm["TreatMissingData"]) for name, alarm in alarms.items()}
    assert watched == {
        "ApiErrorsAlarm": ("Errors", "notBreaching"),
        "ApiThrottlesAlarm": ("Throttles", "notBreaching"),
        "Api5xxAlarm": (None, "notBreaching"),
        "MaintenanceErrorsAlarm": ("Errors", "notBreaching"),
        "MaintenanceNotRunAlarm": ("Plans", "breaching"),
        "MaintenanceBehindAlarm": ("ApproximateAgeOfOldestMessage", "notBreaching"),
        "DeadLettersAlarm": ("ApproximateNumberOfMessagesVisible", "notBreaching"),
        "JobsFailedAlarm": ("JobsFailed", "notBreaching"),
        "DrillFailedAlarm": ("DrillsFailed", "notBreaching"),
        "DrillNotRunAlarm": ("DrillsFailed", "breaching"),
    }


def test_every_alarm_is_explained_in_the_guide(resources):
    guide = (TEMPLATE.parent / "docs" / "how-to" / "deploy-on-aws.md").read_text()
    missing = [name for name in of_type(resources, "AWS::CloudWatch::Alarm") if f"`{name}`" not in guide]
    assert missing == []


def test_alarms_and_dashboard_read_metrics_that_the_function_writes(resources):
    source = (TEMPLATE.parent / "handlers" / "scheduled.py").read_text()
    named = {
        alarm["MetricName"]
        for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values()
        if alarm.get("Namespace") == NAMESPACE
    }
    for widget in dashboard(resources)["widgets"]:
        for row in metrics_of(widget):
            if row[0] == NAMESPACE:
                named.add(row[1])
    assert named == {"Plans", "VaultsDue", "VaultsTended", "VaultsLeft", "JobsFailed", "DrillsFailed"}
    assert [name for name in named if not re.search(rf'\b{name}=|"{name}"', source)] == []


def test_alarms_of_the_functions_metrics_name_its_dimension(resources):
    for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values():
        if alarm.get("Namespace") == NAMESPACE:
            assert alarm["Dimensions"] == [{"Name": "Function", "Value": {"Ref": "MaintenanceFunction"}}]


def dashboard(resources: dict[str, Any]) -> dict[str, Any]:
    return json.loads(resources["Dashboard"]["Properties"]["DashboardBody"]["Sub"][0])


def metrics_of(widget: dict[str, Any]) -> list[list[Any]]:
    """The metrics of a widget, with what stands for the row above written out."""
    rows: list[list[Any]] = []
    for listed in widget["properties"]["metrics"]:
        row = list(listed)
        if row[0] == "...":
            row = [*rows[-1][:4], *row[1:]]
        rows.append([rows[-1][place] if part == "." else part for place, part in enumerate(row)])
    return rows


def test_the_dashboard_is_json_whose_places_do_not_overlap(resources):
    widgets = dashboard(resources)["widgets"]
    places = {(widget["x"], widget["y"]) for widget in widgets}
    assert len(places) == len(widgets)
    assert all(widget["x"] + widget["width"] <= 24 for widget in widgets)
