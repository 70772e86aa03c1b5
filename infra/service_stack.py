"""What every service's stack has: function, role, log, and how it hears and says events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Acknowledgment, Duration, FileSystem, RemovalPolicy, Stack, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.alarms import Watched, metric, watch
from infra.names import Names

ROOT = Path(__file__).resolve().parent.parent
# Neither what a service's image leaves out nor what tools leave behind may change its hash.
NOT_IN_THE_IMAGE = ["**/__pycache__", "**/*.pyc", "**/.*", "README.md"]

ARCHITECTURES = {
    "x86_64": (lambda_.Architecture.X86_64, ecr_assets.Platform.LINUX_AMD64),
    "arm64": (lambda_.Architecture.ARM_64, ecr_assets.Platform.LINUX_ARM64),
}


@dataclass(frozen=True)
class Heard:
    """The event that a service hears, and the service that says it."""

    detail_type: str
    said_by: str


class ServiceStack(Stack):
    """A service by itself: it needs the platform's names and no other stack."""

    def __init__(
        self,
        scope: Construct,
        names: Names,
        service: str,
        *,
        says: Sequence[str],
        hears: Heard | None = None,
        seconds: int = 20,
    ) -> None:
        super().__init__(
            scope, names.of(service), description=f"Order saga: the service {service}."
        )
        self.names, self.service = names, service
        self.bus = names.find_bus(self)
        self.log = logs.LogGroup(
            self,
            "Log",
            log_group_name=names.log_group(service),
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log.grant_write(self.role)
        self.function = self._function(seconds)
        if says:
            self._may_say(says)
        if hears:
            self._hear(hears)
        self._watch_function()

    def may_use(self, table: str, *actions: str) -> dynamodb.ITableV2:
        """Allow these DynamoDB actions on this table, and tell the function the table's name."""
        found: dynamodb.ITableV2 = self.names.find_table(self, table)
        found.grant(self.role, *(f"dynamodb:{action}" for action in actions))
        self.function.add_environment(f"{table.upper()}_TABLE", found.table_name)
        return found

    def watch(self, *watched: Watched) -> None:
        """Make an alarm of each of these."""
        watch(self, self.names.of(self.service), *watched)

    def _watch_function(self) -> None:
        function = {"FunctionName": self.names.of(self.service)}
        self.watch(
            Watched(
                "errors",
                metric("AWS/Lambda", "Errors", function, minutes=5),
                at_least=3,
                says=f"{self.service} fails again and again: its log says why.",
            ),
            Watched(
                "throttles",
                metric("AWS/Lambda", "Throttles", function),
                at_least=1,
                says=f"{self.service} is called more often than the account lets it run.",
            ),
        )

    def _watch_events(self, queue_name: str) -> None:
        function = {"FunctionName": self.names.of(self.service)}
        rule = {"EventBusName": self.names.bus, "RuleName": self.names.of(self.service)}
        queue = {"QueueName": queue_name}
        self.watch(
            Watched(
                "failures",
                metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue, "Maximum"),
                at_least=1,
                says=f"Events that {self.service} could not take wait in its failure queue.",
            ),
            Watched(
                "not-handed-over",
                metric("AWS/Events", "FailedInvocations", rule),
                at_least=1,
                says=f"The rule cannot call {self.service}: its event is in the failure queue.",
            ),
            Watched(
                "dead-letters-lost",
                metric("AWS/Events", "InvocationsFailedToBeSentToDlq", rule),
                at_least=1,
                says=f"An event for {self.service} reached neither it nor its failure queue.",
            ),
            Watched(
                "events-dropped",
                metric("AWS/Lambda", "AsyncEventsDropped", function),
                at_least=1,
                says=f"Lambda gave up on an event for {self.service}.",
            ),
            Watched(
                "failures-lost",
                metric("AWS/Lambda", "DestinationDeliveryFailures", function),
                at_least=1,
                says=f"An event that {self.service} failed on did not reach its failure queue.",
            ),
        )

    def _function(self, seconds: int) -> lambda_.DockerImageFunction:
        name = self.node.try_get_context("architecture") or "x86_64"
        if name not in ARCHITECTURES:
            raise ValueError(f"architecture {name} is none of {', '.join(ARCHITECTURES)}")
        architecture, platform = ARCHITECTURES[name]
        plumbing = str(ROOT / "plumbing")
        return lambda_.DockerImageFunction(
            self,
            "Function",
            function_name=self.names.of(self.service),
            code=lambda_.DockerImageCode.from_image_asset(
                str(ROOT / "services" / self.service),
                asset_name=self.service,
                exclude=NOT_IN_THE_IMAGE,
                platform=platform,
                build_contexts={"plumbing": plumbing},
                # The asset's own hash has the path of a build context in it and not its files:
                # every clone would deploy everything anew, and no change of plumbing anything.
                invalidation=ecr_assets.DockerImageAssetInvalidationOptions(build_contexts=False),
                extra_hash=FileSystem.fingerprint(plumbing, exclude=NOT_IN_THE_IMAGE),
            ),
            architecture=architecture,
            role=self.role,
            log_group=self.log,
            memory_size=512,
            timeout=Duration.seconds(seconds),
        )

    def may_put_events(self, conditions: Mapping[str, Mapping[str, object]]) -> None:
        """Allow events onto the bus under these conditions, and tell the function its name."""
        self.role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["events:PutEvents"],
                resources=[self.bus.event_bus_arn],
                conditions=conditions,
            )
        )
        self.function.add_environment("EVENT_BUS_NAME", self.names.bus)

    def _may_say(self, says: Sequence[str]) -> None:
        source = self.names.source(self.service)
        self.may_put_events(
            # Both keys are lists, of a value for each entry of the call: all have to match.
            {
                "ForAllValues:StringEquals": {
                    "events:source": source,
                    "events:detail-type": list(says),
                },
                # And there has to be one, for "all values" is true of none, too.
                "Null": {"events:source": "false", "events:detail-type": "false"},
            }
        )
        self.function.add_environment("EVENT_SOURCE", source)

    def _hear(self, heard: Heard) -> None:
        failures = sqs.Queue(
            self,
            "Failures",
            queue_name=self.names.of(f"{self.service}-failures"),
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        Validations.of(failures).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SQS3",
                reason="It is itself the dead-letter queue, of the rule and of the function.",
            )
        )
        events.Rule(
            self,
            "Rule",
            rule_name=self.names.of(self.service),
            description=f"{heard.detail_type} goes to {self.service}.",
            event_bus=self.bus,
            event_pattern=events.EventPattern(
                account=[self.account],
                source=[self.names.source(heard.said_by)],
                detail_type=[heard.detail_type],
            ),
            targets=[
                targets.LambdaFunction(
                    self.function,
                    # EventBridge's own most: it gives up handing over after a day.
                    retry_attempts=185,
                    max_event_age=Duration.hours(24),
                    dead_letter_queue=failures,
                )
            ],
        )
        # Once handed over, the event waits in the function's own queue: three tries, then here.
        self.function.configure_async_invoke(
            retry_attempts=2,
            max_event_age=Duration.hours(6),
            on_failure=destinations.SqsDestination(failures),
        )
        self._watch_events(self.names.of(f"{self.service}-failures"))
