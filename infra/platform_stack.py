"""What all services share: the bus and the two tables."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from constructs import Construct

from infra.names import Names


class PlatformStack(Stack):
    """One event bus, the `orders` table and the `inventory` table."""

    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(
            scope,
            names.of("platform"),
            description="Order saga: the event bus and the tables that its services share.",
        )
        events.EventBus(self, "Bus", event_bus_name=names.bus)
        for table, key in (("orders", "orderId"), ("inventory", "sku")):
            dynamodb.TableV2(
                self,
                table.title(),
                table_name=names.of(table),
                partition_key=dynamodb.Attribute(name=key, type=dynamodb.AttributeType.STRING),
                billing=dynamodb.Billing.on_demand(),
                point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                    point_in_time_recovery_enabled=True
                ),
                # Orders and stock outlive the stack that made their table.
                removal_policy=RemovalPolicy.RETAIN,
            )
