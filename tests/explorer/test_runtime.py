"""Handlers run as they are, stop at each call, and run the same again."""

import gc
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from explorer.app import Function, Partner
from explorer.calls import Answer, BreachError, Call, Ended, Failure
from explorer.runtime import Run, Runtime

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
READS = """
    import boto3

    table = boto3.client("dynamodb")

    def handle(event, context):
        found = table.get_item(TableName="orders", Key={"id": {"S": event["id"]}})
        return found.get("Item", {})
"""

Load = Callable[..., Runtime]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return a function that loads one handler, written into modules of its own."""

    def load(app: str, sources: dict[Path, str] | None = None, **options: Any) -> Runtime:
        modules = options.pop("modules", {})
        function = written(tmp_path, "charge", {"app": app, **modules}, **options)
        return Runtime([function], sources or {})

    return load


def written(folder: Path, name: str, modules: dict[str, str], **options: Any) -> Function:
    """Write the modules of a function."""
    path = folder / name
    path.mkdir()
    for module, text in modules.items():
        (path / f"{module}.py").write_text(dedent(text))
    return Function(name, "app.handle", [path], **options)


def run(
    runtime: Runtime,
    answers: Sequence[Any] = (),
    event: Any = None,
    function: str = "charge",
    **options: Any,
) -> Run:
    """Run a handler with these outputs or failures as its answers."""
    given = [
        Answer(failure=answer) if isinstance(answer, Failure) else Answer(answer)
        for answer in answers
    ]
    return runtime.run(
        function,
        {"id": "1"} if event is None else event,
        answers=given,
        **{"now": NOW, "request_id": "r", **options},
    )


def result(run: Run) -> Any:
    """Return what a handler returned."""
    assert isinstance(run.end, Ended)
    assert not run.end.error
    return run.end.result


def error(run: Run) -> str:
    """Return what a handler raised."""
    assert isinstance(run.end, Ended)
    return run.end.error


def stopped_at(run: Run) -> Call:
    """Return the call at which a handler stopped."""
    assert isinstance(run.end, Call)
    return run.end


# Calls of AWS


def test_a_handler_stops_at_the_first_call_without_an_answer(load: Load, tmp_path: Path) -> None:
    runtime = load(READS)

    stopped = run(runtime)

    call = Call("dynamodb", "GetItem", {"TableName": "orders", "Key": {"id": {"S": "1"}}})
    assert (stopped.end, stopped.calls, stopped.answers) == (call, (call,), ())
    assert stopped_at(stopped).where.endswith("charge/app.py:7")


def test_a_handler_goes_on_with_the_answers_that_it_is_given(load: Load) -> None:
    runtime = load(READS)

    ended = run(runtime, [{"Item": {"id": {"S": "1"}}}])

    assert result(ended) == {"id": {"S": "1"}}
    assert [call.operation for call in ended.calls] == ["GetItem"]


def test_a_call_may_be_answered_at_once(load: Load) -> None:
    runtime = load(READS)

    ended = run(runtime, at_once=lambda call: Answer({"Item": {"of": {"S": call.operation}}}))

    assert result(ended) == {"of": {"S": "GetItem"}}
    assert ended.answers == (Answer({"Item": {"of": {"S": "GetItem"}}}),)


def test_what_a_handler_does_to_its_event_and_its_answers_is_not_seen_outside(load: Load) -> None:
    runtime = load("""
        import boto3

        def handle(event, context):
            found = boto3.client("dynamodb").get_item(TableName="t", Key=event["key"])
            event["key"]["id"]["S"] = found["Item"]["id"]["S"] = "other"
    """)
    event, output = {"key": {"id": {"S": "1"}}}, {"Item": {"id": {"S": "1"}}}

    ended = run(runtime, [output], event)

    assert (event, output) == ({"key": {"id": {"S": "1"}}}, {"Item": {"id": {"S": "1"}}})
    assert ended.calls[0].parameters["Key"] == {"id": {"S": "1"}}


def test_a_resource_of_boto3_writes_and_reads_plain_values(load: Load) -> None:
    runtime = load("""
        from decimal import Decimal

        import boto3
        from boto3.dynamodb.conditions import Attr

        table = boto3.resource("dynamodb").Table("orders")

        def handle(event, context):
            table.put_item(
                Item={"id": "1", "cents": Decimal(5)}, ConditionExpression=Attr("id").not_exists()
            )
            return table.get_item(Key={"id": "1"})["Item"]
    """)

    ended = run(runtime, [{}, {"Item": {"id": {"S": "1"}, "cents": {"N": "5"}}}])

    assert result(ended) == {"id": "1", "cents": 5}
    assert ended.calls[0].parameters == {
        "TableName": "orders",
        "Item": {"id": {"S": "1"}, "cents": {"N": "5"}},
        "ConditionExpression": "attribute_not_exists(#n0)",
        "ExpressionAttributeNames": {"#n0": "id"},
    }


def test_a_paginator_makes_a_call_for_each_page(load: Load) -> None:
    runtime = load("""
        import boto3

        def handle(event, context):
            pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName="orders")
            return [item["id"]["S"] for page in pages for item in page["Items"]]
    """)
    first = {"Items": [{"id": {"S": "1"}}], "LastEvaluatedKey": {"id": {"S": "1"}}}

    ended = run(runtime, [first, {"Items": [{"id": {"S": "2"}}]}])

    assert result(ended) == ["1", "2"]
    assert ended.calls[1].parameters["ExclusiveStartKey"] == {"id": {"S": "1"}}


def test_a_failure_of_aws_is_raised_by_the_class_of_its_code(load: Load) -> None:
    runtime = load("""
        import boto3

        table = boto3.client("dynamodb")

        def handle(event, context):
            try:
                table.put_item(TableName="orders", Item={"id": {"S": "1"}})
            except table.exceptions.ConditionalCheckFailedException as error:
                return error.response["Item"]
    """)
    stored = {"id": {"S": "1"}}
    code = "ConditionalCheckFailedException"

    refused = run(runtime, [Failure("aws", code, "no", {"Item": stored})])
    throttled = run(runtime, [Failure("aws", "InternalFailure", "slow down")])

    assert result(refused) == stored
    assert error(throttled) == (
        "ClientError: An error occurred (InternalFailure) when calling the PutItem operation:"
        " slow down"
    )


@pytest.mark.parametrize(
    ("kind", "raised"),
    [("timeout", "ReadTimeoutError"), ("unreachable", "EndpointConnectionError")],
)
def test_no_response_is_the_error_that_botocore_raises(load: Load, kind: str, raised: str) -> None:
    runtime = load(READS)

    ended = run(runtime, [Failure(kind)])

    assert error(ended).startswith(raised)


def test_parameters_are_validated_as_botocore_does(load: Load) -> None:
    runtime = load("""
        import boto3

        def handle(event, context):
            boto3.client("dynamodb").get_item(TableName="orders", Key={"id": "1"})
    """)

    ended = run(runtime)

    assert error(ended).startswith("ParamValidationError: Parameter validation failed:\nInvalid")
    assert ended.calls == ()


def test_once_stopped_a_handler_makes_no_other_call(load: Load) -> None:
    runtime = load("""
        import boto3

        table = boto3.client("dynamodb")

        def handle(event, context):
            try:
                table.get_item(TableName="orders", Key={"id": {"S": "1"}})
            finally:
                table.delete_item(TableName="locks", Key={"id": {"S": "1"}})
    """)

    stopped = run(runtime)

    assert [call.operation for call in stopped.calls] == ["GetItem"]


def test_a_handler_that_goes_on_after_it_was_stopped_is_a_breach(load: Load) -> None:
    runtime = load("""
        import boto3

        def handle(event, context):
            try:
                boto3.client("dynamodb").list_tables()
            except BaseException:
                return "done"
    """)

    with pytest.raises(BreachError, match=r"charge: .*ListTables.*let it catch Exception"):
        run(runtime)


def test_a_call_while_a_module_is_imported_is_a_breach(load: Load) -> None:
    with pytest.raises(BreachError, match=r"charge: calls dynamodb.ListTables while it"):
        load("""
            import boto3

            tables = boto3.client("dynamodb").list_tables()
        """)


# Results


def test_a_result_is_what_lambda_makes_of_it(load: Load) -> None:
    runtime = load("""
        from decimal import Decimal

        def handle(event, context):
            return {"total": Decimal("1.5"), "parts": (1, 2), "other": event.get("other") and {1}}
    """)

    assert result(run(runtime)) == {"total": 1.5, "parts": [1, 2], "other": None}
    assert error(run(runtime, event={"other": True})).startswith("Runtime.MarshalError")


def test_an_error_is_told_with_its_class(load: Load) -> None:
    runtime = load("""
        import sys

        def handle(event, context):
            sys.exit(3) if event["exits"] else 1 / 0
    """)

    assert error(run(runtime, event={"exits": False})) == "ZeroDivisionError: division by zero"
    assert error(run(runtime, event={"exits": True})) == "SystemExit: 3"


def test_what_a_handler_writes_and_logs_is_kept_and_not_printed(
    load: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime = load("""
        import logging
        import sys

        handler = logging.StreamHandler(sys.stdout)
        mine = logging.getLogger("mine")
        mine.addHandler(handler)
        mine.propagate = False
        print("imported")

        def handle(event, context):
            print("to stdout")
            print("to stderr", file=sys.stderr)
            logging.getLogger().warning("by the root")
            mine.error("by a logger")
    """)

    runs = [run(runtime), run(runtime)]

    lines = ("to stdout", "to stderr", "[WARNING]\tby the root", "by a logger")
    assert [ended.end for ended in runs] == [Ended(printed=lines)] * 2
    assert capsys.readouterr() == ("", "")


def test_the_context_is_that_of_lambda(load: Load) -> None:
    runtime = load("""
        import time

        def handle(event, context):
            time.sleep(1.5)
            return [
                context.function_name, context.aws_request_id, context.memory_limit_in_mb,
                context.invoked_function_arn, context.get_remaining_time_in_millis(),
            ]
    """)

    ended = run(runtime, request_id="r-1")

    arn = "arn:aws:lambda:us-east-1:123456789012:function:charge"
    assert result(ended) == ["charge", "r-1", "128", arn, 18_500]


# Time, ids and chance


def test_the_clock_is_that_of_the_run_and_sleep_lets_it_pass(load: Load) -> None:
    runtime = load("""
        import time
        from datetime import date, datetime, timezone
        from time import monotonic, perf_counter, sleep

        def handle(event, context):
            before = time.time(), monotonic(), perf_counter()
            sleep(2.5)
            passed = [time.time() - before[0], monotonic() - before[1], perf_counter() - before[2]]
            return passed, [
                datetime.now(timezone.utc).isoformat(),
                datetime.now().isoformat(),
                date.today().isoformat(),
                time.time_ns(),
            ]
    """)

    passed, times = result(run(runtime))

    later = NOW + timedelta(seconds=2.5)
    naive = later.replace(tzinfo=None).isoformat()
    assert passed == [2.5] * 3
    assert times == [
        later.isoformat(),
        naive,
        "2026-01-31",
        int(later.timestamp() * 10) * 100_000_000,
    ]


def test_a_handler_that_sleeps_for_too_long_is_timed_out(load: Load) -> None:
    runtime = load("""
        import time

        def handle(event, context):
            while True:
                try:
                    time.sleep(7)
                except Exception:
                    pass
    """)

    ended = run(runtime)

    assert error(ended) == "Task timed out after 20.00 seconds"


MAKES_IDS = """
    import os
    import random
    import secrets
    import uuid
    from random import Random, SystemRandom, gauss, uniform
    from uuid import uuid4

    def handle(event, context):
        return [
            str(uuid4()), str(uuid.uuid1()), os.urandom(4).hex(), secrets.token_hex(4),
            random.random(), uniform(0, 1), gauss(0, 1), random.choice(range(10**6)),
            Random().random(), SystemRandom().random(), random.sample(range(10**6), 3),
        ]
