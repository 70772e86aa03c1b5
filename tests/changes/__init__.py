"""Changes that people make to a saga, each as a small patch, with the verdict that is right.

A change is applied to a copy of the tree: `Patch` replaces text of a file, or adds a file.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from explorer.deployments import DRAINED, IN_ORDER, SAFE, UNSAFE, WAITS

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("services", "plumbing", "infra", "contracts")

CREATE, RESERVE, CHARGE = "create_order", "reserve_inventory", "charge_payment"
NOTIFY, RELEASE = "notify_shipping", "release_inventory"
EVERYTHING = frozenset([CREATE, RESERVE, CHARGE, NOTIFY, RELEASE, "resume_orders"])


@dataclass(frozen=True)
class Patch:
    """In `file`, `old`, which occurs in it, becomes `new`; a file that is not there is added."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Change:
    """A change, and what is true of it.

    patches: what is changed; `before`: what the release before has that this tree has not.
    order: the services in the order that is safe, where only that one is.
    rollback: whether it is safe to roll back.
    """

    name: str
    patches: Sequence[Patch]
    verdict: str
    order: tuple[str, ...] = ()
    rollback: bool = True
    before: Sequence[Patch] = ()
    why: str = ""

    def trees(self, folder: Path) -> tuple[Path, Path]:
        """Make both trees in a folder: as it was, and as it is to be."""
        old, new = folder / "old", folder / "new"
        for tree, patches in ((old, self.before), (new, self.patches)):
            for part in PARTS:
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / part, tree / part, ignore=ignored)
            for patch in patches:
                apply(patch, tree)
        return old, new


def apply(patch: Patch, tree: Path) -> None:
    """Apply a patch to a tree; raises ValueError when it does not fit."""
    path = tree / patch.file
    if not patch.old:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(patch.new)
        return
    text = path.read_text()
    if patch.old not in text:
        raise ValueError(f"{patch.file} has no {patch.old!r}: the patch does not fit any more")
    path.write_text(text.replace(patch.old, patch.new))


def _events(service: str, old: str, new: str) -> Patch:
    return Patch(f"services/{service}/events.py", old, new)


def _declares(service: str, after: str, field: str, extra: str = "") -> Patch:
    """Let a service declare a field after another one."""
    return _events(service, f"    {after}\n", f"    {after}\n    {field}\n{extra}")


def _decides(service: str, old: str, new: str) -> Patch:
    return Patch(f"services/{service}/{service}.py", old, new)


WAREHOUSE = (
    _declares(RESERVE, "reservation_id: UUID", "warehouse: str"),
    _decides(
        RESERVE, "reservation_id=reservation_id)", 'reservation_id=reservation_id, warehouse="W1")'
    ),
)
RENAMED_REASON = (
    _events(CHARGE, "    reason: str", "    failure_reason: str"),
    _decides(CHARGE, "reason=reason)", "failure_reason=reason)"),
    Patch(
        "services/charge_payment/orders.py",
        "PaymentFailed(reason=reason)",
        "PaymentFailed(failure_reason=reason)",
    ),
    _events(RELEASE, "    reason: str", "    failure_reason: str"),
)


