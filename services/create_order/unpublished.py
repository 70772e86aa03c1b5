"""The log of orders that are stored and not published: each line is a metric too."""

from create_order.events import OrderCreated
from plumbing.log import embedded_metrics, log


class UnpublishedLog:
    """Logs each order whose event a bus did not take; the sweep publishes it."""

    def __init__(self, namespace: str, bus: str) -> None:
        self._namespace, self._bus = namespace, bus

    def __call__(self, order: OrderCreated, error: Exception) -> None:
        """Log that the order is stored, and why it is not published."""
        measured = embedded_metrics(self._namespace, {"bus": self._bus}, {"unpublishedOrders": 1})
        reason = f"{type(error).__name__}: {error}"
        log("ERROR", "order not published", orderId=order.order_id, reason=reason, **measured)