"""


def test_the_same_run_makes_the_same_ids_and_draws_the_same_lots(load: Load) -> None:
    runtime = load(MAKES_IDS)

    runs = [result(run(runtime)) for _ in range(2)]

    assert runs[0] == runs[1]
    assert len({str(value) for value in runs[0]}) == len(runs[0])


@pytest.mark.parametrize("other", [{"request_id": "s"}, {"event": {"id": "2"}}, {"attempt": 2}])
def test_another_run_makes_other_ids(load: Load, other: dict[str, Any]) -> None:
    runtime = load(MAKES_IDS)

    one, another = result(run(runtime)), result(run(runtime, **other))

    # uuid1 has the time and the node beside its chance.
    assert all(a != b for a, b in zip(one, another, strict=True))


def test_asyncio_runs_on_the_clock_of_the_run(load: Load) -> None:
    runtime = load("""
        import asyncio
        from datetime import datetime

        async def work(name, seconds):
            await asyncio.sleep(seconds)
            return name, datetime.now().second

        async def all_work():
            return await asyncio.gather(work("slow", 3), work("fast", 1))

        def handle(event, context):
            return asyncio.run(all_work())
    """)

    assert result(run(runtime)) == [["slow", 3], ["fast", 1]]


# Isolation


def test_functions_have_modules_of_the_same_name_each_with_its_own_state(tmp_path: Path) -> None:
    app = """
        import shared

        def handle(event, context):
            from lazy import name
            shared.count += 1
            return [shared.count, name]
    """
    functions = [
        written(tmp_path, name, {"app": app, "shared": "count = 0", "lazy": f"name = {name!r}"})
        for name in ("one", "two")
    ]
    runtime = Runtime(functions)

    results = [result(run(runtime, function=name)) for name in ("one", "two", "one")]

    assert results == [[1, "one"], [1, "two"], [2, "one"]]


def test_functions_have_loggers_of_the_same_name_each_with_its_own_handlers(tmp_path: Path) -> None:
    app = """
        import logging
        import sys

        logger = logging.getLogger("service")
        if not logger.handlers:
            logger.addHandler(logging.StreamHandler(sys.stdout))
        logger.propagate = False

        def handle(event, context):
            logger.error("by %s", context.function_name)
    """
    runtime = Runtime([written(tmp_path, name, {"app": app}) for name in ("one", "two")])

    ends = [run(runtime, function=name).end for name in ("one", "two")]

    assert ends == [Ended(printed=("by one",)), Ended(printed=("by two",))]


def test_the_process_is_as_it_was_after_loads_and_runs(load: Load) -> None:
    def process() -> Any:
        own = {name for name in sys.modules if name in ("app", "calendar_of_mine")}
        return (
            own,
            dict(os.environ),
            list(sys.path),
            list(sys.meta_path),
            sys.stdout,
            gc.get_threshold(),
        )

    before = process()

    runtime = load(
        """
        import gc
        import os

        import calendar_of_mine

        gc.set_threshold(77_777)

        def handle(event, context):
            os.environ["LEAKS"] = "it does"
            return os.environ.get("PYTEST_CURRENT_TEST")
        """,
        modules={"calendar_of_mine": ""},
    )
    seen = result(run(runtime))

    assert process() == before
    assert seen is None
    assert abs(datetime.now(UTC) - NOW) > timedelta(days=1)


def test_a_handler_reads_its_own_environment_when_it_runs(load: Load) -> None:
    runtime = load(
        """
        import os

        def handle(event, context):
            read = os.environ["TABLE"], os.environ["AWS_REGION"]
            os.environ["TABLE"] = "changed"
            return read
        """,
        environment={"TABLE": "orders", "AWS_REGION": "eu-west-1"},
    )

    results = [result(run(runtime)) for _ in range(2)]

    assert results == [["orders", "eu-west-1"]] * 2


def test_the_text_of_a_file_can_be_another(load: Load, tmp_path: Path) -> None:
    modules = {"words": "GREETING = 'hello'"}
    app = """
        from words import GREETING

        def handle(event, context):
            return GREETING
    """

    runtime = load(app, {tmp_path / "charge" / "words.py": "GREETING = 'bye'"}, modules=modules)

    assert result(run(runtime)) == "bye"
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_line_is_that_of_the_package_of_the_handler_before_what_lies_beside(
    tmp_path: Path,
) -> None:
    function = written(tmp_path, "charge", {"shared": READS})
    package = tmp_path / "charge" / "orders"
    package.mkdir()
    (package / "app.py").write_text("import shared\n\n\ndef go(*a):\n    shared.handle(*a)\n")
    runtime = Runtime([Function("charge", "orders/app.go", function.path)])

    stopped = run(runtime)

    assert stopped_at(stopped).where.endswith("charge/orders/app.py:5")


def test_a_call_that_a_decorator_makes_is_at_the_line_of_the_handler(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = """
        import functools

        def locked(handle):
            @functools.wraps(handle)
            def locking(event, context):
                import boto3

                boto3.client("dynamodb").list_tables()

            return locking
    """
    (tmp_path / "library_of_this_test.py").write_text(dedent(library))
    monkeypatch.syspath_prepend(tmp_path)
    runtime = load("""
        from library_of_this_test import locked

        @locked
        def handle(event, context):
            pass
    """)

    stopped = run(runtime)

    assert stopped_at(stopped).where.endswith("charge/app.py:4")


# Partners

GATEWAY = """
    class Charged:
        def __init__(self, key):
            self.key = key

        def __repr__(self):
            return f"Charged({self.key})"

    class Gateway:
        remembers = 23

        def charge(self, key, amount=5):
            return Charged(key)

        def find(self, key):
            return None

        def refund(self, key):
            return None
