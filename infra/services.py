"""The five services and the sweep: what each hears, says and may touch: the whole flow."""

import json
from typing import cast

from aws_cdk import Acknowledgment, CfnOutput, Duration, RemovalPolicy, Validations
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from infra.alarms import NAMESPACE, Watched, metric
from infra.names import Names
from infra.service_stack import Heard, ServiceStack

# Method and status by route, not by path: no ids and no addresses of customers.
ACCESS_LOG_FORMAT = json.dumps(
    {
        "requestId": "$context.requestId",
        "time": "$context.requestTime",
        "route": "$context.routeKey",
        "status": "$context.status",
        "latencyMs": "$context.responseLatency",
        "error": "$context.integrationErrorMessage",
    }
)


class CreateOrder(ServiceStack):
    """Hears HTTP; says OrderCreated."""

    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(scope, names, "create_order", says=["OrderCreated"])
        self.may_use("orders", "PutItem", "GetItem")
        self._open_the_door()

    def _open_the_door(self) -> None:
        api = apigateway.HttpApi(
            self, "Api", api_name=self.names.of("api"), create_default_stage=False
        )
        access_log = logs.LogGroup(
            self,
            "AccessLog",
            log_group_name=self.names.log_group("api"),
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=api,
            auto_deploy=True,
            # An open door needs a bound; HTTP APIs know one for all callers together.
            throttle=apigateway.ThrottleSettings(rate_limit=500, burst_limit=1000),
        )
        # The construct takes an access log only as an object of another language's interface.
        cfn_stage = cast("apigateway.CfnStage", stage.node.default_child)
        cfn_stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=access_log.log_group_arn, format=ACCESS_LOG_FORMAT
        )
        integration = integrations.HttpLambdaIntegration("CreateOrder", self.function)
        # Any method, so that a wrong one is answered with a problem that says which is right.
        for path in ("/orders", "/orders/{orderId}"):
            for route in api.add_routes(
                path=path, methods=[apigateway.HttpMethod.ANY], integration=integration
            ):
                Validations.of(route).acknowledge(
                    Acknowledgment(
                        id="AwsSolutions-APIG4",
                        reason="Who may order is the shop's decision: put its authorizer here.",
                    )
                )
        CfnOutput(self, "ApiUrl", value=api.api_endpoint)
        self.watch(
            Watched(
                "unavailable",
                metric("AWS/ApiGateway", "5xx", {"ApiId": api.api_id}, minutes=5),
                at_least=5,
                says="Customers are told to send their orders again: see the log of create_order.",
            )
        )


class ReserveInventory(ServiceStack):
    """Hears OrderCreated; says InventoryReserved or InventoryFailed."""

    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(
            scope,
            names,
            "reserve_inventory",
            hears=Heard("OrderCreated", said_by="create_order"),
            says=["InventoryReserved", "InventoryFailed"],
        )
        self.may_use("orders", "UpdateItem")
        self.may_use("inventory", "UpdateItem")


class ChargePayment(ServiceStack):
    """Hears InventoryReserved; says PaymentCharged or PaymentFailed."""

    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(
            scope,
            names,
            "charge_payment",
            hears=Heard("InventoryReserved", said_by="reserve_inventory"),
            says=["PaymentCharged", "PaymentFailed"],
        )
        self.may_use("orders", "GetItem", "UpdateItem")


class NotifyShipping(ServiceStack):
    """Hears PaymentCharged; says ShippingScheduled."""

    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(
            scope,
            names,
            "notify_shipping",
            hears=Heard("PaymentCharged", said_by="charge_payment"),
            says=["ShippingScheduled"],
        )
        self.may_use("orders", "GetItem", "UpdateItem")


class ReleaseInventory(ServiceStack):
    """Hears PaymentFailed; compensates, and says nothing: the saga ends here."""

    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(
            scope,
            names,
            "release_inventory",
            hears=Heard("PaymentFailed", said_by="charge_payment"),
            says=[],
        )
        self.may_use("orders", "UpdateItem")
        self.may_use("inventory", "UpdateItem")


class ResumeOrders(ServiceStack):
    """Hears no event but a schedule; says again what any service said last of a stuck order."""

    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(scope, names, "resume_orders", says=[], seconds=60)
        orders = self.may_use("orders", "GetItem", "UpdateItem")
        self.role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["dynamodb:Query"], resources=[f"{orders.table_arn}/index/open"]
            )
        )
        # It says what is stored, whoever said it: this is the one role that speaks for others.
        self.may_put_events(
            {
                "ForAllValues:StringLike": {"events:source": names.source("*")},
                "Null": {"events:source": "false"},
            }
        )
        # The next run comes in a minute: there is nothing to try again, and nothing to keep.
        self.function.configure_async_invoke(retry_attempts=0, max_event_age=Duration.minutes(1))
        may_call = iam.Role(
            self, "ScheduleRole", assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com")
        )
        may_call.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"], resources=[self.function.function_arn]
            )
        )
        scheduler.CfnSchedule(
            self,
            "Schedule",
            name=names.of("resume_orders"),
            description="Orders that stand still are looked for every minute.",
            schedule_expression="rate(1 minute)",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.function.function_arn,
                role_arn=may_call.role_arn,
                input="{}",
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(maximum_retry_attempts=0),
            ),
        )
        self._watch_orders()

    def _watch_orders(self) -> None:
        function, orders = {"FunctionName": self.names.of(self.service)}, {"bus": self.names.bus}
        self.watch(
            Watched(
                "oldest-order",
                metric(NAMESPACE, "oldestOverdueSeconds", orders, "Maximum"),
                at_least=15 * 60,
                says="An order has been open for a quarter of an hour, resumed and still open.",
            ),
            Watched(
                "given-up",
                metric(NAMESPACE, "givenUpOrders", orders, "Maximum"),
                at_least=1,
                says="An order does not end, however often it is resumed: a person has to look.",
            ),
            Watched(
                "no-run",
                metric("AWS/Lambda", "Invocations", function, minutes=5),
                below=1,
                says="Nothing has looked for stuck orders for five minutes: see the schedule.",
            ),
        )


SERVICES = (
    CreateOrder,
    ReserveInventory,
    ChargePayment,
    NotifyShipping,
    ReleaseInventory,
    ResumeOrders,
)
