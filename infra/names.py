"""How stacks find each other's resources: by name, so that none needs another's exports."""

from dataclasses import dataclass

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events

SOURCE_PREFIX = "orders"


@dataclass(frozen=True)
class Names:
    """The names of one deployment; `prefix` keeps several apart in one account."""

    prefix: str

    def of(self, part: str) -> str:
        """Return the name of a stack, a function, a queue or another part."""
        return f"{self.prefix}-{part.replace('_', '-')}"

    @property
    def bus(self) -> str:
        """The event bus."""
        return self.prefix

    def log_group(self, function: str) -> str:
        """Return the name of the log group of a function."""
        return f"/saga/{self.of(function)}"

    @property
    def access_log_group(self) -> str:
        """The log group of the API's requests.

        API Gateway may write to all that begin like this. For any other it adds to the policy of
        the account's logs, which holds 5,120 characters:
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
        """
        return f"/aws/vendedlogs/{self.of('api')}"

    def source(self, service: str) -> str:
        """Return the `source` of the events that a service publishes."""
        return f"{SOURCE_PREFIX}.{service}"

    def find_bus(self, stack: Stack) -> events.IEventBus:
        """Refer to the bus by its name."""
        return events.EventBus.from_event_bus_name(stack, "Bus", self.bus)

    def find_table(self, stack: Stack, table: str) -> dynamodb.ITableV2:
        """Refer to a table, `orders` or `inventory`, by its name."""
        return dynamodb.TableV2.from_table_name(stack, f"Table{table.title()}", self.of(table))