"""
CHARGES = """
    from gateway import Charged, Gateway

    gateway = Gateway()

    def handle(event, context):
        if event.get("refunds"):
            try:
                gateway.refund("k")
            except Exception:
                return None
        found = gateway.find(key="k")
        charged = found or gateway.charge("k")
        return [repr(charged), isinstance(charged, Charged), gateway.remembers]
"""
DECLARED = """
    from types import SimpleNamespace

    PARTNER = SimpleNamespace(
        act="charge",
        answers=lambda key, **_: [Charged(key), "declined"],
        effect=lambda answer: answer != "declined",
        find="find",
        key=lambda arguments: arguments["key"],
    )
"""


def charging(load: Load, **options: Any) -> Runtime:
    """Load a handler that charges by a gateway that is declared beside its code."""
    return load(CHARGES, modules={"gateway": dedent(GATEWAY) + dedent(DECLARED)}, **options)


def test_what_a_partner_does_is_a_call_with_all_that_it_may_answer(load: Load) -> None:
    runtime = charging(load)

    stopped = run(runtime, [None])

    parameters = {"key": "k", "amount": 5}
    answers = ("Charged(k)", "'declined'")
    assert stopped.calls == (
        Call("partner", "gateway.find", {"key": "k"}, key="k"),
        Call("partner", "gateway.charge", parameters, "", "k", answers, (True, False)),
    )
    assert runtime.partners["charge"]["gateway"].find == "find"


def test_an_answer_of_a_partner_is_the_value_at_its_place(load: Load) -> None:
    runtime = charging(load)

    assert result(run(runtime, [None, 0])) == ["Charged(k)", True, 23]
    assert result(run(runtime, [None, 1])) == ["'declined'", False, 23]
    assert result(run(runtime, [0])) == ["Charged(k)", True, 23]


def test_a_partner_that_does_not_respond_raises_an_error_of_python(load: Load) -> None:
    runtime = charging(load)

    assert error(run(runtime, [Failure("timeout")])).startswith("TimeoutError: gateway.find")
    assert error(run(runtime, [Failure("unreachable")])).startswith("ConnectionError")


def test_another_method_of_a_partner_is_a_breach_also_where_its_error_is_caught(load: Load) -> None:
    runtime = charging(load)

    with pytest.raises(BreachError, match=r"charge: gateway.refund is called, and its Partner"):
        run(runtime, event={"refunds": True})


def test_a_partner_may_be_a_function_and_be_declared_by_the_app(load: Load) -> None:
    runtime = load(
        """
        def charge(idempotency_key):
            raise AssertionError("never called")

        def handle(event, context):
            return charge("k")
        """,
        partners={"charge": Partner("", lambda idempotency_key: ["yes", "no"])},
    )

    assert stopped_at(run(runtime)).operation == "charge"
    assert stopped_at(run(runtime)).key == "k"
    assert result(run(runtime, [1])) == "no"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"answers": lambda amount: ["yes"]}, "its Partner raises TypeError: .* 'idempotency_key'"),
        ({"key": lambda arguments: arguments["id"]}, "its Partner raises KeyError: 'id'"),
        ({"effect": lambda answer: answer["id"]}, "its Partner raises TypeError"),
        ({"answers": lambda **_: {"id": 1}}, "its Partner answers .*: return a list of answers"),
        (
            {"answers": lambda **_: []},
            r"its Partner answers \[\]: return a list of answers, \[None",
        ),
    ],
)
def test_a_partner_that_is_declared_wrongly_is_a_breach_also_where_its_error_is_caught(
    load: Load, options: dict[str, Any], why: str
) -> None:
    runtime = load(
        """
        def charge(idempotency_key):
            raise AssertionError("never called")

        def handle(event, context):
            try:
                return charge("k")
            except Exception:
                return None
        """,
        partners={"charge": Partner("", **{"answers": lambda **_: ["yes"], **options})},
    )

    with pytest.raises(BreachError, match=f"charge: charge: {why}"):
        run(runtime)


@pytest.mark.parametrize(
    ("body", "seconds", "why"),
    [
        ("pass", 0.1, "charge: does not end, 0.1 s of the processor after it began"),
        (
            "table.delete_item(TableName='orders', Key={})",
            600,
            "charge: makes more than 1,000 calls",
        ),
    ],
)
def test_a_handler_that_does_not_end_is_a_breach(
    load: Load, body: str, seconds: float, why: str
) -> None:
    runtime = load(
        f"""
        import boto3
        table = boto3.client("dynamodb")

        def handle(event, context):
            while True:
                try:
                    {body}
                except Exception:
                    pass
        """,
        timeout=seconds,
    )

    with pytest.raises(BreachError, match=why):
        run(runtime, at_once=lambda call: Answer({}))


def test_an_error_without_a_text_is_an_error(load: Load) -> None:
    runtime = load(
        """
        class Odd(Exception):
            def __str__(self):
                raise ValueError("none")

        def handle(event, context):
            raise Odd
        """
    )

    end = run(runtime).end

    assert end == Ended(error="Odd, whose text cannot be had: ValueError")


def test_what_looks_like_a_partner_has_to_be_declared(load: Load) -> None:
    with pytest.raises(
        BreachError,
        match=r"charge: gateway may reach .* by gateway.charge or gateway.find or gateway.refund:"
        " declare it as a Partner of the function, or name it in not_partners",
    ):
        load(CHARGES, modules={"gateway": GATEWAY})


def test_what_is_no_partner_need_not_be_declared(load: Load) -> None:
    runtime = load(
        """
        import enum
        from dataclasses import dataclass
        from typing import NamedTuple

        import boto3

        class Table:
            __slots__ = ("put",)

            def __init__(self, client):
                self.put = lambda: client

            def find(self):
                return None

        class Service:
            def __init__(self, table):
                self.table = table

            def serve(self):
                return None

        @dataclass
        class Settings:
            table: str

        class Point(NamedTuple):
            x: int

        class Color(enum.Enum):
            RED = 1

            def shown(self):
                return "red"

        class Clock:
            def now(self):
                return 0

        service = Service(Table(boto3.client("dynamodb")))
        settings, point, color, clock = Settings("orders"), Point(1), Color.RED, Clock()

        def handle(event, context):
            return clock.now()
        """,
        not_partners=["clock"],
    )

    assert result(run(runtime)) == 0


def test_a_partner_that_is_declared_has_to_be_there(load: Load) -> None:
    with pytest.raises(BreachError, match=r"charge: app.handle has no gateway, which is declared"):
        load(READS, partners={"gateway": Partner("charge", lambda key: [])})


# What no exploration can follow


@pytest.mark.parametrize(
    ("does", "breach"),
    [
        ("threading.Thread(target=print).start()", "starts a thread"),
        ("subprocess.run(['true'])", "starts a process"),
        ("os.system('true')", "starts a process"),
        ("urllib.request.urlopen('http://pay.test/')", "opens a connection to pay.test:80"),
        ("socket.create_connection(('127.0.0.1', 1))", "opens a connection to 127.0.0.1:1"),
        ("with socket.socket() as s: s.connect(('10.0.0.1', 1))", "opens .* to 10.0.0.1:1"),
    ],
)
def test_what_cannot_be_repeated_is_a_breach_also_where_its_error_is_caught(
    load: Load, does: str, breach: str
) -> None:
    runtime = load(f"""
        import os, socket, subprocess, threading, urllib.request

        def handle(event, context):
            try:
                {does}
            except Exception:
                return "caught"
    """)

    with pytest.raises(BreachError, match=f"charge: {breach}"):
        run(runtime)


# This repository's own functions


def test_the_functions_of_this_saga_run_as_they_are() -> None:
    names = sorted(path.parent.name for path in ROOT.glob("services/*/handler.py"))
    environment = {
        "EVENT_BUS_NAME": "bus",
        "EVENT_SOURCE": "saga",
        "ORDERS_TABLE": "orders",
        "INVENTORY_TABLE": "inventory",
    }
    functions = [
        Function(name, f"{name}.handler.handle", [ROOT / "services", ROOT], environment)
        for name in names
    ]

    runtime = Runtime(functions)

    assert {name: [*found] for name, found in runtime.partners.items() if found} == {
        "charge_payment": ["gateway"],
        "notify_shipping": ["carrier"],
    }
    stopped = run(runtime, function="resume_orders", event={})
    assert stopped_at(stopped).where.startswith("services/resume_orders/")
    assert error(run(runtime, function="charge_payment", event={})).startswith("EnvelopeError")
