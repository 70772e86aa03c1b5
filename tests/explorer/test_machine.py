"""What can go wrong with a call and around it, and what a handler sees of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from explorer.app import Index, Table, Trigger
from explorer.calls import BreachError
from tests.explorer.tiny import Tiny, application, request, tiny

COUNTS = """
    def handle(event, context):
        add("1")
        add("1", "ends")
        return {"statusCode": 200}
"""
# What a call raised is what the handler stores.
TELLS = """
    def handle(event, context):
        try:
            {call}
            said = "done"
        except Exception as error:
            said = type(error).__name__
            response = getattr(error, "response", None) or {{}}
            said += " " + "".join(one["Code"] for one in response.get("CancellationReasons", []))
        put("seen", said=said.strip())
"""
PUBLISHES = """
    def handle(event, context):
        put("seen", said=str(publish("A", "B")))
"""
CONSUMES = """
    def handle(event, context):
        add(event["detail-type"])
"""


def told(folder: Path, call: str, fault: str, **may: int) -> Tiny:
    app = application(folder, {"post": TELLS.format(call=call)})
    return tiny(app, scenario={"may": {"faults": 1, **may}}).do(fault)


def counted(folder: Path, **may: int) -> Tiny:
    return tiny(application(folder, {"post": COUNTS}), scenario={"may": may})


def consumed(folder: Path, **may: Any) -> Tiny:
    functions = {"post": PUBLISHES, "a": CONSUMES, "b": CONSUMES}
    return tiny(application(folder, functions, {"A": "a", "B": "b"}), scenario={"may": may})


@pytest.mark.parametrize(
    ("fault", "count", "ends"),
    [
        ("", 1, 1),
        ("crash before", None, None),
        ("crash after", 1, None),
        ("timed out", 1, None),
        ("sent twice", 2, 1),
        ("sent twice, then a crash", 2, None),
        ("throttled", None, None),
        ("conflict", None, None),
    ],
)
def test_a_fault_lets_a_call_take_effect_as_often_as_its_name_says(
    tmp_path: Path, fault: str, count: int | None, ends: int | None
) -> None:
    one = counted(tmp_path, faults=2)

    one.do(fault).settle()

    assert (one.row().get("count"), one.row().get("ends")) == (count, ends)


@pytest.mark.parametrize(
    ("fault", "call", "said"),
    [
        ("timed out", "add('1')", "ReadTimeoutError"),
        ("timed out", "get('1')", "ReadTimeoutError"),
        ("throttled", "add('1')", "ThrottlingException"),
        ("conflict", "add('1')", "TransactionConflictException"),
        ("conflict", "put('1')", "TransactionConflictException"),
        ("sent twice", "add('1')", "done"),
        ("refused", "print(1 / (publish('A') == [None]))", "ZeroDivisionError"),
    ],
)
def test_a_handler_sees_a_fault_as_botocore_has_it(
    tmp_path: Path, fault: str, call: str, said: str
) -> None:
    one = told(tmp_path, call, fault).settle()

    assert one.row("seen")["said"] == said


@pytest.mark.parametrize(
    ("fault", "code"), [("throttled", "ThrottlingError"), ("conflict", "TransactionConflict")]
)
@pytest.mark.parametrize("kind", ["write", "get"])
def test_a_transaction_tells_by_its_reasons_why_it_was_cancelled(
    tmp_path: Path, fault: str, code: str, kind: str
) -> None:
    action = "Get" if kind == "get" else "Delete"
    items = [{action: {"TableName": "rows", "Key": {"id": {"S": key}}}} for key in "12"]
    call = f"dynamodb.transact_{kind}_items(TransactItems={items})"

    one = told(tmp_path, call, fault).settle()

    assert one.row("seen")["said"] == f"TransactionCanceledException {code}None"


def test_a_transaction_is_never_made_twice_by_its_client_which_sends_a_token(
    tmp_path: Path,
) -> None:
    items = [{"Delete": {"TableName": "rows", "Key": {"id": {"S": "1"}}}}]
    text = f"""
        def handle(event, context):
            dynamodb.transact_write_items(TransactItems={items})
    """

    one = tiny(application(tmp_path, {"post": text}), scenario={"may": {"faults": 1}})

    assert one.hows() == ["", "crash before", "crash after", "timed out", "throttled", "conflict"]


def test_each_entry_can_be_the_one_that_the_bus_refuses(tmp_path: Path) -> None:
    first, second = consumed(tmp_path, faults=1), consumed(tmp_path, faults=1)

    first.do("refused").settle()
    second.do("refused 1").settle()

    assert first.row("seen")["said"] == "['InternalFailure', None]"
    assert (first.row("A"), first.row("B")["count"]) == ({}, 1)
    assert second.row("seen")["said"] == "[None, 'InternalFailure']"
    assert (second.row("A")["count"], second.row("B")) == (1, {})


def test_a_refusal_in_part_can_be_followed_by_a_crash(tmp_path: Path) -> None:
    one = consumed(tmp_path, faults=2)

    one.do("refused, then a crash").settle()

    assert (one.row("seen"), one.row("A"), one.row("B")["count"]) == ({}, {}, 1)


@pytest.mark.parametrize("crashes", [False, True])
def test_what_is_lost_is_published_for_its_handler_and_reaches_nobody(
    tmp_path: Path, crashes: bool
) -> None:
    one = consumed(tmp_path, losses=1, faults=1)

    one.do("lost, then a crash" if crashes else "lost").settle()

    assert bool(one.row("seen")) is not crashes
    assert [event["detail-type"] for event in one.view.published] == ["A", "B"]
    assert (one.row("A"), one.row("B")) == ({}, {})


@pytest.mark.parametrize("fault", ["late", "late, then a crash"])
def test_a_late_call_can_take_effect_after_its_successor_has_run(
    tmp_path: Path, fault: str
) -> None:
    text = """
        def handle(event, context):
            put("1", by=str(event["detail"]["n"]))
    """
    publishes = "def handle(event, context): publish('A', n=1)"
    app = application(tmp_path, {"post": publishes, "a": text}, {"A": "a"})
    one = tiny(app, scenario={"may": {"late": 1, "faults": 1, "duplicates": 1}}).do()

    one.do(fault, of="a")

    assert one.seen["late"] == ["puts into rows"]
    assert (one.row(), one.seen["queue"]) == ({}, ["A for a, try 2"])
    one.do(of="a")
    assert one.moves("arrive")
    one.do(what="arrive")
    assert (one.row()["by"], one.seen["late"]) == ("1", [])


def test_a_duplicate_of_whatever_was_published_is_delivered_at_any_time(tmp_path: Path) -> None:
    one = consumed(tmp_path, duplicates=1)
    assert not one.moves("duplicates")

    one.do().do(of="a").do(of="b")

    assert len(one.moves("duplicates")) == 2
    one.do(what="duplicates").settle()
    assert (one.row("A")["count"], one.row("B")["count"]) == (2, 1)
    assert not one.moves("duplicates")


def test_a_forgery_is_delivered_and_is_not_published(tmp_path: Path) -> None:
    functions = {"post": PUBLISHES, "a": CONSUMES}
    forged = {"source": "evil", "detail-type": "A", "detail": {"id": "1"}}
    app = application(tmp_path, functions, {"A": "a"})
    one = tiny(app, scenario={"forged": [forged], "may": {"forgeries": 1}})

    one.do(what="forgeries").do(of="a")

    assert (one.row("A")["count"], one.view.published) == (1, [])
    assert not one.moves("forgeries")


def test_a_request_is_sent_once_more_and_its_client_does_nothing_on_its_response(
    tmp_path: Path,
) -> None:
    failing = "def handle(event, context): add('1'); return {'statusCode': 500}"
    app = application(tmp_path, {"post": failing})
    one = tiny(app, requests=[request(tries=2)], scenario={"may": {"resends": 1}})

    one.settle()
    assert one.row()["count"] == 2
    one.do(what="resends").settle()

    assert one.row()["count"] == 3
    assert not one.moves("resends")


def test_only_the_scenarios_own_requests_are_resent_whatever_else_was_explored(
    tmp_path: Path,
) -> None:
    failing = "def handle(event, context): get('1'); return {'statusCode': 500}"
    app = application(tmp_path, {"post": failing})
    looks = request(tries=2, following=lambda sent, response: {"id": "look"})
    one = tiny(app, requests=[looks], scenario={"may": {"resends": 1}})
    before = one.moves("resends")

    one.do()
    one.state = one.machine.start

    assert one.moves("resends") == before


def test_a_failed_message_can_be_redriven_and_is_then_tried_as_often_again(tmp_path: Path) -> None:
    functions = {"post": "def handle(event, context): publish('A')", "a": "handle = lambda *_: 1/0"}
    app = application(tmp_path, functions, {"A": "a"}, {"a": {"retries": 1}})
    one = tiny(app, strict=False, scenario={"may": {"redrives": 1}}).settle()
    assert one.seen["failed"] == ["A for a, try 1"]

    one.do(what="redrives")

    assert (one.seen["queue"], one.seen["failed"]) == (["A for a, try 1"], [])
    assert one.settle().seen["failed"] == ["A for a, try 1"]
    assert not one.moves("redrives")


def test_indexes_and_weak_reads_lag_until_they_catch_up(tmp_path: Path) -> None:
    text = """
        def handle(event, context):
            found = dynamodb.query(
                TableName="rows", IndexName="all", KeyConditionExpression="kind = :k",
                ExpressionAttributeValues={":k": {"S": "row"}})
            said = [len(found["Items"]), len(get("1")), len(get("1", ConsistentRead=True))]
            put("seen", said=str(said))
    """
    table = Table("rows", "id", indexes={"all": Index("kind")})
    writes = "def handle(event, context): put('1', kind='row')"
    app = application(tmp_path, {"post": writes, "reads": text}, tables=[table])
    reads = {"reads": Trigger("reads", {})}
    one = tiny(app, triggers=reads, scenario={"may": {"lags": 1, "reads": 1}})
    one.do(what="lags").do().do(what="reads")
    behind = Tiny(one.machine)
    behind.state = one.state

    for _ in range(4):
        behind.do(of="reads")
    one.do(what="catch up")
    for _ in range(4):
        one.do(of="reads")

    assert behind.row("seen")["said"] == "[0, 0, 2]"
    assert one.row("seen")["said"] == "[1, 2, 2]"


TIMES = """
    import datetime
    def handle(event, context):
        put(event["id"], at=datetime.datetime.now(datetime.UTC).isoformat())
