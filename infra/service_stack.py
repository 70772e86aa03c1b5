"""What every service's stack has: function, role, log, rule, failure queue and grants."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import (
    Acknowledgment,
    DockerBuildSecret,
    Duration,
    FileSystem,
    RemovalPolicy,
    Validations,
)
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

from infra import alarms
from infra.deployment import Deployment, certificates
from infra.stack import SagaStack

ROOT = Path(__file__).resolve().parent.parent
# Neither what a service's image leaves out nor what tools leave behind may change its hash.
NOT_IN_THE_IMAGE = ["**/__pycache__", "**/*.pyc", "**/.*", "README.md", "requirements.in"]

ARCHITECTURES = {
    "x86_64": (lambda_.Architecture.X86_64, ecr_assets.Platform.LINUX_AMD64),
    "arm64": (lambda_.Architecture.ARM_64, ecr_assets.Platform.LINUX_ARM64),
}

NO_KEY_FOR_LOGS = Acknowledgment(
    id="checkov::CKV_AWS_158",
    reason="They are encrypted with a key of CloudWatch, and have no data of customers.",
)


@dataclass(frozen=True)
class Subscription:
    """The event that a service consumes, and the service that publishes it."""

    detail_type: str
    producer: str


class ServiceStack(SagaStack):
    """A service by itself: it needs the platform's names and no other stack.

    `publishes` are the detail-types that it may put on the bus; `consumes` makes its rule and its
    failure queue.
    """

    def __init__(
        self,
        scope: Construct,
        deployment: Deployment,
        service: str,
        *,
        memory_mb: int,
        timeout_seconds: int,
        publishes: Sequence[str] = (),
        consumes: Subscription | None = None,
    ) -> None:
        super().__init__(scope, deployment, service, f"the service {service}")
        self.service, self.consumes = service, consumes
        names, self.bus = self.names, self.names.find_bus(self)
        self.log = logs.LogGroup(
            self,
            "Log",
            log_group_name=names.log_group(service),
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        Validations.of(self.log).acknowledge(NO_KEY_FOR_LOGS)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log.grant_write(self.role)
        self.function = self._function(memory_mb, timeout_seconds)
        self.add_alarms(alarms.of_function(names, service))
        if publishes:
            self.grant_publish(names.source(service), publishes)
            self.function.add_environment("EVENT_SOURCE", names.source(service))
        if consumes:
            self._subscribe(consumes)
            self.add_alarms(alarms.of_subscription(names, service))

    def add_alarms(self, added: Sequence[alarms.Alarm]) -> None:
        """Add these alarms under the service's name."""
        topic = self.deployment.alarms_topic
        alarms.add_alarms(self, self.names.of(self.service), topic, *added)

    def grant_table(self, table: str, *actions: str) -> dynamodb.ITableV2:
        """Allow these DynamoDB actions on this table; the function's environment gets its name."""
        found: dynamodb.ITableV2 = self.names.find_table(self, table)
        found.grant(self.role, *(f"dynamodb:{action}" for action in actions))
        self.function.add_environment(f"{table.upper()}_TABLE", found.table_name)
        return found

    def _function(self, memory_mb: int, timeout_seconds: int) -> lambda_.DockerImageFunction:
        architecture, platform = ARCHITECTURES[self.deployment.architecture]
        plumbing = str(ROOT / "plumbing")
        function = lambda_.DockerImageFunction(
            self,
            "Function",
            function_name=self.names.of(self.service),
            code=lambda_.DockerImageCode.from_image_asset(
                str(ROOT / "services" / self.service),
                asset_name=self.service,
                exclude=NOT_IN_THE_IMAGE,
                platform=platform,
                build_contexts={"plumbing": plumbing},
                build_secrets=_build_secrets(),
                # The asset's own hash has the path of a build context in it and not its files:
                # every clone would deploy everything again, and no change of plumbing anything.
                # And it has the path of a secret.
                invalidation=ecr_assets.DockerImageAssetInvalidationOptions(
                    build_contexts=False, build_secrets=False
                ),
                extra_hash=FileSystem.fingerprint(plumbing, exclude=NOT_IN_THE_IMAGE),
            ),
            architecture=architecture,
            role=self.role,
            log_group=self.log,
            memory_size=memory_mb,
            timeout=Duration.seconds(timeout_seconds),
            reserved_concurrent_executions=self.deployment.reserved_concurrency.get(self.service),
        )
        Validations.of(function).acknowledge(
            Acknowledgment(
                id="checkov::CKV_AWS_115",
                reason="A small account has no concurrency to reserve: the deployment sets it.",
            ),
            Acknowledgment(
                id="checkov::CKV_AWS_116",
                reason="What fails asynchronously goes to a destination, which is told the reason; "
                "create_order is called synchronously, and the sweep runs again in a minute.",
            ),
            Acknowledgment(
                id="checkov::CKV_AWS_117",
                reason="It calls AWS alone, as its role allows: a network would only cost.",
            ),
            Acknowledgment(
                id="checkov::CKV_AWS_173",
                reason="Names and no secrets: Lambda's own key encrypts them.",
            ),
        )
        return function

    def grant_publish(self, source: str, detail_types: Sequence[str] = ()) -> None:
        """Allow events of this source and these detail-types onto the bus; none means any.

        The source may have a `*`. The bus's name is set in the function's environment.
        """
        # The keys are lists, with a value for each entry of a call, and all have to match. There
        # has to be an entry as well, because "all values" is true of none.
        conditions: dict[str, dict[str, object]] = {
            "ForAllValues:StringLike": {"events:source": source},
            "Null": {"events:source": "false"},
        }
        if detail_types:
            conditions = {
                "ForAllValues:StringEquals": {
                    "events:source": source,
                    "events:detail-type": list(detail_types),
                },
                "Null": {"events:source": "false", "events:detail-type": "false"},
            }
        self.role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["events:PutEvents"],
                resources=[self.bus.event_bus_arn],
                conditions=conditions,
            )
        )
        self.function.add_environment("EVENT_BUS_NAME", self.names.bus)

    def _subscribe(self, subscription: Subscription) -> None:
        failures = sqs.Queue(
            self,
            "Failures",
            queue_name=self.names.of(f"{self.service}-failures"),
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            # It may hold the only copy of an event.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        Validations.of(failures).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SQS3",
                reason="It is itself the dead-letter queue, of the rule and of the function.",
            ),
            Acknowledgment(
                id="checkov::CKV_AWS_27",
                reason="SQS encrypts it by its own key: EventBridge needs no grant on one of KMS.",
            ),
        )
        events.Rule(
            self,
            "Rule",
            rule_name=self.names.of(self.service),
            description=f"{subscription.detail_type} goes to {self.service}.",
            event_bus=self.bus,
            event_pattern=events.EventPattern(
                account=[self.account],
                source=[self.names.source(subscription.producer)],
                detail_type=[subscription.detail_type],
            ),
            targets=[
                targets.LambdaFunction(
                    self.function,
                    # EventBridge's own maximum: it gives up delivery after a day.
                    retry_attempts=185,
                    max_event_age=Duration.hours(24),
                    dead_letter_queue=failures,
                )
            ],
        )
        # Once delivered, the event waits in the function's own queue: three tries, then here.
        self.function.configure_async_invoke(
            retry_attempts=2,
            max_event_age=Duration.hours(6),
            on_failure=destinations.SqsDestination(failures),
        )


def _build_secrets() -> dict[str, str] | None:
    """Return the certificates of a network with an authority of its own, for pip in the build."""
    bundle = certificates()
    return {"ca": DockerBuildSecret.from_src(str(bundle))} if bundle else None
