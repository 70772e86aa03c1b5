"""The decision: one order per request, also when the request comes twice."""

from typing import Protocol

from create_order.events import OrderCreated
from plumbing.aws import CALL_ERRORS
from plumbing.log import ErrorLog
from plumbing.publish import Publish, PublishError
from plumbing.step import SagaState


class OrderDiffers(Exception):
    """Another order is stored under this id: its idempotency key was used for another body."""


class OrderTooLarge(Exception):
    """The order's event has this many bytes, and would leave no room for what services add."""


class Orders(Protocol):
    """The orders as this service writes them."""

    def create(self, order: OrderCreated) -> SagaState:
        """Store the order unless its id is taken; return its state.

        Raises OrderDiffers when what is stored under the id is not this order, and OrderTooLarge,
        with nothing stored, when its event has more than the bytes that it may have.
        """


def create_order(
    order: OrderCreated,
    orders: Orders,
    publish: Publish,
    log_unpublished: ErrorLog,
) -> SagaState:
    """Store the order once and publish it, also when the request is sent twice.

    Once it is stored it is accepted, whatever the bus does: the sweep publishes it later.
    """
    state = orders.create(order)
    if state.status == OrderCreated.status:
        try:
            publish(state.outbox)
        except (PublishError, *CALL_ERRORS) as error:
            log_unpublished("order not published", error, orderId=order.order_id)
    return state
