"""Tell what happens in a schedule: as lines for a person, and as data for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explorer.calls import PARTNER, Call
from explorer.faults import LATE, WORDS
from explorer.machine import ENDS, THEN_CRASH, Machine, parted
from explorer.search import Schedule, replay
from explorer.state import Move, State
from explorer.values import to_plain_item

VERBS = {
    "GetItem": "reads",
    "PutItem": "puts into",
    "UpdateItem": "updates",
    "DeleteItem": "deletes from",
    "Query": "queries",
    "Scan": "scans",
}
FROM_OUTSIDE = {
    "duplicates": "a late duplicate of {name} is delivered to {target}",
    "forgeries": "a forged {name} is delivered to {target}",
    "resends": "the client sends its request to {target} once more",
    "redrives": "a person takes {name} out of the failure queue of {target}",
    "waits": "{minutes} minutes pass",
    "days": "a day passes, and the partners forget their idempotency keys",
    "lags": "indexes and weak reads begin to lag behind",
    "retry": "time passes, until a failed event is tried again",
    "catch up": "indexes and weak reads have caught up",
    "dead-letter": "{name} fails at {target} until it is in the failure queue",
}


@dataclass(frozen=True)
class Step:
    """Something that happened: in words, the line of code that made the call, the state after it.

    error: the error that ended a handler by it.
    """

    text: str
    where: str
    error: str
    state: Mapping[str, Any]


@dataclass(frozen=True)
class Story:
    """A schedule told; without anything that does not hold, it is one that everything survives."""

    scenario: str
    schedule: str
    broken: tuple[str, ...]
    steps: tuple[Step, ...]

    def lines(self, *, errors: bool = False, places: bool = False) -> Iterator[str]:
        """Yield it for a person, if wanted with the errors of handlers and the places of calls."""
        for number, step in enumerate(self.steps, 1):
            place = f"   [{step.where}]" if places and step.where else ""
            yield f"{number:>3}. {step.text}{place}"
            if errors and step.error:
                yield f"     {step.error}"
        yield from (f"  => {one}" for one in self.broken or ("everything holds",))

    def as_json(self) -> dict[str, Any]:
        """Return it for a program."""
        return {
            "scenario": self.scenario,
            "schedule": self.schedule,
            "broken": list(self.broken),
            "steps": [vars(step) for step in self.steps],
        }


def tell(machine: Machine, schedule: Schedule) -> Story:
    """Replay a schedule, and tell what happens; raises IndexError when it does not fit."""
    steps = []
    machine.error = machine.refusal = ""
    for move, state in replay(machine, schedule.choices):
        text, where = _words(machine, move)
        steps.append(Step(text, where, machine.error, snapshot(machine, state)))
        machine.error = machine.refusal = ""
    return Story(machine.scenario.name, str(schedule), schedule.broken, tuple(steps))


def snapshot(machine: Machine, state: State) -> dict[str, Any]:
    """Return a state in plain values: what is stored, waits, runs and failed; what partners did."""
    items: dict[str, dict[str, Any]] = {}
    for number in state.rows:
        row = machine.rows[number]
        items.setdefault(row.table, {})[row.key] = to_plain_item(row.item)
    return {
        "seconds": state.seconds,
        "items": items,
        "queue": [_delivery(machine, one) for one in state.queue],
        "running": [
            f"{_begun(machine, running.deliveries)}: {call_words(machine.calls[running.call])}"
            for running in map(machine.running.__getitem__, state.running)
        ],
        "late": [call_words(machine.calls[machine.late[one].call]) for one in state.late],
        "failed": [_delivery(machine, one) for one in state.failed],
        "partners": [
            f"{act.partner} under {act.key}: {act.text}"
            for act in map(machine.acts.__getitem__, state.acts)
        ],
        "published": [machine.messages[one].name for one in state.published],
    }


def _words(machine: Machine, move: Move) -> tuple[str, str]:
    """Return a move in words, and the place of the call that it is about."""
    if move.what in ("deploy", "roll back"):
        return f"{move.which} is {'deployed' if move.what == 'deploy' else 'rolled back'}", ""
    if move.what == "begin":
        return f"{_begun(machine, machine.running[move.which].deliveries)}: begins", ""
    if move.what == "call":
        running = machine.running[move.which]
        begun = _begun(machine, running.deliveries)
        if running.call == ENDS:
            return f"{begun}: ends without a call", ""
        call = machine.calls[running.call]
        return f"{begun}: {call_words(call)} - {_became(machine, call, move.how)}", call.where
    if move.what == "arrive":
        late = machine.late[move.which]
        call = machine.calls[late.call]
        told = f"what {late.function} no longer waits for takes effect: {call_words(call)}"
        became = _became(machine, call, move.how)
        return f"{told} - {became}" if move.how or machine.refusal else told, ""
    if move.what in machine.exploration.triggers:
        trigger = machine.exploration.triggers[move.what]
        return trigger.words or f"{move.what}: {trigger.function} is started", ""
    minutes = int(machine.exploration.wait.total_seconds() // 60)
    name, target = "", ""
    if move.which is not None:
        delivery = machine.deliveries[move.which]
        message, target = machine.messages[delivery.message], delivery.target
        name = message.name or f"a {message.kind}"
    return FROM_OUTSIDE[move.what].format(name=name, target=target, minutes=minutes), ""


def _became(machine: Machine, call: Call, how: str) -> str:
    """Return in words what becomes of a call."""
    fault, way = parted(how)
    answered = "" if way is None else f"answers {_shortened(call.answers[way])}"
    if not fault:
        return f"refused: {machine.refusal}" if machine.refusal else answered or WORDS[""]
    name, _, place = fault.rpartition(" ")
    words = WORDS.get(fault) or f"{WORDS[name]} ({place})"
    if machine.refusal:
        words, answered = words.replace("took effect", "was refused"), machine.refusal
    told = f"{words} ({answered})" if answered and fault != LATE else words
    return f"{told}, and then it CRASHES" if how.endswith(THEN_CRASH) else told


def _shortened(answer: str) -> str:
    """Return an answer, of one with many fields the name alone."""
    name = answer.partition("(")[0]
    return answer if len(answer) <= 60 or name.isidentifier() is False else f"{name}(...)"


def call_words(call: Call) -> str:
    """Return a call in words."""
    given = call.parameters
    if call.service == PARTNER:
        return f"asks {call.operation}"
    if call.service == "events":
        return "publishes " + " and ".join(one.get("DetailType", "?") for one in given["Entries"])
    if "TransactItems" in given:
        tables = [one["TableName"] for item in given["TransactItems"] for one in item.values()]
        return f"writes {' and '.join(dict.fromkeys(tables))} together"
    index = f"/{given['IndexName']}" if "IndexName" in given else ""
    of = given.get("TableName") or given.get("QueueUrl", "")
    return f"{VERBS.get(call.operation, call.operation)} {of}{index}"


def _begun(machine: Machine, deliveries: Sequence[int]) -> str:
    first = machine.deliveries[deliveries[0]]
    message = machine.messages[first.message]
    many = f" and {len(deliveries) - 1} more" if len(deliveries) > 1 else ""
    about = f" on {message.name}{_subject(machine, first.message)}{many}" if message.name else ""
    tried = f", try {first.tries + 1}" if first.tries else ""
    return f"{machine.function_of(deliveries[0])}{about}{tried}"


def _subject(machine: Machine, message: int) -> str:
    """Return which saga an event is about, where a scenario has several."""
    subject = machine.subject_of(message)
    return f" of {subject[:8]}" if subject and len(machine.requests) > 1 else ""


def _delivery(machine: Machine, number: int) -> str:
    one = machine.deliveries[number]
    message = machine.messages[one.message]
    return f"{message.name or message.kind} for {one.target}, try {one.tries + 1}"


def dumps(stories: Sequence[Story]) -> str:
    """Return stories as JSON."""
    return json.dumps([story.as_json() for story in stories], indent=2, default=str)
