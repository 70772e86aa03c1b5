"""Put the app together."""

from aws_cdk import App

from infra.names import Names
from infra.platform_stack import PlatformStack
from infra.services import SERVICES


def build_app(app: App) -> App:
    """Add all stacks; the context key `prefix` names the deployment (default `order-saga`)."""
    names = Names(app.node.try_get_context("prefix") or Names.prefix)
    platform = PlatformStack(app, names)
    services = [service(app, names) for service in SERVICES]
    platform.save_queries([names.log_group(stack.service) for stack in services])
    return app
