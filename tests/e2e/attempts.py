"""What a role could try: calls on all that is deployed, most of which must be denied."""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import boto3

from harness.connect import REGION, session
from harness.environment import Environment
from harness.names import PREFIX, stack_name
from harness.saga import SERVICES
from tests.grants import TABLES

# An action, and the table, bus, or service whose queue, function, log or role it is done to.
Permission = tuple[str, str]
KEYS = {"orders": "orderId", "inventory": "sku"}


class Attempt(NamedTuple):
    """A call, and the permission that it takes."""

    needs: Permission
    call: Callable[[], object]


def attempts(saga: Environment, service: str) -> Iterator[Attempt]:
    """Yield calls with the credentials of the service's role, one at least for each permission."""
    credentials = root(saga, "sts").assume_role(
        RoleArn=role_arn(saga, service), RoleSessionName="attempt"
    )["Credentials"]
    role: Any = boto3.Session(
        credentials["AccessKeyId"],
        credentials["SecretAccessKey"],
        credentials["SessionToken"],
        region_name=REGION,
    )
    client = partial(role.client, endpoint_url=saga.endpoint)
    for table in KEYS:
        yield from _on_table(client("dynamodb"), table)
    for index in (table for table in TABLES if "/index/" in table):
        yield from _on_index(saga, client("dynamodb"), index)
    for bus in (PREFIX, "default"):
        yield from _on_bus(client("events"), bus)
    for other, url in queues(saga).items():
        yield from _on_queue(client("sqs"), other, url)
    for other in SERVICES:
        yield from _on_function(client("lambda"), other)
        yield from _on_log(saga, client("logs"), other, by=service)
        yield from _on_role(client("iam"), client("sts"), other, role_arn(saga, other))


def queues(saga: Environment) -> dict[str, str]:
    """Return the URL of the failure queue of each service that has one."""
    urls = root(saga, "sqs").list_queues(QueueNamePrefix=PREFIX)["QueueUrls"]
    owners = {f"{stack_name(service)}-failures": service for service in SERVICES}
    return {owners[url.rpartition("/")[2]]: url for url in urls}


def role_arn(saga: Environment, service: str) -> str:
    """Return the role of a service's function."""
    function = root(saga, "lambda").get_function_configuration(FunctionName=stack_name(service))
    return str(function["Role"])


def root(saga: Environment, name: str) -> Any:
    """Return a client with the credentials of the account, which may do everything."""
    account: Any = session()
    return account.client(name, endpoint_url=saga.endpoint)


def _to(aws_service: str, on: str) -> Callable[..., Attempt]:
    """Return what makes attempts on one thing, each of an action, a call and its arguments."""

    def make(action: str, call: Callable[..., object], **arguments: Any) -> Attempt:
        return Attempt((f"{aws_service}:{action}", on), partial(call, **arguments))

    return make


def _on_table(dynamodb: Any, table: str) -> Iterator[Attempt]:
    to, name, key_name = _to("dynamodb", table), f"{PREFIX}-{table}", KEYS[table]
    key = {key_name: {"S": "ATTEMPT"}}
    item, of_key = {"TableName": name, "Item": key}, {"TableName": name, "Key": key}
    yes = {":yes": {"BOOL": True}}
    update = {"UpdateExpression": "SET tried = :yes", "ExpressionAttributeValues": yes} | of_key
    query = {
        "TableName": name,
        "KeyConditionExpression": f"{key_name} = :key",
        "ExpressionAttributeValues": {":key": key[key_name]},
    }
    check = {"ConditionExpression": f"attribute_not_exists({key_name})"} | of_key
    put_all = {name: [{"PutRequest": {"Item": key}}]}
    yield to("GetItem", dynamodb.get_item, **of_key)
    yield to("PutItem", dynamodb.put_item, **item)
    yield to("UpdateItem", dynamodb.update_item, **update)
    yield to("DeleteItem", dynamodb.delete_item, **of_key)
    yield to("Query", dynamodb.query, **query)
    yield to("Scan", dynamodb.scan, TableName=name)
    yield to("BatchGetItem", dynamodb.batch_get_item, RequestItems={name: {"Keys": [key]}})
    yield to("BatchWriteItem", dynamodb.batch_write_item, RequestItems=put_all)
    # A transaction takes the permission of each thing that is done in it.
    transact = dynamodb.transact_write_items
    yield to("GetItem", dynamodb.transact_get_items, TransactItems=[{"Get": of_key}])
    yield to("PutItem", transact, TransactItems=[{"Put": item}])
    yield to("UpdateItem", transact, TransactItems=[{"Update": update}])
    yield to("DeleteItem", transact, TransactItems=[{"Delete": of_key}])
    yield to("ConditionCheckItem", transact, TransactItems=[{"ConditionCheck": check}])
    yield to("UpdateTable", dynamodb.update_table, TableName=name, BillingMode="PROVISIONED")
    yield to("DeleteTable", dynamodb.delete_table, TableName=name)


