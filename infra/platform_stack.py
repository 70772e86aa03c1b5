"""What all services share: the bus and the two tables."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from constructs import Construct

from infra.alarms import NAMESPACE, metric
from infra.names import Names

# Sparse: only items that have `openShard` are in it, and an order has that until it has ended.
OPEN = dynamodb.GlobalSecondaryIndexPropsV2(
    index_name="open",
    partition_key=dynamodb.Attribute(name="openShard", type=dynamodb.AttributeType.STRING),
    sort_key=dynamodb.Attribute(name="openSince", type=dynamodb.AttributeType.STRING),
    # With the keys and this alone, a step between the first and the last does not write to it.
    projection_type=dynamodb.ProjectionType.INCLUDE,
    non_key_attributes=["due"],
)


class PlatformStack(Stack):
    """One event bus, the `orders` table and the `inventory` table."""

    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(
            scope,
            names.of("platform"),
            description="Order saga: the event bus and the tables that its services share.",
        )
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

        def found(title: str, namespace: str, key: str, name: str, statistic: str = "Sum") -> None:
            found = f'{{{namespace},{key}}} MetricName="{name}" {key}="{names.of("")}"'
            expression = cloudwatch.MathExpression(
                expression=f"SEARCH('{found}', '{statistic}', 60)", using_metrics={}, label=""
            )
            widgets.append(cloudwatch.GraphWidget(title=title, left=[expression], width=8))

        orders = {"bus": names.bus}
        widgets: list[cloudwatch.IWidget] = [
            cloudwatch.GraphWidget(
                title="Orders that stand still",
                left=[
                    metric(NAMESPACE, "overdueOrders", orders, "Maximum"),
                    metric(NAMESPACE, "resumedOrders", orders),
                    metric(NAMESPACE, "givenUpOrders", orders, "Maximum"),
                ],
                right=[metric(NAMESPACE, "oldestOverdueSeconds", orders, "Maximum")],
                width=8,
            )
        ]
        in_queue = "ApproximateNumberOfMessagesVisible"
        found("Calls", "AWS/Lambda", "FunctionName", "Invocations")
        found("Errors", "AWS/Lambda", "FunctionName", "Errors")
        found("Duration (p99, ms)", "AWS/Lambda", "FunctionName", "Duration", "p99")
        found("Events that wait (p99, ms)", "AWS/Lambda", "FunctionName", "AsyncEventAge", "p99")
        found("In failure queues", "AWS/SQS", "QueueName", in_queue, "Maximum")
        cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=names.prefix, widgets=[widgets[:3], widgets[3:]]
        )