def _new_service(
    name: str, consumes: str, producer: str, publishes: str, like: str = NOTIFY
) -> list[Patch]:
    """Add a service that makes one step, made of notify_shipping's parts and without a carrier."""
    status = {"FraudChecked": "FRAUD_CHECKED", "ReceiptSent": "RECEIPT_SENT"}[publishes]
    consumed = {
        "InventoryReserved": "INVENTORY_RESERVED",
        "ShippingScheduled": "SHIPPING_SCHEDULED",
    }[consumes]
    final = ", final=True" if publishes == "ReceiptSent" else ""
    events = f'''"""The events of {name}."""

from typing import ClassVar
from uuid import UUID

from plumbing.event import Event
from plumbing.participant import Participant, Step
from plumbing.trace import Timestamp, Traceparent


class {consumes}(Event, frozen=True, kw_only=True):
    """Consumed."""

    status: ClassVar[str] = "{consumed}"

    order_id: UUID
    created_at: Timestamp
    traceparent: Traceparent


class {publishes}({consumes}, frozen=True, kw_only=True):
    """Published."""

    status: ClassVar[str] = "{status}"

    checked_by: str


PARTICIPANT = Participant(consumes={consumes}, steps=(Step(publishes={publishes}{final}),))
'''
    handler = f'''"""Wiring."""

import os

from msgspec import Struct
from msgspec.structs import asdict

from {name}.events import {consumes}, {publishes}
from plumbing.aws import dynamodb, eventbridge
from plumbing.envelope import decode
from plumbing.outbox import OutboxEvent
from plumbing.publish import publisher
from plumbing.settings import read_settings
from plumbing.step import Transition, record
from plumbing import step


class Settings(Struct, frozen=True):
    """What the stack of this service sets."""

    event_bus_name: str
    event_source: str
    orders_table: str


settings = read_settings(Settings, os.environ)
client = dynamodb()
publish = publisher(eventbridge(), settings.event_bus_name)


def handle(delivered: object, context: object) -> None:
    """Take one delivered {consumes}."""
    event = decode(delivered, {consumes})
    outgoing = {publishes}(**asdict(event), checked_by="{name}")
    transition = Transition(
        table=settings.orders_table,
        key={{"orderId": str(event.order_id)}},
        expected={consumes}.status,
        consumed=event.carried,
        status=outgoing.status,
        at=step.utc_now(),
        adds={{"checkedBy": outgoing.checked_by}},
        final={bool(final)},
    )
    state = record(client, transition, OutboxEvent.of(settings.event_source, outgoing))
    if state.status == {publishes}.status:
        publish(state.outbox)
'''
    stack = f'''

class NewService(ServiceStack):
    """Added."""

    def __init__(self, scope: Construct, names: Names) -> None:
        super().__init__(
            scope,
            names,
            "{name}",
            memory_mb=512,
            timeout_seconds=20,
            consumes=Subscription("{consumes}", producer="{producer}"),
            publishes=["{publishes}"],
        )
        self.grant_table("orders", "GetItem", "UpdateItem")


SERVICES = (
    NewService,
'''
    return [
        Patch(f"services/{name}/__init__.py", "", f'"""{name}."""\n'),
        Patch(f"services/{name}/events.py", "", events),
        Patch(f"services/{name}/handler.py", "", handler),
        *(
            Patch(f"services/{name}/{file}", "", (ROOT / "services" / like / file).read_text())
            for file in ("Dockerfile", "requirements.in", "requirements.txt")
        ),
        Patch("infra/services.py", "\n\nSERVICES = (\n", stack),
    ]


# A step between the reservation and the charge, which then consumes another event.
FRAUD_CHECK = (
    *_new_service("check_fraud", "InventoryReserved", RESERVE, "FraudChecked"),
    *(
        Patch(f"services/charge_payment/{file}.py", "InventoryReserved", "FraudChecked")
        for file in ("events", "charge_payment", "orders", "handler")
    ),
    _events(CHARGE, '"INVENTORY_RESERVED"', '"FRAUD_CHECKED"'),
    Patch(
        "infra/services.py",
        'Subscription("InventoryReserved", producer="reserve_inventory"),\n'
        '            publishes=["PaymentCharged"',
        'Subscription("FraudChecked", producer="check_fraud"),\n'
        '            publishes=["PaymentCharged"',
    ),
)
RECEIPT = (
    *_new_service("send_receipt", "ShippingScheduled", NOTIFY, "ReceiptSent"),
    _events(NOTIFY, "publishes=ShippingScheduled, final=True", "publishes=ShippingScheduled"),
    Patch("services/notify_shipping/orders.py", "            final=True,\n", ""),
)
NOTE = 'ribbon_colour: str = ""'
LITERAL = (
    _events(RELEASE, "    reason: str", '    reason: Literal["card declined"]'),
    _events(RELEASE, "import Annotated, ClassVar", "import Annotated, ClassVar, Literal"),
)