def _on_index(saga: Environment, dynamodb: Any, index: str) -> Iterator[Attempt]:
    to, (table, _, name) = _to("dynamodb", index), index.partition("/index/")
    of_index = {"TableName": f"{PREFIX}-{table}", "IndexName": name}
    described = root(saga, "dynamodb").describe_table(TableName=of_index["TableName"])["Table"]
    [keys] = [i["KeySchema"] for i in described["GlobalSecondaryIndexes"] if i["IndexName"] == name]
    types = {a["AttributeName"]: a["AttributeType"] for a in described["AttributeDefinitions"]}
    key = keys[0]["AttributeName"]
    query = {
        "KeyConditionExpression": "#key = :key",
        "ExpressionAttributeNames": {"#key": key},
        "ExpressionAttributeValues": {":key": {types[key]: "0"}},
    }
    yield to("Query", dynamodb.query, **of_index, **query)
    yield to("Scan", dynamodb.scan, **of_index)


def _on_bus(events: Any, bus: str) -> Iterator[Attempt]:
    to, rule = _to("events", bus), stack_name("charge_payment")
    named, of_rule = {"EventBusName": bus, "Name": rule}, {"EventBusName": bus, "Rule": rule}
    # An event that no rule matches, so that no service consumes it.
    event = {"EventBusName": bus, "Source": "attempt", "DetailType": "Tried", "Detail": "{}"}
    pattern = json.dumps({"source": ["attempt"]})
    target = {"Id": "Target", "Arn": f"arn:aws:sqs:{REGION}:000000000000:attempt"}
    anybody = {"StatementId": "anybody", "Action": "events:PutEvents", "Principal": "*"}
    yield to("PutEvents", events.put_events, Entries=[event])
    yield to("PutRule", events.put_rule, EventPattern=pattern, **named)
    yield to("DisableRule", events.disable_rule, **named)
    yield to("DeleteRule", events.delete_rule, Force=True, **named)
    yield to("PutTargets", events.put_targets, Targets=[target], **of_rule)
    yield to("RemoveTargets", events.remove_targets, Ids=["Target0"], **of_rule)
    yield to("PutPermission", events.put_permission, EventBusName=bus, **anybody)
    yield to("DeleteEventBus", events.delete_event_bus, Name=bus)


def _on_queue(sqs: Any, service: str, url: str) -> Iterator[Attempt]:
    to, forget = _to("sqs", service), {"MessageRetentionPeriod": "60"}
    yield to("GetQueueUrl", sqs.get_queue_url, QueueName=url.rpartition("/")[2])
    yield to("GetQueueAttributes", sqs.get_queue_attributes, QueueUrl=url)
    yield to("SendMessage", sqs.send_message, QueueUrl=url, MessageBody="{}")
    yield to("ReceiveMessage", sqs.receive_message, QueueUrl=url)
    yield to("DeleteMessage", sqs.delete_message, QueueUrl=url, ReceiptHandle="any")
    yield to("PurgeQueue", sqs.purge_queue, QueueUrl=url)
    yield to("SetQueueAttributes", sqs.set_queue_attributes, QueueUrl=url, Attributes=forget)
    yield to("DeleteQueue", sqs.delete_queue, QueueUrl=url)


def _on_function(functions: Any, service: str) -> Iterator[Attempt]:
    to, of_function = _to("lambda", service), {"FunctionName": stack_name(service)}
    anybody = {"StatementId": "anybody", "Action": "lambda:InvokeFunction", "Principal": "*"}
    configure = functions.update_function_configuration
    yield to("InvokeFunction", functions.invoke, Payload=b"{}", **of_function)
    yield to("GetFunction", functions.get_function, **of_function)
    yield to("UpdateFunctionCode", functions.update_function_code, ZipFile=b"-", **of_function)
    yield to("UpdateFunctionConfiguration", configure, Timeout=1, **of_function)
    yield to("AddPermission", functions.add_permission, **anybody, **of_function)
    yield to("DeleteFunction", functions.delete_function, **of_function)


def _on_log(saga: Environment, logs: Any, service: str, *, by: str) -> Iterator[Attempt]:
    to, of_group = _to("logs", service), {"logGroupName": f"/saga/{stack_name(service)}"}
    of_stream = {"logStreamName": f"for-{by}"} | of_group
    root(saga, "logs").create_log_stream(**of_stream)
    line = {"timestamp": int(time.time() * 1000), "message": "attempt"}
    yield to("CreateLogStream", logs.create_log_stream, logStreamName=f"by-{by}", **of_group)
    yield to("PutLogEvents", logs.put_log_events, logEvents=[line], **of_stream)
    yield to("GetLogEvents", logs.get_log_events, **of_stream)
    yield to("FilterLogEvents", logs.filter_log_events, **of_group)
    yield to("DeleteLogStream", logs.delete_log_stream, **of_stream)
    yield to("PutRetentionPolicy", logs.put_retention_policy, retentionInDays=1, **of_group)
    yield to("DeleteLogGroup", logs.delete_log_group, **of_group)


def _on_role(iam: Any, sts: Any, service: str, role: str) -> Iterator[Attempt]:
    to, of_role = _to("iam", service), {"RoleName": role.rpartition("/")[2]}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    put, attach, trust = iam.put_role_policy, iam.attach_role_policy, iam.update_assume_role_policy
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    assume = partial(sts.assume_role, RoleSessionName="another")
    yield _to("sts", service)("AssumeRole", assume, RoleArn=role)
    yield to("PutRolePolicy", put, PolicyName="all", PolicyDocument=policy, **of_role)
    yield to("AttachRolePolicy", attach, PolicyArn=administrator, **of_role)
    yield to("UpdateAssumeRolePolicy", trust, PolicyDocument=policy, **of_role)
