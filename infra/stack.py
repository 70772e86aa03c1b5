"""What every stack of a deployment has: its names, and the one place that it may be deployed to."""

from aws_cdk import Environment, Stack
from constructs import Construct

from infra.deployment import Deployment
from infra.names import Names


class SagaStack(Stack):
    """A stack of a deployment: the `platform`, the `monitoring`, or a service's."""

    def __init__(self, scope: Construct, deployment: Deployment, part: str, purpose: str) -> None:
        self.deployment, self.names = deployment, Names(deployment.prefix)
        super().__init__(
            scope,
            self.names.of(part),
            description=f"Order saga: {purpose}.",
            env=Environment(account=deployment.account, region=deployment.region),
        )
