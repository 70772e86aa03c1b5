"""What a person looks at: a dashboard, and saved queries over the logs of all services.

A stack of its own: nothing depends on it, and it is for AWS alone.
"""

from collections.abc import Sequence
from inspect import cleandoc

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.alarms import NAMESPACE, metric
from infra.deployment import Deployment
from infra.service_stack import ServiceStack
from infra.stack import SagaStack

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

Metrics = Sequence[cloudwatch.IMetric]
NONE: Metrics = []  # jsii takes lists, and no tuples


class MonitoringStack(SagaStack):
    """The dashboard of a deployment, and its saved queries."""

    def __init__(
        self, scope: Construct, deployment: Deployment, services: Sequence[ServiceStack]
    ) -> None:
        super().__init__(scope, deployment, "monitoring", "its dashboard and its saved queries")
        # By names alone, as of any other stack: nothing is exported for this one.
        self._services = [stack.service for stack in services]
        self._consumers = [stack.service for stack in services if stack.consumes]
        self._add_dashboard()
        self._save_queries()

    def _add_dashboard(self) -> None:
        def graph(title: str, left: Metrics, right: Metrics = NONE) -> cloudwatch.IWidget:
            return cloudwatch.GraphWidget(title=title, left=left, right=right, width=8)

        def each(name: str, statistic: str = "Sum") -> Metrics:
            return [
                metric("AWS/Lambda", name, {"FunctionName": self.names.of(service)}, statistic)
                for service in self._services
            ]

        def by_status(name: str, statistic: str) -> Metrics:
            return [self._search_by_status(name, statistic, service) for service in self._services]

        orders = {"bus": self.names.bus}
        stalled = [
            metric(NAMESPACE, "leftOrders", orders, "Maximum"),
            metric(NAMESPACE, "resumedOrders", orders),
            metric(NAMESPACE, "givenUpOrders", orders, "Maximum"),
        ]
        oldest = [metric(NAMESPACE, "oldestOverdueSeconds", orders, "Maximum")]
        failures = [
            metric(
                "AWS/SQS",
                "ApproximateNumberOfMessagesVisible",
                {"QueueName": self.names.of(f"{service}-failures")},
                "Maximum",
            )
            for service in self._consumers
        ]
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=self.names.prefix,
            widgets=[
                [
                    graph("Stalled orders", stalled, right=oldest),
                    # The age of an order at a status is measured once for each order, so that
                    # the number of samples is the number of orders.
                    graph("Orders by status", by_status("ageMilliseconds", "SampleCount")),
                    graph(
                        "Age of orders at each status (p99, ms)",
                        by_status("ageMilliseconds", "p99"),
                    ),
                    graph("Steps (p99, ms)", by_status("stepMilliseconds", "p99")),
                ],
                [
                    graph("Calls", each("Invocations")),
                    graph("Errors", each("Errors")),
                    graph("Duration (p99, ms)", each("Duration", "p99")),
                    graph("Age of waiting events (p99, ms)", each("AsyncEventAge", "p99")),
                    graph("In failure queues", failures),
                ],
            ],
        )

    def _search_by_status(self, name: str, statistic: str, service: str) -> cloudwatch.IMetric:
        """Find a service's metric at all statuses, which only its own code has to know."""
        # In quotes it has to be the whole name: `shop` finds nothing of `shop-eu`.
        return cloudwatch.MathExpression(
            expression=f'SEARCH(\'{{{NAMESPACE},function,status}} MetricName="{name}" '
            f"function=\"{self.names.of(service)}\"', '{statistic}', 60)",
            using_metrics={},
            label="",
        )

    def _save_queries(self) -> None:
        for name, text in QUERIES.items():
            logs.CfnQueryDefinition(
                self,
                f"Query{name.title().replace(' ', '')}",
                name=f"{self.names.prefix}/{name}",
                query_string=cleandoc(text),
                log_group_names=[self.names.log_group(service) for service in self._services],
            )
