"""What wakes a person: the alarms of one service. docs/runbook.md says what to do at each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

# The namespace of what the services measure of themselves.
NAMESPACE = "OrderSaga"

AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
BELOW = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
BREACHING = cloudwatch.TreatMissingData.BREACHING
NOT_BREACHING = cloudwatch.TreatMissingData.NOT_BREACHING


@dataclass(frozen=True)
class Watched:
    """A metric, and the value from which on it is too much, or below which it is too little.

    No data is too little too.
    """

    name: str
    metric: cloudwatch.Metric
    says: str
    at_least: float | None = None
    below: float | None = None


def watch(stack: Stack, prefix: str, *watched: Watched) -> None:
    """Make an alarm of each; the context key `alarms` names an SNS topic that hears of them."""
    topic = stack.node.try_get_context("alarms")
    for each in watched:
        too_little = each.below is not None
        alarm = cloudwatch.Alarm(
            stack,
            f"{each.name}Alarm",
            alarm_name=f"{prefix}-{each.name}",
            alarm_description=each.says,
            metric=each.metric,
            threshold=cast("float", each.below if too_little else each.at_least),
            comparison_operator=BELOW if too_little else AT_LEAST,
            treat_missing_data=BREACHING if too_little else NOT_BREACHING,
            evaluation_periods=1,
        )
        if topic:
            cast("cloudwatch.CfnAlarm", alarm.node.default_child).alarm_actions = [topic]


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
