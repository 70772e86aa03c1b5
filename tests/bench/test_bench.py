"""Where the benchmark could lie: units, percentiles, and what is counted on the wire."""

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise, permutations
from typing import Any

import boto3
import pytest

from bench import page, results
from bench.spread import percentile, spread, turns
from bench.stand_ins import Handler, Server
from bench.units import Index, read_units, size, write_units
from bench.wire import Wire
from harness.emulator import ROOT

OPEN = Index(["shard", "since"], ["id", "shard", "since", "due"])


def item(**values: str) -> dict[str, dict[str, str]]:
    return {name: {"S": value} for name, value in values.items()}


def test_the_committed_page_is_that_of_the_committed_figures() -> None:
    docs = ROOT / "docs"

    built = page.build(results.load(docs / "performance.json"))

    assert (docs / "performance.md").read_text() == built, "run `python -m bench --page`"


def test_an_item_has_the_bytes_of_its_names_and_values() -> None:
    stored: dict[str, dict[str, Any]] = {
        "id": {"S": "é"},  # 2 + 2
        "price": {"N": "-1998"},  # 5 + 2 of digits, 1 of exponent, 1 of sign
        "gone": {"NULL": True},  # 4 + 1
        "tags": {"L": [{"S": "ab"}, {"N": "7"}]},  # 4 + 3, 1 + 2, 1 + 2
        "more": {"M": {"x": {"BOOL": False}}},  # 4 + 3, 1 + 1 + 1
    }

    assert size(stored) == 4 + 9 + 5 + 13 + 10


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (None, item(id="1"), 1),
        (item(id="1"), item(id="1", text="x" * 1024), 2),
        (item(id="1", text="x" * 1024), item(id="1"), 2),
        (None, item(id="1", shard="a", since="9"), 2),
        (item(id="1", shard="a", since="9"), item(id="1", shard="a", since="9", note="n"), 1),
        (item(id="1", shard="a", since="9"), item(id="1", shard="a", since="9", due="1"), 2),
        (item(id="1", shard="a", since="9"), item(id="1", shard="b", since="9"), 3),
        (item(id="1", shard="a", since="9"), item(id="1", since="9"), 2),
        (item(id="1"), None, 1),
        (None, None, 1),
    ],
    ids=[
        "new",
        "grows past a unit",
        "shrinks below a unit",
        "new, and in the index",
        "a change that the index does not have",
        "a change that the index has",
        "another key in the index",
        "leaves the index",
        "deleted",
        "refused where nothing is",
    ],
)
def test_a_write_costs_its_larger_side_and_what_changes_in_the_index(
    before: Any, after: Any, units: int
) -> None:
    assert write_units(before, after, [OPEN]) == units


def test_a_transaction_costs_twice_and_its_index_once() -> None:
    new = item(id="1", shard="a", since="9")

    assert write_units(None, new, [OPEN], in_transaction=True) == 3


def test_a_read_costs_by_four_kilobytes_and_half_when_it_may_be_stale() -> None:
    assert [read_units(size, consistent=True) for size in (0, 4096, 4097)] == [1, 1, 2]
    assert read_units(4097, consistent=False) == 1


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(100, 0, -1)]

    assert percentile(values, 50) == 50
    assert percentile(values, 99) == 99
    assert percentile([3.0], 99) == 3
    assert (spread(values).low, spread(values).high) == (10, 90)


def test_in_each_turn_all_come_once_and_after_each_of_the_others() -> None:
    orders = list(turns("abcd", 40))

    assert all(sorted(order) == ["a", "b", "c", "d"] for order in orders)
    assert {pair for order in orders for pair in pairwise(order)} == set(permutations("abcd", 2))
    assert orders == list(turns("abcd", 40))


def test_a_ratio_is_that_of_neighbours_and_not_of_medians() -> None:
    # Their second start alone was lucky: by the medians, ours would be two thirds.
    ours, theirs = spread([10.0, 20.0, 30.0]), spread([20.0, 30.0, 60.0])

    assert ours.to(theirs) == 0.5
    assert ours.median / theirs.median > 0.6


class Emulator(Server):
    """Stores orders, as much as the wire looks at."""

    def __init__(self) -> None:
        stored: dict[str, Any] = {}
        described = {
            "Table": {
                "TableName": "orders",
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": "open",
                        "KeySchema": [{"AttributeName": "shard", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "KEYS_ONLY"},
                    }
                ],
            }
        }

        class Answering(Handler):
            def do_POST(self) -> None:
                request = json.loads(self.body())
                answer: Any = {}
                match self.headers["X-Amz-Target"].rpartition(".")[2]:
                    case "PutItem":
                        stored[request["Item"]["id"]["S"]] = request["Item"]
                    case "GetItem":
                        found = stored.get(request["Key"]["id"]["S"])
                        answer = {"Item": found} if found else {}
                    case "DescribeTable":
                        answer = described
                    case "PutEvents":
                        answer = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}] * 2}
                self.answer(200, json.dumps(answer).encode())

        super().__init__(Answering)


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Emulator() as emulator, Wire(f"http://127.0.0.1:{emulator.port}") as wire:
        yield wire


def test_the_wire_counts_what_a_client_calls_and_not_what_it_asks_itself(wire: Wire) -> None:
    session = boto3.Session("test", "test", region_name="us-east-1")
    dynamodb: Any = session.client("dynamodb", endpoint_url=wire.url)
    events: Any = session.client("events", endpoint_url=wire.url)

    dynamodb.put_item(TableName="orders", Item=item(id="1", shard="a", text="x" * 2000))
    found = dynamodb.get_item(TableName="orders", Key=item(id="1"), ConsistentRead=True)
    entry = {"Source": "orders", "DetailType": "OrderCreated", "Detail": "{}"}
    events.put_events(Entries=[entry, entry])

    assert found["Item"]["text"] == {"S": "x" * 2000}
    counted = [
        (call.operation, call.write_units, call.read_units, call.events) for call in wire.calls
    ]
    assert counted == [("PutItem", 3, 0, 0), ("GetItem", 0, 1, 0), ("PutEvents", 0, 0, 2)]
    put, get, _ = wire.calls
    assert put.bytes_sent > 2000 > put.bytes_received
    assert get.bytes_received > 2000 > get.bytes_sent


def test_a_run_of_the_sweep_on_an_endless_table_resumes_what_a_run_may() -> None:
    script = [sys.executable, "-I", str(ROOT / "bench/sweep.py")]

    ran = subprocess.run(
        [*script, "--tree", str(ROOT), "--orders", "600"],
        capture_output=True,
        text=True,
        check=True,
    )

    runs = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [run["resumed"] for run in runs] == [500, 100, 0]
    assert [run["left"] for run in runs] == [100, 0, 0]
