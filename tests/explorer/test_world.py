"""Partners, buses and queues around the handlers: what they keep, answer and deliver."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from explorer.app import Queue, Trigger
from explorer.calls import UnknownCallError
from explorer.faults import BUDGETS
from tests.explorer.tiny import Tiny, application, request, tiny

CHARGES = """
    from partner import Gateway
    gateway = Gateway()

    def handle(event, context):
        put("said", by=gateway.charge(event["id"], idempotency_key=event.get("key")))
"""


def charging(folder: Path, text: str = CHARGES, keys: Sequence[Any] = ("k",), **may: int) -> Tiny:
    requests = [request(event={"id": "1", "key": key, "n": n}) for n, key in enumerate(keys)]
    return tiny(application(folder, {"post": text}), requests=requests, scenario={"may": may})


def books(one: Tiny) -> list[tuple[str | None, str, bool, int]]:
    acts = one.view.acts("post.gateway")
    return [(act.key, act.text, act.effect, act.times) for act in acts]


def test_a_partner_answers_each_of_what_it_can_answer(tmp_path: Path) -> None:
    paid, declined = charging(tmp_path), charging(tmp_path)

    assert paid.hows() == ["answers 0", "answers 1"]
    paid.do("answers 0").do()
    declined.do("answers 1").do()

    assert (paid.row("said")["by"], declined.row("said")["by"]) == ("paid", "declined")
    assert books(paid) == [("k", "'paid'", True, 0)]
    assert books(declined) == [("k", "'declined'", False, 0)]


def test_a_partner_answers_the_same_under_the_same_key(tmp_path: Path) -> None:
    one = charging(tmp_path, keys=["k", "k"]).do("answers 1")

    assert one.hows() == ["", ""]
    one.settle()

    assert books(one) == [("k", "'declined'", False, 0)]


def test_without_a_key_a_partner_does_it_each_time(tmp_path: Path) -> None:
    one = charging(tmp_path, keys=[None, None]).settle()

    assert books(one) == [(None, "'paid'", True, 0), (None, "'paid'", True, 1)]


@pytest.mark.parametrize(
    ("fault", "effects"),
    [
        ("crash before", 0),
        ("unreachable", 0),
        ("crash after, answers 0", 1),
        ("timed out, answers 0", 1),
        ("sent twice, answers 0", 1),
    ],
)
def test_a_fault_lets_a_partner_act_as_its_name_says(
    tmp_path: Path, fault: str, effects: int
) -> None:
    one = charging(tmp_path, faults=1).do(fault).settle()

    assert len(books(one)) == effects
    assert bool(one.row("said")) is (fault == "sent twice, answers 0")


def test_a_partner_without_a_key_acts_twice_for_a_client_that_sends_twice(tmp_path: Path) -> None:
    one = charging(tmp_path, keys=[None], faults=1).do("sent twice, answers 0")

    assert [times for *_, times in books(one)] == [0, 1]


@pytest.mark.parametrize(("answer", "effect"), [("answers 0", True), ("answers 1", False)])
def test_a_partner_that_is_asked_late_answers_each_of_what_it_can_answer(
    tmp_path: Path, answer: str, effect: bool
) -> None:
    one = charging(tmp_path, late=1).do("late")

    one.do(answer, what="arrive")

    assert [act[2] for act in books(one)] == [effect]


@pytest.mark.parametrize(("kind", "error"), [("unreachable", "Connection"), ("timed out", "Tim")])
def test_a_handler_sees_that_a_partner_did_not_answer(
    tmp_path: Path, kind: str, error: str
) -> None:
    text = CHARGES.replace(
        "    put(",
        """    try:
            gateway.charge("1", idempotency_key="k")
        except OSError as error:
            return put("said", by=type(error).__name__)
        put(""",
    )
    one = charging(tmp_path, text, faults=1)

    one.do("unreachable" if kind == "unreachable" else "timed out, answers 0").settle()

    assert one.row("said")["by"].startswith(error)


def test_after_a_day_a_partner_has_forgotten_its_keys_and_may_do_it_again(tmp_path: Path) -> None:
    one = charging(tmp_path, keys=["k"], days=1, resends=1).do("answers 0").do()

    one.do(what="days").do(what="resends")

    assert one.hows() == ["answers 0", "answers 1"]
    one.do("answers 0")
    assert sorted(books(one)) == [("k", "'paid'", True, 0), ("k", "'paid'", True, 1)]


def test_a_partner_can_change_its_mind_after_it_has_forgotten(tmp_path: Path) -> None:
    one = charging(tmp_path, days=1, resends=1).do("answers 1").do()

    one.do(what="days").do(what="resends").do("answers 0")

    assert sorted(books(one)) == [("k", "'declined'", False, 0), ("k", "'paid'", True, 0)]


@pytest.mark.parametrize(("answer", "found"), [("0", "paid"), ("1", "None")])
def test_an_enquiry_finds_what_was_done_also_after_it_is_forgotten(
    tmp_path: Path, answer: str, found: str
) -> None:
    text = """
        from partner import Gateway
        gateway = Gateway()

        def handle(event, context):
            if "said" in str(get("said")):
                return put("found", by=str(gateway.find("k")))
            put("said", by=gateway.charge("1", idempotency_key="k"))
    """
    one = charging(tmp_path, text, days=1, resends=1).do().do(f"answers {answer}").do()
    assert one.row("said")

    one.do(what="days").do(what="resends").settle()

    assert one.row("found")["by"] == found


# EventBridge


def test_an_event_reaches_every_target_of_every_rule_that_matches(tmp_path: Path) -> None:
    functions = {
        "post": "def handle(event, context): publish('A', 'B')",
        "a": "def handle(event, context): add('a')",
        "b": "def handle(event, context): add('b')",
    }

    one = tiny(application(tmp_path, functions, {"A": ["a", "b"]})).settle()

    assert (one.row("a")["count"], one.row("b")["count"]) == (1, 1)


@pytest.mark.parametrize(("fresh_ids", "ids"), [(True, 2), (False, 1)])
def test_an_event_that_is_published_again_is_delivered_again_with_another_id(
    tmp_path: Path, fresh_ids: bool, ids: int
) -> None:
    functions = {
        "post": "def handle(event, context): [publish('A') for _ in range(3)]",
        "a": "def handle(event, context): add('1'); add(event['id'])",
    }
    app = replace(application(tmp_path, functions, {"A": "a"}), fresh_ids=fresh_ids)

    one = tiny(app).settle()

    published = {event["id"] for event in one.view.published}
    assert len(one.view.published) == len(published) == ids
    assert {row["id"] for row in one.view.items("rows").values()} == {"1", *published}
    assert one.row()["count"] == 3


# SQS

WORKS = """
    def handle(event, context):
        add("invocations")
        for record in event["Records"]:
            add(json.loads(record["body"])["detail"]["id"] if record["body"][0] == "{"
                else record["body"])
"""


def working(folder: Path, post: str, work: str = WORKS, *, batch: int = 1, **options: Any) -> Tiny:
    queue = Queue("work", "work", **options.pop("queue", {}))
    app = application(
        folder,
        {"post": f"def handle(event, context): {post}", "work": work},
        {"A": "work"},
        {"work": {"batch": batch}},
        queues=[queue],
    )
    return tiny(app, **{"strict": False, **options})


def counts(one: Tiny) -> Mapping[str, int]:
    return {row["id"]: row["count"] for row in one.view.items("rows").values()}


def test_a_queue_can_be_the_target_of_a_rule(tmp_path: Path) -> None:
    one = working(tmp_path, "publish('A', id='7')").do()
    assert one.seen["queue"] == ["A for work, try 1"]

    one.settle()

    assert counts(one) == {"invocations": 1, "7": 1}


def test_a_message_that_is_sent_is_received(tmp_path: Path) -> None:
    one = working(tmp_path, "send('x', 'y')").settle()

    assert counts(one) == {"invocations": 2, "x": 1, "y": 1}


def test_a_message_that_is_sent_can_come_twice_with_one_id_of_its_own(tmp_path: Path) -> None:
    work = """
        def handle(event, context):
            [record] = event["Records"]
            add(record["messageId"])
            add("request " + context.aws_request_id)
    """
    one = working(tmp_path, "send('x')", work, scenario={"may": {"duplicates": 1}}).do(of="post")

    one.do(what="duplicates").settle()

    assert sorted(counts(one).values()) == [1, 1, 2]
    assert not one.moves("duplicates")


def test_what_is_sent_to_a_queue_of_another_app_is_not_seen_again(tmp_path: Path) -> None:
    text = "def handle(event, context): send('x')"
    app = application(tmp_path, {"post": text}, {"A": "work"}, queues=[Queue("work")])

    one = tiny(app).settle()

    assert (one.seen["queue"], one.seen["failed"], one.state.wrong) == ([], [], ())


def test_a_queue_that_nobody_declared_is_told(tmp_path: Path) -> None:
    app = application(tmp_path, {"post": "def handle(event, context): send('x')"})

    with pytest.raises(UnknownCallError, match=r"SendMessage at .* does not declare: .* none"):
        tiny(app).do()


def test_messages_come_one_by_one_or_together_as_many_as_a_batch_has(tmp_path: Path) -> None:
    def together(batch: int) -> list[int]:
        one = working(tmp_path, "send('x', 'y', 'z')", batch=batch)
        one.do(of="post").do(of="post").do(of="post")
        running = [one.machine.running[move.which] for move in one.moves(of="work")]
        return sorted(len(each.deliveries) for each in running)

    assert together(1) == [1, 1, 1]
    assert together(2) == [1, 1, 1, 2, 2, 2]
    assert together(10) == [1, 1, 1, 2, 2, 2, 3]


PARTLY = """
    def handle(event, context):
        failed = []
        for record in event["Records"]:
            add(record["body"])
            if record["body"] == "bad":
                failed.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failed}