CHANGES = (
    Change(
        "a consumer declares a field with a default",
        [_declares(CHARGE, "reservation_id: UUID", NOTE)],
        SAFE,
    ),
    Change(
        "a consumer declares a field that may be None",
        [_declares(CHARGE, "reservation_id: UUID", "ribbon_colour: str | None = None")],
        SAFE,
    ),
    Change(
        "a consumer declares a field that may be UNSET",
        [
            _declares(CHARGE, "reservation_id: UUID", "ribbon_colour: str | UnsetType = UNSET"),
            _events(
                CHARGE, "from msgspec import Meta", "from msgspec import UNSET, Meta, UnsetType"
            ),
        ],
        SAFE,
    ),
    Change("a producer adds a field", WAREHOUSE, SAFE),
    Change(
        "a producer adds a field, its consumer declares it with a default",
        [*WAREHOUSE, _declares(CHARGE, "reservation_id: UUID", 'warehouse: str = ""')],
        SAFE,
    ),
    Change(
        "a producer adds a field, its consumer requires it",
        [*WAREHOUSE, _declares(CHARGE, "reservation_id: UUID", "warehouse: str")],
        DRAINED,
        order=(RESERVE, CHARGE),
        why="events from before the producer's deployment have no such field",
    ),
    Change(
        "a consumer requires a field that nobody publishes",
        [_declares(CHARGE, "reservation_id: UUID", "warehouse: str")],
        UNSAFE,
        why="no event has it",
    ),
    Change(
        "a field from the API to shipping",
        [
            Patch(
                "services/create_order/api.py",
                "    amount_cents: Cents\n",
                f"    amount_cents: Cents\n    {NOTE}\n",
            ),
            _declares(CREATE, "amount_cents: Annotated[int, Meta(ge=0)]", NOTE),
            Patch(
                "contracts/events/OrderCreated.sample.json",
                '"amountCents": 1998',
                '"amountCents": 1998,\n    "ribbonColour": "for you"',
            ),
            _declares(NOTIFY, "payment_id: UUID", NOTE),
        ],
        SAFE,
    ),
    Change(
        "a producer publishes null, its consumer has a default that is text",
        [
            _declares(RESERVE, "reservation_id: UUID", "ribbon_colour: str | None"),
            _decides(
                RESERVE,
                "reservation_id=reservation_id)",
                "reservation_id=reservation_id, ribbon_colour=None)",
            ),
            _declares(CHARGE, "reservation_id: UUID", NOTE),
        ],
        UNSAFE,
        why="null is not absent",
    ),
    Change(
        "a producer and its consumer disagree on the type of a new field",
        [*WAREHOUSE, _declares(CHARGE, "reservation_id: UUID", "warehouse: int = 0")],
        UNSAFE,
        why="the event does not decode",
    ),
    Change(
        "a consumer drops a field that it does not use",
        [
            _events(NOTIFY, "    amount_cents: Annotated[int, Meta(ge=0)]\n", ""),
        ],
        SAFE,
    ),
    Change(
        "a field is removed on both sides",
        [
            _events(CHARGE, "    reason: str", '    code: str = "D"'),
            _decides(CHARGE, "**asdict(event), reason=reason)", "**asdict(event))"),
            Patch(
                "services/charge_payment/orders.py",
                "            case PaymentFailed(reason=reason):\n"
                '                adds = {"failureReason": reason}',
                "            case PaymentFailed():\n"
                '                adds = {"failureReason": "card declined"}',
            ),
            _events(RELEASE, "    reason: str\n", ""),
        ],
        IN_ORDER,
        order=(RELEASE, CHARGE),
        why="the old consumer requires what the new producer does not publish",
        rollback=False,
    ),
    Change(
        "a field is renamed on both sides",
        RENAMED_REASON,
        UNSAFE,
        why="each side requires its own name of events that are in flight",
    ),
    Change(
        "a consumer accepts more",
        [_events(CHARGE, "quantity: Annotated[int, Meta(ge=1)]", "quantity: int | str")],
        SAFE,
    ),
    Change(
        "a consumer accepts less",
        [
            _events(
                CHARGE,
                "quantity: Annotated[int, Meta(ge=1)]",
                "quantity: Annotated[int, Meta(ge=1, le=1)]",
            )
        ],
        UNSAFE,
        why="orders of two units are in flight",
    ),
    Change(
        "a producer publishes less: the API takes smaller orders",
        [Patch("services/create_order/api.py", "Meta(ge=1, le=1000)", "Meta(ge=1, le=10)")],
        SAFE,
    ),
    Change(
        "a field becomes of another type that its consumer accepts too",
        [
            _events(CHARGE, "    payment_id: UUID", "    payment_id: str"),
            _decides(CHARGE, "payment_id=payment_id)", 'payment_id=f"PAY-{payment_id}")'),
            _events(NOTIFY, "    payment_id: UUID", "    payment_id: str"),
        ],
        IN_ORDER,
        order=(NOTIFY, CHARGE),
        rollback=False,
        why="the old consumer does not decode what the new producer publishes",
    ),
    Change(
        "a new value of an enumeration, which its consumer knows",
        [
            _events(RELEASE, "    reason: str", '    reason: Literal["card declined", "refused"]'),
            _events(RELEASE, "import Annotated, ClassVar", "import Annotated, ClassVar, Literal"),
            _decides(CHARGE, "reason=reason)", 'reason="refused")'),
        ],
        IN_ORDER,
        order=(RELEASE, CHARGE),
        rollback=False,
        before=LITERAL,
        why="the old consumer does not know the new value",
    ),
    Change(
        "a new value of an enumeration, which its consumer does not know",
        [*LITERAL, _decides(CHARGE, "reason=reason)", 'reason="refused")')],
        UNSAFE,
        before=LITERAL,
        why="the event does not decode",
    ),
    Change(
        "a status in the middle is renamed",
        [
            Patch(f"services/{service}/events.py", '"INVENTORY_RESERVED"', '"STOCK_HELD"')
            for service in (RESERVE, CHARGE, RELEASE)
        ],
        UNSAFE,
        why="stored orders have the old name",
    ),
    Change(
        "a final status is renamed",
        [_events(NOTIFY, '"SHIPPING_SCHEDULED"', '"SHIPPED"')],
        SAFE,
    ),
    Change(
        "an event is renamed",
        [
            *(
                Patch(f"services/{service}/{file}.py", "PaymentCharged", "PaymentTaken")
                for service, files in {
                    CHARGE: ("events", "charge_payment", "orders"),
                    NOTIFY: ("events", "notify_shipping", "orders", "handler"),
                }.items()
                for file in files
            ),
            Patch("infra/services.py", '"PaymentCharged"', '"PaymentTaken"'),
        ],
        UNSAFE,
        why="no service consumes the events that stored orders have",
    ),
    Change(
        "a step is inserted in the middle",
        FRAUD_CHECK,
        WAITS,
        rollback=False,
        why="until both are deployed, an event has no consumer",
    ),
    Change(
        "a step in the middle is removed",
        [],
        UNSAFE,
        before=FRAUD_CHECK,
        why="no service consumes the events of orders that have the status of that step",
    ),
    Change(
        "a step is added at the end",
        RECEIPT,
        IN_ORDER,
        order=("send_receipt", NOTIFY),
        rollback=False,
        why="an order that does not end any more waits for the new step",
    ),
    Change(
        "a rule is moved to another producer",
        [
            Patch(
                "infra/services.py",
                'Subscription("PaymentCharged", producer="charge_payment")',
                'Subscription("PaymentCharged", producer="create_order")',
            )
        ],
        UNSAFE,
        why="no event matches",
    ),
    Change(
        "items get a digest that those of the release before do not have",
        [],
        SAFE,
        before=[Patch("plumbing/outbox.py", "text, digest_of(detail))", "text)")],
    ),
    Change(
        "items get a digest, and those without one are not accepted",
        [Patch("plumbing/step.py", "if former or state.outbox.digest:", "if True:")],
        UNSAFE,
        before=[Patch("plumbing/outbox.py", "text, digest_of(detail))", "text)")],
        why="orders of the release before have none",
    ),
    Change(
        "the digest is another one",
        [Patch("plumbing/event.py", "hashlib.sha256", "hashlib.sha512")],
        UNSAFE,
        why="stored orders have the old one",
    ),
    Change(
        "the outbox is stored under another name",
        [
            Patch("plumbing/step.py", 'item["outbox"]', 'item["last"]'),
            Patch("plumbing/step.py", 'sets["outbox"]', 'sets["last"]'),
            Patch("plumbing/step.py", '(*sets, "outbox", compared', '(*sets, "last", compared'),
            Patch("plumbing/step.py", "#outbox.#", "#last.#"),
            Patch("services/create_order/orders.py", '"outbox"', '"last"'),
            Patch(
                "services/resume_orders/orders.py",
                "    outbox: OutboxEvent\n",
                '    outbox: OutboxEvent = msgspec.field(name="last")\n',
            ),
        ],
        UNSAFE,
        why="stored orders have it under the old name",
    ),
    Change(
        "a decision changes: another reason",
        [_decides(RESERVE, '"out of stock"', '"sold out"')],
        SAFE,
    ),
    Change(
        "the provider gets another idempotency key",
        [
            _decides(
                CHARGE,
                "idempotency_key=event.order_id",
                'idempotency_key=uuid5(event.order_id, "2")',
            ),
            _decides(CHARGE, "from uuid import UUID", "from uuid import UUID, uuid5"),
        ],
        UNSAFE,
        why="a charge that crashed before it was recorded is made again under the new key",
    ),
)

BY_NAME = {change.name: change for change in CHANGES}
