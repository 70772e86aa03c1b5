"""Tiny applications to explore: handlers of a few lines, written into a folder of the test's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

from explorer.app import App, Function, Queue, Request, Rule, Scenario, Table, send_again
from explorer.exploration import Exploration, Release
from explorer.flow import Flow, Saga, Transition
from explorer.invariants import Judge
from explorer.machine import Machine
from explorer.search import Explored, explore
from explorer.state import Move, State
from explorer.story import snapshot
from explorer.view import View

# What each handler may use: short names for what it does.
BEFORE = """
import json, os, boto3

dynamodb, bus, sqs = (boto3.client(name) for name in ("dynamodb", "events", "sqs"))

def put(id, **fields):
    item = {"id": {"S": id}, **{name: {"S": value} for name, value in fields.items()}}
    dynamodb.put_item(TableName="rows", Item=item)

def get(id, **options):
    found = dynamodb.get_item(TableName="rows", Key={"id": {"S": id}}, **options)
    return {name: next(iter(value.values())) for name, value in found.get("Item", {}).items()}

def add(id, field="count"):
    dynamodb.update_item(TableName="rows", Key={"id": {"S": id}},
                         UpdateExpression="ADD #f :1", ExpressionAttributeNames={"#f": field},
                         ExpressionAttributeValues={":1": {"N": "1"}})

def publish(*names, **detail):
    answer = bus.put_events(Entries=[
        {"Source": "tiny", "DetailType": name, "Detail": json.dumps({"id": "1", **detail})}
        for name in names])
    return [one.get("ErrorCode") for one in answer["Entries"]]

def send(*bodies):
    for body in bodies:
        sqs.send_message(QueueUrl="https://sqs/work", MessageBody=body)
"""
ROWS = Table("rows", "id")
PARTNER = '''
class Declined(Exception):
    pass

class Gateway:
    """A payment provider."""

    def charge(self, order, idempotency_key=None):
        raise NotImplementedError

    def find(self, idempotency_key):
        raise NotImplementedError

class PARTNER:
    act, find = "charge", "find"
    answers = staticmethod(lambda **_: ["paid", "declined"])
    effect = staticmethod(lambda answer: answer == "paid")
'''


def request(function: str = "post", **options: Any) -> Request:
    """Return a request that its client sends once, or as the options say."""
    event = options.pop("event", {"id": "1"})
    return Request(function, event, **{"tries": 1, "following": send_again, **options})


def function(folder: Path, name: str, text: str, **options: Any) -> Function:
    """Write a function, and the partner beside it."""
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    (path / f"{name}.py").write_text(BEFORE + dedent(text))
    (path / "partner.py").write_text(PARTNER)
    return Function(name, f"{name}.handle", [path], **options)


def rule(detail_type: str, target: str) -> Rule:
    return Rule({"detail-type": [detail_type]}, target)


def application(
    folder: Path,
    functions: Mapping[str, str],
    rules: Mapping[str, str | Sequence[str]] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    tables: Sequence[Table] = (ROWS,),
    queues: Sequence[Queue] = (),
) -> App:
    """Return an application of functions, by their names and texts.

    rules: the targets of each detail-type; options: more of a function, by its name.
    """
    return App(
        [
            function(folder, name, text, **(options or {}).get(name, {}))
            for name, text in functions.items()
        ],
        tables,
        [
            rule(detail_type, target)
            for detail_type, targets in (rules or {}).items()
            for target in ([targets] if isinstance(targets, str) else targets)
        ],
        queues,
    )


class Tiny:
    """A machine of a tiny application, and the state that it is in: the test makes the moves."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.state = machine, machine.start

    def moves(self, what: str = "call", of: str = "") -> list[Move]:
        """Return the moves of a kind that can be made now: those of a function, of any for ""."""
        found = [move for move in self.machine.moves(self.state) if move.what == what]
        return [move for move in found if not of or self._function(move) == of]

    def hows(self, of: str = "") -> list[str]:
        """Return how a call can go that is made now."""
        return [move.how for move in self.moves(of=of)]

    def do(self, how: str = "", of: str = "", what: str = "call") -> Tiny:
        """Make the first move of a kind, of a function, that goes so."""
        found = [move for move in self.moves(what, of) if move.how == how]
        assert found, (what, of, how, [*self.machine.moves(self.state)])
        self.state = self.machine.after(self.state, found[0])
        return self

    def settle(self) -> Tiny:
        """Let everything come to rest; more may still go wrong then."""
        while move := next(self.machine.going_on(self.state), None):
            self.state = self.machine.after(self.state, move)
        return self

    @property
    def view(self) -> View:
        return View(self.machine, self.state)

    def row(self, key: str = "1") -> Mapping[str, Any]:
        """Return a row; {} for none."""
        rows = self.view.items("rows").values()
        return next((row for row in rows if row["id"] == key), {})

    @property
    def seen(self) -> dict[str, Any]:
        """Return the state in plain values."""
        return snapshot(self.machine, self.state)

    def _function(self, move: Move) -> str | None:
        if move.what not in ("call", "begin"):
            return None
        return self.machine.function_of(self.machine.running[move.which].deliveries[0])


def tiny(
    app: App,
    *,
    requests: Sequence[Request] | None = None,
    reduced: bool = True,
    scenario: Mapping[str, Any] | None = None,
    **exploration: Any,
) -> Tiny:
    """Return a machine of an application, with a request to `post`, and what may go wrong."""
    tried = Scenario("tiny", [request()] if requests is None else requests, **(scenario or {}))
    explored = Exploration(app, [tried], **exploration)
    return Tiny(Machine(explored, Release(app), tried, reduced=reduced))


def found(one: Tiny, limit: int | None = 20_000) -> Explored:
    """Return what an exploration of everything finds."""
    return explore(one.machine, Judge(one.machine), limit)


def resting(machine: Machine) -> set[str]:
    """Return every state of a machine in which nothing is in progress, as text without numbers."""
    states: set[State] = {machine.start}
    waiting, texts = [machine.start], set[str]()
    while waiting:
        state = waiting.pop()
        if not (state.queue or state.running or state.late):
            texts.add(json.dumps(snapshot(machine, state), sort_keys=True, default=str))
        for move in machine.moves(state):
            after = machine.after(state, move)
            if after not in states:
                states.add(after)
                waiting.append(after)
    return texts


def saga(*transitions: Transition, **options: Any) -> Saga:
    return Saga("rows", "id", Flow(transitions), **options)