"""


def batched(folder: Path, work: str, partial: bool = True, **options: Any) -> Tiny:
    """Return a queue of two messages, both handed over at once."""
    queue = {"partial": partial, "receives": 2}
    one = working(folder, "send('bad', 'good')", work, batch=2, queue=queue, **options)
    one.do(of="post").do(of="post")
    both = next(
        move for move in one.moves() if len(one.machine.running[move.which].deliveries) == 2
    )
    one.state = one.machine.after(one.state, both)
    return one


def test_of_a_batch_only_the_messages_that_failed_are_received_again(tmp_path: Path) -> None:
    one = batched(tmp_path, PARTLY).do()

    assert one.seen["queue"] == ["message for work, try 2"]
    one.settle()
    assert counts(one) == {"bad": 2, "good": 1}
    assert one.seen["failed"] == ["message for work, try 1"]


def test_without_partial_batch_responses_what_returns_has_done_all(tmp_path: Path) -> None:
    one = batched(tmp_path, PARTLY, partial=False).do()

    assert (one.seen["queue"], one.seen["failed"]) == ([], [])


@pytest.mark.parametrize("how", ["", "crash after"])
def test_a_batch_whose_handler_raises_or_crashes_is_received_again_as_a_whole(
    tmp_path: Path, how: str
) -> None:
    raises = """
        def handle(event, context):
            add("1")
            add("2")
            1 / 0
    """
    one = batched(tmp_path, raises, scenario={"may": {"faults": 1}})

    one.do(how, of="work")

    assert one.seen["queue"] == ["message for work, try 2"] * 2


def test_a_message_is_received_so_often_and_then_in_the_dead_letter_queue(tmp_path: Path) -> None:
    fails = "def handle(event, context): add(event['Records'][0]['attributes']" + (
        "['ApproximateReceiveCount']); 1 / 0"
    )
    one = working(tmp_path, "send('x')", fails, queue={"receives": 4}).settle()

    assert sorted(counts(one)) == ["1", "2", "3", "4"]
    assert one.seen["failed"] == ["message for work, try 1"]


def test_what_every_fault_does_is_bounded_by_a_budget_of_its_name() -> None:
    triggers = {"faults", "losses", "late"} | {"duplicates", "forgeries", "resends", "redrives"}

    assert triggers | {"lags", "waits", "days", "skews"} == BUDGETS.keys()


def test_what_was_called_is_known_by_function_operation_and_resource(tmp_path: Path) -> None:
    one = working(tmp_path, "publish('A', id='7'); send('x'); get('1')").settle()

    assert one.machine.called == {
        ("post", "events:PutEvents", "default"),
        ("post", "sqs:SendMessage", "work"),
        ("post", "dynamodb:GetItem", "rows"),
        ("work", "dynamodb:UpdateItem", "rows"),
    }


def test_a_trigger_starts_a_function_with_its_event(tmp_path: Path) -> None:
    text = "def handle(event, context): add(event['run'])"
    triggers = {"tick": Trigger("post", {"run": "daily"})}
    app = application(tmp_path, {"post": text})
    one = tiny(app, requests=[], triggers=triggers, scenario={"may": {"tick": 1}})

    one.do(what="tick").settle()

    assert (one.row("daily")["count"], one.moves("tick")) == (1, [])
