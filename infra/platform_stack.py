"""What all services share: the bus and the two tables."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from constructs import Construct

from infra.deployment import Deployment
from infra.stack import SagaStack

# Sparse: only items with `openShard` are in it, which an order has until it ends.
OPEN = dynamodb.GlobalSecondaryIndexPropsV2(
    index_name="open",
    partition_key=dynamodb.Attribute(name="openShard", type=dynamodb.AttributeType.STRING),
    sort_key=dynamodb.Attribute(name="createdAt", type=dynamodb.AttributeType.STRING),
    # With the keys and this alone, a step between the first and the last does not write to it.
    projection_type=dynamodb.ProjectionType.INCLUDE,
    non_key_attributes=["nextAttemptAt"],
)
# Of those that the sweep deferred, by when they are due: an order that never stalls is not in it.
DEFERRED = dynamodb.GlobalSecondaryIndexPropsV2(
    index_name="deferred",
    partition_key=dynamodb.Attribute(name="openShard", type=dynamodb.AttributeType.STRING),
    sort_key=dynamodb.Attribute(name="nextAttemptAt", type=dynamodb.AttributeType.STRING),
    projection_type=dynamodb.ProjectionType.KEYS_ONLY,
)


class PlatformStack(SagaStack):
    """One event bus, the `inventory` table and the `orders` table."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(
            scope, deployment, "platform", "the event bus and the tables that its services share"
        )
        bus = events.EventBus(self, "Bus", event_bus_name=self.names.bus)
        inventory = self._table("inventory", "sku")
        orders = self._table("orders", "orderId", OPEN, DEFERRED)
        # A table is protected once it is there. One after the other, so that what fails comes
        # before it, and the stack can be created again.
        inventory.node.add_dependency(bus)
        orders.node.add_dependency(inventory)

    def _table(
        self, name: str, key: str, *indexes: dynamodb.GlobalSecondaryIndexPropsV2
    ) -> dynamodb.TableV2:
        return dynamodb.TableV2(
            self,
            name.title(),
            table_name=self.names.of(name),
            partition_key=dynamodb.Attribute(name=key, type=dynamodb.AttributeType.STRING),
            global_secondary_indexes=list(indexes),
            billing=dynamodb.Billing.on_demand(),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            # Orders and stock outlive their stack, but for one that could not be created.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            deletion_protection=True,
        )
