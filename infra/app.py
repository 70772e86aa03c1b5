"""Put the app together."""

from aws_cdk import App

from infra.deployment import Deployment, DeploymentError
from infra.monitoring_stack import MonitoringStack
from infra.platform_stack import PlatformStack
from infra.services import SERVICES

# A setting that is given to one command is lost in the next one.
NOT_HERE = ("prefix", "architecture", "alarms")


def build_app(app: App, deployment: Deployment) -> App:
    """Add all stacks of a deployment; raises DeploymentError when `-c` gives a setting of it."""
    given = [key for key in NOT_HERE if app.node.try_get_context(key) is not None]
    if given:
        raise DeploymentError(
            f"-c {given[0]} would hold for one command only: the settings of a deployment are in "
            f"infra/deployments/{deployment.prefix}.toml, and SAGA_PREFIX names another."
        )
    PlatformStack(app, deployment)
    services = [service(app, deployment) for service in SERVICES]
    MonitoringStack(app, deployment, services)
    return app
