"""The world around the handlers: what a call of theirs changes, and what it is answered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from explorer import eventbridge, sqs
from explorer.app import Rule, Scenario
from explorer.calls import Answer, Call, UnknownCallError
from explorer.dynamodb import key_text
from explorer.exploration import Exploration, Release
from explorer.state import (
    Act,
    Delivery,
    Interned,
    Late,
    Message,
    Numbers,
    Outcome,
    Row,
    Running,
    State,
    digest,
)
from explorer.values import to_item

# What a bus refuses that is out of order for a moment: PutEventsResultEntry in its API reference.
INTERNAL_FAILURE = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
MORNING = datetime(2026, 1, 31, 9, tzinfo=UTC)


class Stored(NamedTuple):
    """What a call to DynamoDB changes: the rows after it, the answer, the saga's transitions."""

    rows: Numbers
    answer: int
    transitions: tuple[tuple[str | None, str | None], ...]


class World:
    """Tables, buses, queues and partners of one scenario, and every value that was met there.

    transitions, called: what was seen: steps of the saga, by function and statuses; the operations
        of each function, by what they were made on.
    """

    def __init__(self, exploration: Exploration, release: Release, scenario: Scenario) -> None:
        self.exploration, self.scenario, self.saga = exploration, scenario, exploration.saga
        self.rows, self.messages = Interned[Row](), Interned[Message]()
        self.deliveries, self.running = Interned[Delivery](), Interned[Running]()
        self.calls, self.answers = Interned[Call](), Interned[Answer]()
        self.acts, self.outcomes, self.late = Interned[Act](), Interned[Outcome](), Interned[Late]()
        self.transitions: set[tuple[str, str | None, str | None]] = set()
        self.called: set[tuple[str, str, str]] = set()
        self.refusal = ""  # the error that DynamoDB answered with last
        self._release = release
        self._keys = {table.name: table for table in release.app.tables}
        self.tables = release.app.tables
        self.plain: dict[int, Mapping[str, Any]] = {}  # rows in plain values, once asked for
        self._stored: dict[Any, Stored] = {}
        self._indexed: dict[Numbers, Numbers] = {}
        self._entries: dict[str, int] = {}
        self._accepted: dict[tuple[int, tuple[int | None, ...]], int] = {}
        self._entered: dict[tuple[int, int, bool], int | None] = {}
        self._targets: dict[Any, Sequence[str]] = {}

    def stock(self) -> Numbers:
        """Return the rows that the scenario begins with."""
        rows: Numbers = ()
        for table, items in self.scenario.items.items():
            for plain in items:
                item = to_item(plain)
                key = key_text(self._keys[table], item)
                rows = self.rows.insert(rows, self._row(Row(table, key, item)))
        return rows

    def rules(self, state: State) -> Sequence[Rule]:
        """Return the rules that there are now."""
        return self._release.rules

    def targets(self, state: State, message: int) -> Sequence[str]:
        """Return the functions and queues that the bus delivers an event to now."""
        known = (message, state.releases)
        if known not in self._targets:
            event = self.messages[message].event
            self._targets[known] = [
                rule.target
                for rule in self.rules(state)
                if rule.bus == self.messages[message].bus
                and eventbridge.matches(rule.pattern, event)
            ]
        return self._targets[known]

    def take(
        self,
        state: State,
        function: str,
        subject: str,
        number: int,
        way: int | None = None,
        *,
        lost: bool = False,
        refused: int | None = None,
    ) -> tuple[State, int]:
        """Let a call, by its number, take effect; return the state then, and its answer's number.

        way: which of its answers a partner gives; lost: the bus delivers nothing; refused: the
        place of the entry that the bus refuses.
        """
        call = self.calls[number]
        match call.service:
            case "dynamodb":
                weak = state.rows if state.lagging is None else state.lagging
                stored = self.store(state.rows, weak, number)
                failure = self.answers[stored.answer].failure
                self.refusal = failure.code if failure else ""
                state = state._replace(rows=stored.rows)
                return self._judge_transitions(state, function, stored), stored.answer
            case "events":
                return self._publish(state, number, lost=lost, refused=refused)
            case "sqs":
                return self._send(state, call)
            case "partner":
                return self._ask(state, function, subject, call, way)
        raise UnknownCallError(f"{function} calls {call.service}, which is not known here")

    # DynamoDB

    def store(self, rows: Numbers, weak: Numbers, number: int) -> Stored:
        """Return what a call to DynamoDB changes; what reads weakly reads the rows `weak`."""
        known = self._stored.get((rows, weak, number))
        if known is None:
            known = self._stored[rows, weak, number] = self._store(rows, weak, self.calls[number])
        return known

    def indexed(self, rows: Numbers) -> Numbers:
        """Return numbers of what the indexes have of these rows: it is all that they answer by."""
        if rows not in self._indexed:
            found = (self._index_entry(number) for number in rows)
            self._indexed[rows] = tuple(one for one in found if one is not None)
        return self._indexed[rows]

    def _index_entry(self, number: int) -> int | None:
        """Return the number of what the indexes of its table have of a row; None for nothing."""
        row = self.rows[number]
        table = self._keys[row.table]
        entries = []
        for name, index in table.indexes.items():
            keys = {table.partition, index.partition, *filter(None, (table.sort, index.sort))}
            if keys <= row.item.keys():
                kept = row.item if index.projects is None else keys.union(index.projects)
                entries.append((name, {one: row.item[one] for one in kept if one in row.item}))
        if not entries:
            return None
        text = json.dumps((row.table, entries), sort_keys=True, default=str)
        return self._entries.setdefault(text, len(self._entries))

    def _store(self, rows: Numbers, weak: Numbers, call: Call) -> Stored:
        items, index = self.items(rows), None if weak == rows else self.items(weak)
        outcome = self._release.database.call(call.operation, call.parameters, items, index)
        failure = outcome.answer.failure
        if failure and failure.code == "ResourceNotFoundException":
            known = ", ".join(table.name for table in self.tables) or "none"
            raise UnknownCallError(
                f"{call.operation} at {call.where} is of a table that the app does not declare:"
                f" it declares {known}"
            )
        found = {(self.rows[one].table, self.rows[one].key): one for one in rows}
        transitions = []
        for table, key, item in outcome.changes:
            before = found.pop((table, key), None)
            if item is not None:
                found[table, key] = self._row(Row(table, key, item))
            if self.saga and table == self.saga.table:
                was = self._status(self.rows[before].item) if before is not None else None
                transitions.append((was, self._status(item)))
        after = tuple(sorted(found.values(), key=self.rows.texts.__getitem__))
        made = tuple(one for one in transitions if one[0] != one[1])
        return Stored(after, self.number_of_answer(outcome.answer), made)

    def items(self, rows: Numbers) -> dict[str, dict[str, Any]]:
        """Return the items of all tables, by their names and keys."""
        found: dict[str, dict[str, Any]] = {table: {} for table in self._keys}
        for number in rows:
            row = self.rows[number]
            found[row.table][row.key] = row.item
        return found

    def _status(self, item: Any) -> str | None:
        """Return the status of a saga's item; None for none."""
        if item is None or self.saga is None or self.saga.status not in item:
            return None
        return str(item[self.saga.status].get("S"))

    def _judge_transitions(self, state: State, function: str, stored: Stored) -> State:
        for before, after in stored.transitions:
            made = (function, before, after)
            self.transitions.add(made)
            if self.exploration.strict and self.saga and made not in self.saga.flow.moves:
                wrong = f"{function} made {before or 'nothing'} to {after or 'nothing'}"
                state = state._replace(wrong=(*state.wrong, wrong))
        return state

    # EventBridge and SQS

    def _publish(
        self, state: State, number: int, *, lost: bool, refused: int | None
    ) -> tuple[State, int]:
        entries = self.calls[number].parameters["Entries"]
        if failure := eventbridge.refused_request(entries):
            return state, self.number_of_answer(Answer(failure=failure))
        accepted: list[int | None] = []
        for place in range(len(entries)):
            message = None if place == refused else self._entry(state, number, place)
            accepted.append(message)
            if message is not None:
                state = self.deliver(state, message, lost=lost)
        known = (number, tuple(accepted))
        if known not in self._accepted:
            self._accepted[known] = self._acceptance(entries, accepted)
        return state, self._accepted[known]

    def _entry(self, state: State, number: int, place: int) -> int | None:
        """Return the message that an entry of a call is now; None where the bus refuses it."""
        # A third id would find no more than a second, and what goes round in a circle has no end.
        for again in (False, True) if self.exploration.app.fresh_ids else (False,):
            known = (number, place, again)
            if known not in self._entered:
                entry = self.calls[number].parameters["Entries"][place]
                self._entered[known] = (
                    None if eventbridge.refusal(entry) else self._number_of_entry(entry, again)
                )
            message = self._entered[known]
            if message not in state.published:
                break
        return message

    def _acceptance(
        self, entries: Sequence[Mapping[str, Any]], accepted: Sequence[int | None]
    ) -> int:
        """Return the number of the answer to PutEvents."""
        results = [
            eventbridge.refusal(entry) or INTERNAL_FAILURE
            if message is None
            else {"EventId": self.messages[message].event["id"]}
            for entry, message in zip(entries, accepted, strict=True)
        ]
        failed = sum("ErrorCode" in one for one in results)
        return self.number_of_answer(Answer({"FailedEntryCount": failed, "Entries": results}))

    def deliver(self, state: State, message: int, *, lost: bool = False) -> State:
        """Let the bus accept an event, and deliver it to its targets."""
        state = state._replace(published=self.messages.insert_once(state.published, message))
        for target in () if lost else self.targets(state, message):
            state = self.queue(state, Delivery(target, message))
        return state

    def _number_of_entry(self, entry: Mapping[str, Any], again: bool) -> int:
        """Return the message of an entry, or of an equal one after it; their time is the same."""
        bus = eventbridge.bus(entry)
        text = f"{bus} {entry['Source']} {entry['DetailType']} {entry['Detail']}"
        text += " again" * again
        event = eventbridge.envelope(entry, event_id=str(uuid5(NAMESPACE_URL, text)), time=MORNING)
        return self.number_of_message(Message("event", event, entry["Detail"], bus=bus))

    def forged(self, event: Mapping[str, Any]) -> int:
        """Return the message of an envelope that somebody else may publish."""
        text = json.dumps(event["detail"], separators=(",", ":"))
        bus = event.get("bus", self._release.rules[0].bus if self._release.rules else "default")
        return self.number_of_message(Message("event", dict(event), text, bus=bus))

    def _send(self, state: State, call: Call) -> tuple[State, int]:
        if failure := sqs.refused(call.operation, call.parameters):
            return state, self.number_of_answer(Answer(failure=failure))
        ids = []
        for one in sqs.sent(call.operation, call.parameters):
            if one.queue not in self._release.queues:
                raise UnknownCallError(
                    f"{call.operation} at {call.where} is of a queue that the app does not declare:"
                    f" it declares {', '.join(self._release.queues) or 'none'}"
                )
            message = self.number_of_message(Message("message", one, one.body))
            ids.append(self.id_of(message))
            state = self.queue(state, Delivery(one.queue, message))
        answer = sqs.answer(call.operation, call.parameters, ids)
        return state, self.number_of_answer(Answer(answer))

    def id_of(self, message: int, *, again: bool = False) -> str:
        """Return the id of a message: of one in a queue, and of an invocation's request."""
        return str(uuid5(NAMESPACE_URL, self.messages.texts[message] + " again" * again))

    def queue(self, state: State, delivery: Delivery) -> State:
        """Return the state with a delivery more on its way, if it is to a function of the app."""
        queue = self._release.queues.get(delivery.target)
        if queue and not queue.function:
            return state
        number = self.number_of_delivery(delivery)
        return state._replace(queue=self.deliveries.insert(state.queue, number))

    # Partners

    def known(self, state: State, function: str, call: Call) -> Act | None:
        """Return what a partner has in its books under a key: for an act only what it remembers."""
        partner = f"{function}.{call.operation.split('.')[0]}"
        for number in state.acts:
            act = self.acts[number]
            is_same = (act.partner, act.key) == (partner, call.key) and call.key is not None
            if is_same and (act.remembered if call.answers else act.effect):
                return act
        return None

    def _ask(
        self, state: State, function: str, subject: str, call: Call, way: int | None
    ) -> tuple[State, int]:
        known = self.known(state, function, call)
        if not call.answers or known:
            return state, self.number_of_answer(Answer(known.answer if known else None))
        place = way or 0
        arguments = json.dumps(call.parameters, sort_keys=True, default=str)
        partner = f"{function}.{call.operation.split('.')[0]}"
        act = Act(
            partner,
            call.key,
            arguments,
            place,
            call.answers[place],
            call.effects[place],
            subject,
        )
        # Asked a second time is a second entry, whatever the key.
        same = [self.acts[one]._replace(times=0, remembered=True) for one in state.acts]
        act = act._replace(times=same.count(act))
        acts = self.acts.insert_once(state.acts, self.number_of_act(act))
        return state._replace(acts=acts), self.number_of_answer(Answer(place))

    # Numbers

    def _row(self, row: Row) -> int:
        text = f"{row.table} {row.key} {json.dumps(row.item, sort_keys=True, default=str)}"
        return self.rows.number(row, text, lambda: text)

    def number_of_message(self, message: Message) -> int:
        """Return the number of a message."""
        text = json.dumps(message, sort_keys=True, default=str)
        return self.messages.number(
            message, text, lambda: f"{message.kind} {message.name} {digest(text)}"
        )

    def number_of_delivery(self, delivery: Delivery) -> int:
        """Return the number of a delivery."""
        return self.deliveries.number(
            delivery,
            delivery,
            lambda: (
                f"{delivery.target} {self.messages.texts[delivery.message]} "
                f"{delivery.tries} {delivery.due} {delivery.again:d}"
            ),
        )

    def number_of_call(self, call: Call) -> int:
        """Return the number of a call; the same from another line of code is another."""
        text = f"{call.service} {call.operation} {call.key} " + json.dumps(
            call.parameters, sort_keys=True, default=str
        )
        return self.calls.number(call, (text, call.where), lambda: digest(text))

    def number_of_answer(self, answer: Answer) -> int:
        """Return the number of an answer."""
        text = json.dumps((answer.output, answer.failure and vars(answer.failure)), default=str)
        return self.answers.number(answer, text, lambda: digest(text))

    def number_of_act(self, act: Act) -> int:
        """Return the number of an entry in a partner's books."""
        return self.acts.number(act, act, lambda: " ".join(map(str, act)))

    def number_of_running(self, running: Running) -> int:
        """Return the number of a handler half-way."""
        return self.running.number(running, running, lambda: self._text_of(running))

    def _text_of(self, running: Running) -> str:
        parts = [self.deliveries.texts[one] for one in running.deliveries]
        parts += [self.answers.texts[one] for one in running.answers]
        call = self.calls.texts[running.call] if running.call >= 0 else ""
        return " ".join([*parts, call, str(running.release), str(running.skew)])


def later(seconds: int) -> datetime:
    """Return the time so many seconds after the beginning."""
    return MORNING + timedelta(seconds=seconds)