"""


def test_time_passes_by_waits_and_days_and_by_nothing_else(tmp_path: Path) -> None:
    app = application(tmp_path, {"post": TIMES})
    requests = [request(event={"id": "1"}), request(event={"id": "2"})]
    may = {"waits": 1, "days": 1}
    one = tiny(app, requests=requests, scenario={"may": may}, wait=timedelta(minutes=7))

    one.do().do(what="days").do(what="waits").do()

    assert sorted(one.row(key)["at"] for key in "12") == [
        "2026-01-31T09:00:00+00:00",
        "2026-02-01T09:07:00+00:00",
    ]


def test_no_time_passes_while_a_handler_is_half_way(tmp_path: Path) -> None:
    one = counted(tmp_path, waits=1, days=1)
    assert one.moves("waits")
    assert one.moves("days")

    one.do()

    assert not one.moves("waits")
    assert not one.moves("days")


def test_an_invocation_can_be_on_a_machine_whose_clock_is_off(tmp_path: Path) -> None:
    app = application(tmp_path, {"post": TIMES})
    one = tiny(app, scenario={"may": {"skews": 1}}, skew=timedelta(minutes=2))
    told = set()

    for move in one.moves():
        other = Tiny(one.machine)
        other.state = one.machine.after(one.state, move)
        told.add((other.row()["at"][11:16], one.machine.spent(other.state, "skews")))

    assert told == {("09:00", 0), ("09:02", 1), ("08:58", 1)}


def test_the_clock_of_a_function_can_be_ahead(tmp_path: Path) -> None:
    clocks = {"post": timedelta(hours=1)}
    one = tiny(application(tmp_path, {"post": TIMES}), scenario={"clocks": clocks})

    one.do()

    assert one.row()["at"] == "2026-01-31T10:00:00+00:00"


@pytest.mark.parametrize("reduced", [True, False])
@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_so_many_invocations_run_at_once_and_no_more(
    tmp_path: Path, at_once: int, reduced: bool
) -> None:
    app = application(tmp_path, {"post": COUNTS})
    requests = [request(event={"id": key}) for key in "1234"]
    one = tiny(app, requests=requests, reduced=reduced, scenario={"at_once": at_once})
    most, states, waiting = 0, {one.state}, [one.state]

    while waiting:
        state = waiting.pop()
        most = max(most, len(state.running))
        for move in one.machine.moves(state):
            after = one.machine.after(state, move)
            if after not in states:
                states.add(after)
                waiting.append(after)

    assert most == at_once


def test_what_a_scenario_does_not_allow_does_not_happen(tmp_path: Path) -> None:
    one = consumed(tmp_path)

    assert one.hows() == [""]
    one.settle()
    assert not list(one.machine.moves(one.state))


def test_a_scenario_that_allows_what_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing is named earthquakes"):
        counted(tmp_path, earthquakes=1)


# Failures, retries, and clients


def failing(folder: Path, **options: Any) -> Tiny:
    """Return a handler that publishes, and one that fails on what it publishes."""
    functions = {
        "post": "def handle(event, context): publish('A')",
        "a": "def handle(event, context): get('1'); add('1'); 1 / 0",
    }
    return tiny(application(folder, functions, {"A": "a"}, {"a": {"retries": 1}}), **options)


def test_an_event_is_tried_again_as_often_as_its_function_says_and_then_failed(
    tmp_path: Path,
) -> None:
    one = failing(tmp_path, strict=False).do()
    queues = []

    while one.moves():
        queues.append(one.seen["queue"] + one.seen["running"])
        one.do()

    assert queues[0] == ["A for a, try 1"]
    assert ["A for a, try 2"] in queues
    assert one.row()["count"] == 2
    assert one.seen["failed"] == ["A for a, try 1"]


def test_a_handler_that_fails_by_itself_is_reported(tmp_path: Path) -> None:
    one = failing(tmp_path).settle()

    assert one.state.wrong == (
        "A fails 2 times at a, by itself: ZeroDivisionError: division by zero",
    )


@pytest.mark.parametrize(("faults", "wrong"), [(0, 1), (1, 0), (2, 0)])
def test_a_request_that_fails_by_itself_is_reported(
    tmp_path: Path, faults: int, wrong: int
) -> None:
    app = application(tmp_path, {"post": "def handle(event, context): add('1'); 1 / 0"})
    one = tiny(app, requests=[request(tries=2)], scenario={"may": {"faults": faults}})

    for _ in range(faults):
        one.do("throttled")
    one.settle()

    reported = "the request fails at post, by itself: ZeroDivisionError: division by zero"
    assert one.state.wrong == (reported,) * wrong


def test_a_handler_that_fails_where_faults_explain_it_is_not_reported(tmp_path: Path) -> None:
    functions = {
        "post": "def handle(event, context): publish('A')",
        "a": "def handle(event, context): add('1')",
    }
    app = application(tmp_path, functions, {"A": "a"}, {"a": {"retries": 1}})
    one = tiny(app, scenario={"may": {"faults": 2}}).do()

    one.do("throttled").do("crash before")

    assert (one.seen["failed"], one.state.wrong) == (["A for a, try 1"], ())


def test_a_handler_that_refuses_a_forged_event_is_not_reported(tmp_path: Path) -> None:
    forged = {"source": "evil", "detail-type": "A", "detail": {}}
    one = failing(tmp_path, scenario={"forged": [forged], "may": {"forgeries": 1}}, requests=[])

    one.do(what="forgeries").settle()

    assert (one.seen["failed"], one.state.wrong) == (["A for a, try 1"], ())


def test_a_client_sends_again_until_it_is_content(tmp_path: Path) -> None:
    text = """
        def handle(event, context):
            add("1")
            return {"statusCode": 500 if int(get("1")["count"]) < 3 else 201}
    """
    app = application(tmp_path, {"post": text})
    often, seldom = (tiny(app, requests=[request(tries=tries)]) for tries in (5, 2))

    often.settle()
    seldom.settle()

    assert (often.row()["count"], seldom.row()["count"]) == (3, 2)
    assert [one.what for one in often.view.outcomes] == ["done"]
    assert not seldom.view.outcomes


def test_a_client_can_look_before_it_sends_again(tmp_path: Path) -> None:
    text = """
        def handle(event, context):
            add(event["does"])
            return {"statusCode": 503 if event["does"] == "post" else 200, "of": event["does"]}
    """

    def following(sent: Any, response: Any) -> Any:
        return {"does": "look"} if sent["does"] == "post" else None

    def accepted(sent: Any, response: Any) -> bool:
        return bool(response["of"] == "look")

    posted = request(event={"does": "post"}, tries=3, following=following, accepted=accepted)
    one = tiny(application(tmp_path, {"post": text}), requests=[posted]).settle()

    assert (one.row("post")["count"], one.row("look")["count"]) == (1, 1)
    assert [one.view.request(outcome) for outcome in one.view.outcomes] == [{"does": "look"}]


def test_a_client_has_no_response_of_a_handler_that_raises_or_crashes(tmp_path: Path) -> None:
    responses = []
    text = "def handle(event, context): add('1'); raise LookupError('gone')"

    def following(sent: Any, response: Any) -> Any:
        responses.append(response)

    app = application(tmp_path, {"post": text})
    posted = request(following=following, tries=2)
    raised = tiny(app, requests=[posted]).settle()
    crashed = tiny(app, requests=[posted], scenario={"may": {"faults": 1}}).do("crash after")

    assert responses == [None, None]
    assert [one.what for one in raised.view.outcomes] == ["raised"]
    assert not crashed.view.outcomes


def test_an_alarm_that_a_handler_prints_is_noted(tmp_path: Path) -> None:
    text = "def handle(event, context): add('1'); print('stuckOrders 1')"

    one = tiny(application(tmp_path, {"post": text}), alarms=["stuckOrders"]).settle()

    assert "alarm" in [outcome.what for outcome in one.view.outcomes]


def test_a_handler_that_keeps_something_between_events_is_a_breach(tmp_path: Path) -> None:
    text = """
        count = 0
        def handle(event, context):
            global count
            count += 1
            put(str(count))
            put("1")
    """
    one = tiny(application(tmp_path, {"post": text}))

    with pytest.raises(BreachError, match=r"makes another call at .* it keeps something between"):
        one.settle()


def test_a_handler_that_makes_fewer_calls_when_it_is_run_again_is_a_breach(tmp_path: Path) -> None:
    text = """
        SEEN = []

        def handle(event, context):
            if not SEEN:
                SEEN.append(event)
                put("1")
    """
    one = tiny(application(tmp_path, {"post": text}))

    with pytest.raises(BreachError, match=r"post makes no call at .* it keeps something between"):
        one.do()


def test_a_trigger_is_not_tried_again(tmp_path: Path) -> None:
    triggers = {"tick": Trigger("post", {}, "the schedule ticks")}
    app = application(tmp_path, {"post": "def handle(event, context): add('1'); 1 / 0"})
    one = tiny(app, requests=[], triggers=triggers, scenario={"may": {"tick": 1}})

    one.do(what="tick").settle()

    assert (one.row()["count"], one.seen["failed"]) == (1, [])
