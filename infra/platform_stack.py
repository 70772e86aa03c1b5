"""What all services share: the bus, the two tables, a dashboard and saved queries."""

from collections.abc import Sequence
from inspect import cleandoc

from aws_cdk import CfnCondition, CfnParameter, Fn, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.alarms import NAMESPACE, metric
from infra.names import Names

# Logs Insights, over the lines that every service writes of every step.
QUERIES = {
    "one order": """
        fields @timestamp, function, consumed, outcome, status, stepMilliseconds, ageMilliseconds
        | filter orderId = "the order's id"
        | sort @timestamp
    """,
    "orders by outcome": """
        filter outcome = "applied"
        | stats count(*) as orders, pct(ageMilliseconds, 50) as p50, pct(ageMilliseconds, 99) as p99
          by status
        | sort orders desc
    """,
    "slow steps": """
        fields @timestamp, orderId, function, status, stepMilliseconds, coldStart
        | filter outcome = "applied"
        | sort stepMilliseconds desc
        | limit 50
    """,
    "cold starts": """
        filter ispresent(coldStart) and ispresent(function)
        | stats sum(coldStart) as cold, count(*) as calls, pct(stepMilliseconds, 99) as p99
          by function, bin(5m)
    """,
    "duplicates": """
        filter outcome in ["duplicate", "stale"]
        | stats count(*) as deliveries by outcome, function, status, bin(5m)
    """,
    "errors": """
        fields @timestamp, @log, @message
        | filter level = "ERROR" or @message like /\\[ERROR\\]/
        | sort @timestamp desc
        | limit 100
    """,
}

# Sparse: only items with `openShard` are in it, which an order has until it ends.
OPEN = dynamodb.GlobalSecondaryIndexPropsV2(
    index_name="open",
    partition_key=dynamodb.Attribute(name="openShard", type=dynamodb.AttributeType.STRING),
    sort_key=dynamodb.Attribute(name="createdAt", type=dynamodb.AttributeType.STRING),
    # With the keys and this alone, a step between the first and the last does not write to it.
    projection_type=dynamodb.ProjectionType.INCLUDE,
    non_key_attributes=["nextAttemptAt"],
)


class PlatformStack(Stack):
    """One event bus, the `orders` table and the `inventory` table; a dashboard, saved queries."""

    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(
            scope,
            names.of("platform"),
            description="Order saga: the event bus and the tables that its services share.",
        )
        self._names = names
        events.EventBus(self, "Bus", event_bus_name=names.bus)
        for table, key, indexes in (("orders", "orderId", [OPEN]), ("inventory", "sku", [])):
            dynamodb.TableV2(
                self,
                table.title(),
                table_name=names.of(table),
                partition_key=dynamodb.Attribute(name=key, type=dynamodb.AttributeType.STRING),
                global_secondary_indexes=indexes,
                billing=dynamodb.Billing.on_demand(),
                point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                    point_in_time_recovery_enabled=True
                ),
                # Orders and stock outlive the stack that made their table.
                removal_policy=RemovalPolicy.RETAIN,
            )
        self._dashboard(names)

    def _dashboard(self, names: Names) -> None:
        """Show all services by searches for their names, so that a new one needs no change here."""

        def found(title: str, namespace: str, keys: str, name: str, statistic: str = "Sum") -> None:
            # A value in quotes would have to be the whole name; a word is found in it.
            key = keys.split(",")[0]
            words = " ".join(f"{key}={word}" for word in names.prefix.split("-"))
            expression = cloudwatch.MathExpression(
                expression=f"SEARCH('{{{namespace},{keys}}} MetricName=\"{name}\" {words}', "
                f"'{statistic}', 60)",
                using_metrics={},
                label="",
            )
            widgets.append(cloudwatch.GraphWidget(title=title, left=[expression], width=8))

        orders = {"bus": names.bus}
        widgets: list[cloudwatch.IWidget] = [
            cloudwatch.GraphWidget(
                title="Stalled orders",
                left=[
                    metric(NAMESPACE, "overdueOrders", orders, "Maximum"),
                    metric(NAMESPACE, "resumedOrders", orders),
                    metric(NAMESPACE, "givenUpOrders", orders, "Maximum"),
                ],
                right=[metric(NAMESPACE, "oldestOverdueSeconds", orders, "Maximum")],
                width=8,
            )
        ]
        # The age of an order at a status is measured once for each order, so that
        # the number of samples is the number of orders.
        for title, name, statistic in (
            ("Orders by status", "ageMilliseconds", "SampleCount"),
            ("Age of orders at each status (p99, ms)", "ageMilliseconds", "p99"),
            ("Steps (p99, ms)", "stepMilliseconds", "p99"),
        ):
            found(title, NAMESPACE, "function,status", name, statistic)
        in_queue = "ApproximateNumberOfMessagesVisible"
        found("Calls", "AWS/Lambda", "FunctionName", "Invocations")
        found("Errors", "AWS/Lambda", "FunctionName", "Errors")
        found("Duration (p99, ms)", "AWS/Lambda", "FunctionName", "Duration", "p99")
        found(
            "Age of waiting events (p99, ms)", "AWS/Lambda", "FunctionName", "AsyncEventAge", "p99"
        )
        found("In failure queues", "AWS/SQS", "QueueName", in_queue, "Maximum")
        cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=names.prefix, widgets=[widgets[:4], widgets[4:]]
        )

    def save_queries(self, log_groups: Sequence[str]) -> None:
        """Save the queries over these, in a folder of the deployment's name."""
        # A parameter, because emulators know no saved queries: the template is the same for all.
        wanted = CfnParameter(
            self,
            "SaveQueries",
            description="Whether to save queries for Logs Insights; emulators cannot.",
            allowed_values=["yes", "no"],
            default="yes",
        )
        condition = CfnCondition(
            self,
            "QueriesAreSaved",
            expression=Fn.condition_equals(wanted.value_as_string, "yes"),
        )
        for name, text in QUERIES.items():
            query = logs.CfnQueryDefinition(
                self,
                f"Query{name.title().replace(' ', '')}",
                name=f"{self._names.prefix}/{name}",
                query_string=cleandoc(text),
                log_group_names=list(log_groups),
            )
            query.cfn_options.condition = condition
