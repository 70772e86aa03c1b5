"""The five services and the sweep: what each consumes, publishes, may access, and its size.

This wiring is written by hand and does not read what the services declare: `saga flow --check`
and the tests compare the two. That is the check.
"""

import json
from typing import cast

from aws_cdk import Acknowledgment, CfnOutput, Duration, RemovalPolicy, Validations
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from infra import alarms
from infra.deployment import Deployment
from infra.service_stack import NO_KEY_FOR_LOGS, ServiceStack, Subscription

# By route, not by path: no ids and no addresses of customers. A route's own method is always ANY.
ACCESS_LOG_FORMAT = json.dumps(
    {
        "requestId": "$context.requestId",
        "time": "$context.requestTime",
        "method": "$context.httpMethod",
        "route": "$context.routeKey",
        "status": "$context.status",
        "latencyMs": "$context.responseLatency",
        "error": "$context.integrationErrorMessage",
    }
)


class CreateOrder(ServiceStack):
    """Serves HTTP; publishes OrderCreated."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(
            scope,
            deployment,
            "create_order",
            memory_mb=512,
            timeout_seconds=20,
            publishes=["OrderCreated"],
        )
        self.grant_table("orders", "PutItem", "GetItem")
        self._add_http_api()

    def _add_http_api(self) -> None:
        api = apigateway.HttpApi(
            self, "Api", api_name=self.names.of("api"), create_default_stage=False
        )
        access_log = logs.LogGroup(
            self,
            "AccessLog",
            log_group_name=self.names.access_log_group,
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        Validations.of(access_log).acknowledge(NO_KEY_FOR_LOGS)
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=api,
            auto_deploy=True,
            # A public API needs a limit; HTTP APIs have one for all callers together.
            throttle=apigateway.ThrottleSettings(
                rate_limit=self.deployment.requests_per_second,
                burst_limit=self.deployment.burst,
            ),
        )
        # The construct takes an access log only as an object of another language's interface.
        cfn_stage = cast("apigateway.CfnStage", stage.node.default_child)
        cfn_stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=access_log.log_group_arn, format=ACCESS_LOG_FORMAT
        )
        integration = integrations.HttpLambdaIntegration("CreateOrder", self.function)
        authorizer = self._authorizer()
        # Any method, so that the response to a wrong one names the right one.
        for path in ("/orders", "/orders/{orderId}"):
            routes = api.add_routes(
                path=path,
                methods=[apigateway.HttpMethod.ANY],
                integration=integration,
                authorizer=authorizer,
            )
            for route in routes if authorizer is None else ():
                Validations.of(route).acknowledge(
                    Acknowledgment(
                        id="AwsSolutions-APIG4",
                        reason="Who may order is the shop's decision: set the authorizer.",
                    )
                )
        CfnOutput(self, "ApiUrl", value=api.api_endpoint)
        self.add_alarms(alarms.of_http_api(api.api_id))
        self.add_alarms(alarms.of_accepted_orders(self.names))

    def _authorizer(self) -> apigateway.IHttpRouteAuthorizer | None:
        wanted = self.deployment.authorizer
        if wanted is None:
            return None
        return authorizers.HttpJwtAuthorizer(
            "Authorizer", wanted.issuer, jwt_audience=list(wanted.audience)
        )


class ReserveInventory(ServiceStack):
    """Consumes OrderCreated; publishes InventoryReserved or InventoryFailed."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(
            scope,
            deployment,
            "reserve_inventory",
            memory_mb=512,
            timeout_seconds=20,
            consumes=Subscription("OrderCreated", producer="create_order"),
            publishes=["InventoryReserved", "InventoryFailed"],
        )
        self.grant_table("orders", "UpdateItem")
        self.grant_table("inventory", "UpdateItem")


class ChargePayment(ServiceStack):
    """Consumes InventoryReserved; publishes PaymentCharged or PaymentFailed."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(
            scope,
            deployment,
            "charge_payment",
            memory_mb=512,
            timeout_seconds=20,
            consumes=Subscription("InventoryReserved", producer="reserve_inventory"),
            publishes=["PaymentCharged", "PaymentFailed"],
        )
        self.grant_table("orders", "GetItem", "UpdateItem")


class NotifyShipping(ServiceStack):
    """Consumes PaymentCharged; publishes ShippingScheduled."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(
            scope,
            deployment,
            "notify_shipping",
            memory_mb=512,
            timeout_seconds=20,
            consumes=Subscription("PaymentCharged", producer="charge_payment"),
            publishes=["ShippingScheduled"],
        )
        self.grant_table("orders", "GetItem", "UpdateItem")


class ReleaseInventory(ServiceStack):
    """Consumes PaymentFailed; compensates, and publishes nothing: the saga ends here."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(
            scope,
            deployment,
            "release_inventory",
            memory_mb=512,
            timeout_seconds=20,
            consumes=Subscription("PaymentFailed", producer="charge_payment"),
        )
        self.grant_table("orders", "UpdateItem")
        self.grant_table("inventory", "UpdateItem")


class ResumeOrders(ServiceStack):
    """The sweep: called by a schedule; publishes again the last event of stalled orders."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(scope, deployment, "resume_orders", memory_mb=512, timeout_seconds=60)
        orders = self.grant_table("orders", "GetItem", "UpdateItem")
        self.role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["dynamodb:Query"],
                resources=[f"{orders.table_arn}/index/{name}" for name in ("open", "deferred")],
            )
        )
        # It publishes what is stored, whoever stored it: the one role that may use any source.
        self.grant_publish(self.names.source("*"))
        # The next run comes in a minute: there is nothing to retry, and nothing to keep.
        self.function.configure_async_invoke(retry_attempts=0, max_event_age=Duration.minutes(1))
        may_call = iam.Role(
            self,
            "ScheduleRole",
            # The schedules of any account come from the same principal.
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            ),
        )
        may_call.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"], resources=[self.function.function_arn]
            )
        )
        scheduler.CfnSchedule(
            self,
            "Schedule",
            name=self.names.of("resume_orders"),
            description="The sweep looks for stalled orders every minute.",
            schedule_expression="rate(1 minute)",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.function.function_arn,
                role_arn=may_call.role_arn,
                input="{}",
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(maximum_retry_attempts=0),
            ),
        )
        self.add_alarms(alarms.of_sweep(self.names, self.service))


SERVICES = (
    CreateOrder,
    ReserveInventory,
    ChargePayment,
    NotifyShipping,
    ReleaseInventory,
    ResumeOrders,
)
