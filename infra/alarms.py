"""All alarms: what wakes a person. docs/runbook.md has the steps to take at each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.names import Names

# The namespace of the metrics in the services' log lines.
NAMESPACE = "OrderSaga"

AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
BELOW = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
BREACHING = cloudwatch.TreatMissingData.BREACHING
NOT_BREACHING = cloudwatch.TreatMissingData.NOT_BREACHING


@dataclass(frozen=True)
class Alarm:
    """A metric with a threshold: `at_least` is too much, or `below` too little.

    With `below`, missing data is too little as well; where it `always` comes, it is too much. The
    `description` is what a person reads.
    """

    name: str
    metric: cloudwatch.Metric
    description: str
    at_least: float | None = None
    below: float | None = None
    always: bool = False


def metric(
    namespace: str,
    name: str,
    dimensions: Mapping[str, str],
    statistic: str = "Sum",
    minutes: int = 1,
) -> cloudwatch.Metric:
    """Refer to a metric by its names."""
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map=dimensions,
        statistic=statistic,
        period=Duration.minutes(minutes),
    )


def add_alarms(stack: Stack, prefix: str, topic: str | None, *alarms: Alarm) -> None:
    """Add these alarms, which notify this SNS topic."""
    for each in alarms:
        too_little = each.below is not None
        alarm = cloudwatch.Alarm(
            stack,
            f"{each.name}Alarm",
            alarm_name=f"{prefix}-{each.name}",
            alarm_description=each.description,
            metric=each.metric,
            threshold=cast("float", each.below if too_little else each.at_least),
            comparison_operator=BELOW if too_little else AT_LEAST,
            treat_missing_data=BREACHING if too_little or each.always else NOT_BREACHING,
            evaluation_periods=1,
        )
        if topic:
            cast("cloudwatch.CfnAlarm", alarm.node.default_child).alarm_actions = [topic]


def of_function(names: Names, service: str) -> list[Alarm]:
    """Return the alarms of every function."""
    function = {"FunctionName": names.of(service)}
    return [
        Alarm(
            "errors",
            metric("AWS/Lambda", "Errors", function, minutes=5),
            at_least=3,
            description=f"{service} fails repeatedly: its log has the reason.",
        ),
        Alarm(
            "throttles",
            metric("AWS/Lambda", "Throttles", function),
            at_least=1,
            description=f"{service} is called more often than its concurrency allows.",
        ),
    ]


def of_subscription(names: Names, service: str) -> list[Alarm]:
    """Return the alarms of a service that consumes an event: its rule, and its failure queue."""
    function = {"FunctionName": names.of(service)}
    rule = {"EventBusName": names.bus, "RuleName": names.of(service)}
    queue = {"QueueName": names.of(f"{service}-failures")}
    return [
        Alarm(
            "failures",
            metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue, "Maximum"),
            at_least=1,
            description=f"Events that {service} failed on are in its failure queue.",
        ),
        Alarm(
            "not-delivered",
            metric("AWS/Events", "FailedInvocations", rule),
            at_least=1,
            description=f"The rule cannot call {service}: its event is in the failure queue.",
        ),
        Alarm(
            "dead-letters-lost",
            metric("AWS/Events", "InvocationsFailedToBeSentToDlq", rule),
            at_least=1,
            description=f"An event for {service} reached neither it nor its failure queue.",
        ),
        Alarm(
            "events-dropped",
            metric("AWS/Lambda", "AsyncEventsDropped", function),
            at_least=1,
            description=f"Lambda gave up on an event for {service}.",
        ),
        Alarm(
            "failures-lost",
            metric("AWS/Lambda", "DestinationDeliveryFailures", function),
            at_least=1,
            description=f"An event that {service} failed on did not reach its failure queue.",
        ),
    ]


def of_accepted_orders(names: Names) -> list[Alarm]:
    """Return the alarms of the orders that create_order stored."""
    return [
        Alarm(
            "not-published",
            metric(NAMESPACE, "unpublishedOrders", {"bus": names.bus}, minutes=5),
            at_least=1,
            description="Orders are stored, and the bus did not take their event: they wait for "
            "the sweep.",
        )
    ]


def of_http_api(api_id: str) -> list[Alarm]:
    """Return the alarms of the orders' HTTP API."""
    return [
        Alarm(
            "unavailable",
            metric("AWS/ApiGateway", "5xx", {"ApiId": api_id}, minutes=5),
            at_least=5,
            description="Customers are asked to send orders again: see the log of create_order.",
        )
    ]


def of_sweep(names: Names, service: str) -> list[Alarm]:
    """Return the alarms of the sweep, and of the orders that it finds.

    It measures every minute, somewhere in that minute: of five minutes without any, a run failed.
    """
    function, orders = {"FunctionName": names.of(service)}, {"bus": names.bus}
    return [
        Alarm(
            "oldest-order",
            metric(NAMESPACE, "oldestOverdueSeconds", orders, "Maximum", minutes=5),
            at_least=15 * 60,
            always=True,
            description="An order is still open after 15 minutes, although it was resumed.",
        ),
        Alarm(
            "given-up",
            metric(NAMESPACE, "givenUpOrders", orders, "Maximum", minutes=5),
            at_least=1,
            always=True,
            description="The sweep gave up an order after its last resume: a person has to look.",
        ),
        Alarm(
            "not-resumed",
            metric(NAMESPACE, "failedOrders", orders, "Maximum", minutes=5),
            at_least=1,
            always=True,
            description="The sweep could not read or publish an order: its log names it, and why.",
        ),
        Alarm(
            "no-run",
            metric("AWS/Lambda", "Invocations", function, minutes=5),
            below=1,
            description="The sweep has not run for five minutes: see its schedule.",
        ),
    ]
