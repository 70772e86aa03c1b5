"""The handlers in their world: its states, what can happen in each, and what follows.

A state is a value: what is stored, what waits, which handlers are half-way and with which answers,
what the partners have in their books, and how much may still go wrong. `Machine.moves` names what
can happen next, and `Machine.after` returns the state that follows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

from explorer import faults, sqs
from explorer.app import Request, Scenario
from explorer.calls import PARTNER, Answer, BreachError, Call, Ended, UnknownCallError
from explorer.exploration import Exploration, Release
from explorer.faults import CRASH_AFTER, CRASH_BEFORE, LATE, LOST, REFUSED, SENT_TWICE, TIMED_OUT
from explorer.grants import Grant, needed
from explorer.state import Delivery, Late, Message, Move, Numbers, Outcome, Running, State, without
from explorer.world import MORNING, World, later

ENDS = -1  # the number of no call: a handler ends
THEN_CRASH = ", then a crash"  # after a fault, before the handler makes another call or ends
ANSWERS = "answers "  # and the place of one of a partner's answers


def parted(how: str) -> tuple[str, int | None]:
    """Return the fault of a call, "" for none, and the place of a partner's answer, or None."""
    how = how.removesuffix(THEN_CRASH)
    if ANSWERS not in how:
        return how, None
    fault, way = how.rsplit(ANSWERS, 1)
    return fault.removesuffix(", "), int(way)


class Progress(NamedTuple):
    """How far a handler comes by itself: to a call, or to its end, with the answers it got."""

    call: int
    end: Ended | None
    answers: Numbers


class Machine(World):
    """The world in which one release of an application runs through one scenario.

    reduced: of moves that cannot be told apart, only one is made; docs/reductions.md has why.
    """

    def __init__(
        self,
        exploration: Exploration,
        release: Release,
        scenario: Scenario,
        *,
        reduced: bool = True,
    ) -> None:
        super().__init__(exploration, release, scenario)
        self.functions, self.queues, self._reduced = release.functions, release.queues, reduced
        self.names = (*faults.BUDGETS, *exploration.triggers)
        if unknown := set(scenario.may) - set(self.names):
            raise ValueError(f"{scenario.name}: nothing is named {', '.join(sorted(unknown))}")
        self.place = {name: place for place, name in enumerate(self.names)}
        self.requests: dict[int, Request] = {}
        self.forgeries = [self.forged(event) for event in scenario.forged]
        self.excuses: dict[str, None] = {}  # of `names`, those that an invariant asks for
        self.error = ""  # the one that ended a handler last
        self._no_response = self.number_of_answer(faults.NO_RESPONSE)
        self._failures: dict[tuple[str, int], int | None] = {}
        self._skew = int(exploration.skew.total_seconds())
        self._progress: dict[Any, Progress] = {}
        self._settled: dict[State, State] = {}
        self._groups = reduced  # whether queries of indexes that follow on one another are one move
        left = tuple(scenario.may.get(name, 0) for name in self.names)
        self.start = State(self.stock(), (), left)
        for request in scenario.requests:
            self.start = self.send(self.start, request)
        self.posted = dict(self.requests)  # what follows on them depends on what was explored
        self.given = [self.forged(event) for event in scenario.events]
        for message in self.given:
            self.start = self.deliver(self.start, message)

    def send(self, state: State, request: Request) -> State:
        """Let a client send a request."""
        # Two clients may send the same: the number of those before parts them.
        same = sum(one.event == request.event for one in self.requests.values())
        message = self.number_of_message(Message("request", request.event, str(same or "")))
        self.requests[message] = request
        return self.queue(state, Delivery(request.function, message))

    def release(self, state: State, function: str) -> int:
        """Return the release that an invocation of a function begins with now: its number."""
        return 0

    def code(self, release: int) -> Release:
        """Return a release by its number."""
        return self._release

    @cached_property
    def partners(self) -> frozenset[str]:
        """The partners of all functions, each as `function.name`."""
        return frozenset(
            f"{function}.{name}"
            for release in map(self.code, (0, 1))
            for function, partners in release.runtime.partners.items()
            for name in partners
        )

    # What can happen

    def left(self, state: State, name: str) -> int:
        """Return how often something may still happen."""
        return state.left[self.place[name]]

    def spent(self, state: State, *names: str) -> int:
        """Return how often these have happened."""
        return sum(self.left(self.start, name) - self.left(state, name) for name in names)

    def moves(self, state: State) -> Iterator[Move]:
        """Yield everything that can happen next, always in the same order."""
        yield from self.going_on(state)
        yield from self.from_outside(state)

    def going_on(self, state: State) -> Iterator[Move]:
        """Yield how what was begun goes on: handlers, deliveries, calls that take effect late."""
        if len(state.running) < self.scenario.at_once:
            for number in self._beginnings(state):
                if self._reduced or self.running[number].call == ENDS:
                    yield from self._moves_of(state, number)
                else:
                    yield Move("begin", number)
        for number in dict.fromkeys(state.running):
            yield from self._moves_of(state, number)
        for late in dict.fromkeys(state.late):
            found = self.late[late]
            for way in self._ways(state, found.function, self.calls[found.call]):
                yield Move("arrive", late, way)

    def _beginnings(self, state: State) -> Iterator[int]:
        """Yield the invocations that can begin, each at its first call or at its end."""
        skews = (0, self._skew, -self._skew) if self.left(state, "skews") else (0,)
        for deliveries in self._batches(state):
            function = self.function_of(deliveries[0])
            release = self.release(state, function)
            for skew in skews:
                progress = self._run(state, Running(deliveries, (), ENDS, release, skew))
                running = Running(deliveries, (), progress.call, release, skew)
                yield self.number_of_running(running)

    def _batches(self, state: State) -> Iterator[Numbers]:
        """Yield what an invocation can be handed: a message, or any several of a queue of SQS."""
        waiting: dict[str, list[int]] = {}
        for number in dict.fromkeys(state.queue):
            if self.deliveries[number].due > state.seconds:
                continue
            yield (number,)
            target = self.deliveries[number].target
            if target in self.queues:
                waiting.setdefault(target, []).append(number)
        for target, numbers in waiting.items():
            batch = self.functions[self.queues[target].function].batch
            for size in range(2, min(batch, len(numbers)) + 1):
                yield from combinations(numbers, size)

    def _moves_of(self, state: State, number: int) -> Iterator[Move]:
        """Yield everything that can become of the call that a handler makes."""
        running = self.running[number]
        if running.call == ENDS:
            yield Move("call", number)
            return
        call = self.calls[running.call]
        function = self.function_of(running.deliveries[0])
        ways = self._ways(state, function, call)
        is_open = ways != [""]
        for way in ways:
            yield Move("call", number, way)
        if self.left(state, "faults"):
            if not (self._reduced and running.answers):
                yield Move("call", number, CRASH_BEFORE)
            for fault in faults.faults(call, reduced=self._reduced):
                if fault == REFUSED:
                    for place in range(len(call.parameters["Entries"])):
                        yield Move("call", number, f"{REFUSED} {place}" if place else REFUSED)
                elif is_open and fault in (CRASH_AFTER, TIMED_OUT, SENT_TWICE):
                    for way in ways:
                        yield Move("call", number, f"{fault}, {way}")
                else:
                    yield Move("call", number, fault)
        if self.left(state, "losses") and call.service == "events":
            yield Move("call", number, LOST)
        if self.left(state, "late") and faults.has_effect(call):
            yield Move("call", number, LATE)
        yield from self._crashes_after_faults(state, number, call, ways)

    def _crashes_after_faults(
        self, state: State, number: int, call: Call, ways: Sequence[str]
    ) -> Iterator[Move]:
        """Yield the crashes after a call that leave another state than one after the call alone."""
        found = []
        if self.left(state, "faults") > 1:
            if SENT_TWICE in faults.faults(call):
                found += [f"{SENT_TWICE}, {way}" if way else SENT_TWICE for way in ways]
            entries = range(len(call.parameters["Entries"]) if call.service == "events" else 0)
            if len(entries) > 1:
                found += [f"{REFUSED} {place}" if place else REFUSED for place in entries]
        if self.left(state, "faults"):
            if self.left(state, "losses") and call.service == "events":
                found.append(LOST)
            if self.left(state, "late") and faults.has_effect(call):
                found.append(LATE)
        yield from (Move("call", number, how + THEN_CRASH) for how in found)

    def _ways(self, state: State, function: str, call: Call) -> list[str]:
        """Return the answers that a partner may give now; one without a name for other calls."""
        if not call.answers or self.known(state, function, call):
            return [""]
        return [f"{ANSWERS}{way}" for way in range(len(call.answers))]

    def from_outside(self, state: State) -> Iterator[Move]:
        """Yield what comes unasked."""
        left = dict(zip(self.names, state.left, strict=True))
        for name, messages in (("duplicates", state.published), ("forgeries", self.forgeries)):
            if left[name]:
                for message in messages:
                    for target in self.targets(state, message):
                        again = name == "duplicates" and self._has_fresh_ids(target)
                        delivery = Delivery(target, message, again=again)
                        yield Move(name, self.number_of_delivery(delivery))
        if left["duplicates"]:  # of what was sent to a queue, as long as it waits there
            for sent in map(self.deliveries.__getitem__, dict.fromkeys(state.queue)):
                if self.messages[sent.message].kind == "message" and not (sent.tries or sent.again):
                    delivery = sent._replace(again=self._has_fresh_ids(sent.target))
                    yield Move("duplicates", self.number_of_delivery(delivery))
        if left["resends"]:
            for message, request in self.posted.items():
                # Its client waits for nothing: whatever is answered, that was all.
                last = Delivery(request.function, message, request.tries - 1)
                yield Move("resends", self.number_of_delivery(last))
        if left["redrives"]:
            for number in dict.fromkeys(state.failed):
                yield Move("redrives", number)
        for name in self.exploration.triggers:
            if left[name]:
                yield Move(name)
        # No handler takes minutes: what is half-way when they are over has crashed before.
        if not state.running and any(self._waiting(state)):
            yield Move("retry")
        for name in ("waits", "days"):
            if left[name] and not state.running:
                yield Move(name)
        if left["lags"] and state.lagging is None:
            yield Move("lags")
        if state.lagging is not None:
            yield Move("catch up")

    def _has_fresh_ids(self, target: str) -> bool:
        taker = self.functions.get(self.function_of_target(target))
        return taker is not None and taker.fresh_ids

    # How it happens

    def after(self, state: State, move: Move) -> State:
        """Return the state that follows when this happens."""
        what, which, how = move
        if what == "begin":
            state = self._take_from_queue(state, self.running[which])
            return state._replace(running=self.running.insert(state.running, which))
        if what == "call":
            return self._call(state, which, how)
        if what == "arrive":
            late = self.late[which]
            state = state._replace(late=without(state.late, which))
            return self.take(state, late.function, late.subject, late.call, parted(how)[1])[0]
        if what == "catch up":
            return state._replace(lagging=None)
        if what == "retry":
            return state._replace(seconds=min(self._waiting(state)))
        state = self.spend(state, what)
        if what == "redrives":
            state = state._replace(failed=without(state.failed, which))
            return self.queue(state, self.deliveries[which]._replace(tries=0))
        if what == "waits":
            return self.wait(state, self.exploration.wait)
        if what == "days":
            forgotten = [self.acts[one]._replace(remembered=False) for one in state.acts]
            acts = sorted(map(self.number_of_act, forgotten), key=self.acts.texts.__getitem__)
            return self.wait(state._replace(acts=tuple(acts)), timedelta(days=1))
        if what == "lags":
            return state._replace(lagging=state.rows)
        if what in self.exploration.triggers:
            return self.queue(state, self.trigger(what))
        return self.queue(state, self.deliveries[which])

    def _waiting(self, state: State) -> list[int]:
        """Return when the deliveries are due that are not so now."""
        due = [self.deliveries[one].due for one in state.queue]
        return [one for one in due if one > state.seconds]

    def spend(self, state: State, name: str) -> State:
        """Return the state in which something may happen once less."""
        place = self.place[name]
        left = (*state.left[:place], state.left[place] - 1, *state.left[place + 1 :])
        return state._replace(left=left)

    def wait(self, state: State, time: timedelta) -> State:
        """Return the state so much later."""
        return state._replace(seconds=state.seconds + int(time.total_seconds()))

    def trigger(self, name: str) -> Delivery:
        """Return a delivery of a trigger's event."""
        trigger = self.exploration.triggers[name]
        return Delivery(trigger.function, self.number_of_message(Message("trigger", trigger.event)))

    def function_of(self, delivery: int) -> str:
        """Return the function that takes a delivery."""
        return self.function_of_target(self.deliveries[delivery].target)

    def function_of_target(self, target: str) -> str:
        """Return the function behind the target of a rule."""
        queue = self.queues.get(target)
        return queue.function if queue else target

    def _call(self, state: State, number: int, how: str) -> State:
        """Let a handler's call take effect, or not, and the handler go on, or not."""
        running = self.running[number]
        if number in state.running:
            state = state._replace(running=without(state.running, number))
        else:
            state = self._take_from_queue(state, running)
        if running.call == ENDS:
            end = self._run(state, running).end
            assert end
            return self._end(state, running, end)
        fault, way = parted(how)
        return self._answer(state, running, fault, way, crashes=how.endswith(THEN_CRASH))

    def _take_from_queue(self, state: State, running: Running) -> State:
        for delivery in running.deliveries:
            state = state._replace(queue=without(state.queue, delivery))
        return self.spend(state, "skews") if running.skew else state

    def _answer(
        self, state: State, running: Running, fault: str, way: int | None, *, crashes: bool
    ) -> State:
        function, subject = self.function_of(running.deliveries[0]), self.subject(running)
        if fault:
            name = {LOST: "losses", LATE: "late"}.get(fault, "faults")
            state = self.spend(state, name)
        if crashes:
            state = self.spend(state, "faults")
        if fault == CRASH_BEFORE:
            return self._crash(state, running)
        if fault == LATE:
            late = self._late(Late(function, running.call, subject))
            state = state._replace(late=self.late.insert(state.late, late))
            if crashes:
                return self._crash(state, running)
            return self._go_on(state, running, self._no_response)
        failed = self._without_effect(fault, running.call)
        if failed is not None:
            return self._go_on(state, running, failed)
        refused = int(fault.removeprefix(REFUSED) or 0) if fault.startswith(REFUSED) else None
        state, answered = self.take(
            state, function, subject, running.call, way, lost=fault == LOST, refused=refused
        )
        if fault == SENT_TWICE:
            state, answered = self.take(state, function, subject, running.call, way)
        if fault == CRASH_AFTER or crashes:
            return self._crash(state, running)
        if fault == TIMED_OUT:
            answered = self._no_response
        return self._go_on(state, running, answered)

    def _without_effect(self, fault: str, call: int) -> int | None:
        """Return the number of the answer to a call that a fault keeps from its effect, or None."""
        if (fault, call) not in self._failures:
            answer = faults.without_effect(fault, self.calls[call]) if fault else None
            self._failures[fault, call] = self.number_of_answer(answer) if answer else None
        return self._failures[fault, call]

    def _late(self, late: Late) -> int:
        text = f"{late.function} {late.subject} {self.calls.texts[late.call]}"
        return self.late.number(late, late, lambda: text)

    def _go_on(self, state: State, running: Running, answer: int) -> State:
        deliveries, answers, call, release, skew = running
        further = Running(deliveries, (*answers, answer), ENDS, release, skew)
        progress = self._run(state, further, call)
        if progress.end:
            return self._end(state, further, progress.end)
        further = Running(deliveries, progress.answers, progress.call, release, skew)
        number = self.number_of_running(further)
        return state._replace(running=self.running.insert(state.running, number))

    def _run(self, state: State, running: Running, answered: int = -1) -> Progress:
        """Let a handler run to its next call, or to its end.

        `answered` is the call that got the last answer: a handler has to make it again. If it was
        a query of an index, those that follow on it are answered at the same moment.
        """
        delivered = [self.deliveries[one] for one in running.deliveries]
        function = self.function_of(running.deliveries[0])
        ahead = int(self.scenario.clocks.get(function, timedelta()).total_seconds())
        seconds = state.seconds + ahead + running.skew
        index = state.rows if state.lagging is None else state.lagging
        handed = tuple((one.message, one.tries, one.again) for one in delivered)
        asked = (running.release, function, handed, seconds, running.answers)
        grouped = self._groups and answered >= 0 and _is_index_query(self.calls[answered])
        reads = self.indexed(index) if grouped else None
        known = self._progress.get((asked, reads))
        if known:
            return known
        code = self.code(running.release)
        if function not in code.functions:  # it was deleted meanwhile
            return Progress(ENDS, Ended(), ())
        used: list[int] = []

        def at_once(call: Call) -> Answer | None:
            if not grouped or not _is_index_query(call):
                return None
            used.append(self.store(index, index, self.number_of_call(call)).answer)
            return self.answers[used[-1]]

        run = code.runtime.run(
            function,
            self._event(delivered),
            now=later(seconds),
            request_id=self.id_of(delivered[0].message, again=delivered[0].again),
            attempt=delivered[0].tries,
            answers=[self.answers[one] for one in running.answers],
            at_once=at_once,
        )
        for call in run.calls[len(running.answers) :]:
            if call.service != PARTNER:
                self.called.update((function, *grant) for grant in _needed(function, call))
        if answered >= 0:
            again = self.calls[answered]
            if len(run.calls) < len(running.answers):
                raise BreachError(
                    f"{function} makes no call at {again.where} when it is run again with "
                    "the same event and answers: it keeps something between events"
                )
            again = run.calls[len(running.answers) - 1]
            if self.number_of_call(again) != answered:
                raise BreachError(
                    f"{function} makes another call at {again.where} when it is run again with "
                    "the same event and answers: it keeps something between events"
                )
        answers = (*running.answers, *used)
        if isinstance(run.end, Ended):
            progress = Progress(ENDS, run.end, answers)
        else:
            progress = Progress(self.number_of_call(run.end), None, answers)
        self._progress[asked, reads] = progress
        return progress

    def _event(self, delivered: Sequence[Delivery]) -> Any:
        target = delivered[0].target
        if target not in self.queues:
            return self.messages[delivered[0].message].event
        return sqs.records(self._records(delivered), target)

    def _records(self, delivered: Sequence[Delivery]) -> list[sqs.Message]:
        found = []
        for one in delivered:
            event = self.messages[one.message].event
            sent = event if isinstance(event, sqs.Sent) else sqs.Sent(one.target, json.dumps(event))
            message_id = self.id_of(one.message)
            found.append(sqs.Message(message_id, sent, one.tries + 1, MORNING, MORNING))
        return found

    # How it ends

    def _end(self, state: State, running: Running, end: Ended) -> State:
        """Let a handler return, or raise."""
        self.error = end.error or self.error
        first = self.deliveries[running.deliveries[0]]
        message = self.messages[first.message]
        if any(alarm in line for alarm in self.exploration.alarms for line in end.printed):
            subject = self.subject(running) or self._subject_of_response(end.result)
            state = self._note(state, Outcome("alarm", first.message, subject))
        if message.kind == "request":
            if end.error:
                state = self._note(state, Outcome("raised", first.message))
                if first.tries + 1 >= self.requests[first.message].tries:
                    state = self._judge_failed(state, first, 1, end.error)
            return self._respond(state, first, None if end.error else end.result)
        target = self.queues.get(first.target)
        if target is None:
            return self._try_again(state, first, end.error) if end.error else state
        delivered = [self.deliveries[one] for one in running.deliveries]
        records = self._records(delivered)
        again = {one.id for one in records}
        if not end.error:
            again = sqs.failed(end.result, records, target.partial)
            if again:  # what the handler caught it can only have printed
                said = f", after it printed: {end.printed[-1]}" if end.printed else ""
                self.error = f"a partial batch response{said}"
        for one, record in zip(delivered, records, strict=True):
            if record.id in again:
                state = self._try_again(state, one, end.error or "a partial batch response")
        return state

    def _crash(self, state: State, running: Running) -> State:
        for number in running.deliveries:
            delivery = self.deliveries[number]
            if self.messages[delivery.message].kind == "request":
                state = self._respond(state, delivery, None)
            else:
                state = self._try_again(state, delivery, "a crash")
        return state

    def _respond(self, state: State, delivery: Delivery, response: Any) -> State:
        """Let a client have its response, or none, and do what it does then."""
        sent = self.messages[delivery.message].event
        request = self.requests[delivery.message]
        if response and request.accepted(sent, response):
            done = Outcome("done", delivery.message, self._subject_of_response(response))
            state = self._note(state, done)
        elif response and 400 <= response.get("statusCode", 200) < 500:
            state = self._note(state, Outcome("refused", delivery.message))
        following = request.following(sent, response)
        if following is None or delivery.tries + 1 >= request.tries:
            return state
        text = self.messages[delivery.message].text
        message = self.number_of_message(Message("request", following, text))
        self.requests[message] = request
        return self.queue(state, Delivery(delivery.target, message, delivery.tries + 1))

    def _try_again(self, state: State, delivery: Delivery, error: str) -> State:
        """Queue a failed delivery again, or end it: in the failure queue, but for a trigger."""
        if self.messages[delivery.message].kind == "trigger":
            return state
        queue = self.queues.get(delivery.target)
        tries = queue.receives if queue else self.functions[delivery.target].retries + 1
        if delivery.tries + 1 < tries:
            waits = () if queue else self.functions[delivery.target].waits[: delivery.tries + 1]
            due = state.seconds + int(waits[-1].total_seconds()) if waits else 0
            return self.queue(state, delivery._replace(tries=delivery.tries + 1, due=due))
        state = self._judge_failed(state, delivery, tries, error)
        number = self.number_of_delivery(delivery._replace(tries=0, due=0))
        return state._replace(failed=self.deliveries.insert(state.failed, number))

    def _judge_failed(self, state: State, delivery: Delivery, tries: int, error: str) -> State:
        """Judge whether what is no forgery failed so often, and things went wrong less often."""
        disturbed = self.spent(state, "faults", "late", "lags", "skews")
        genuine = delivery.message not in self.forgeries
        if not self.exploration.strict or disturbed >= tries or not genuine:
            return state
        message = self.messages[delivery.message]
        name = message.name or f"the {message.kind}"
        times = f" {tries} times" if tries > 1 else ""
        wrong = f"{name} fails{times} at {delivery.target}, by itself: {error}"
        return state._replace(wrong=(*state.wrong, wrong))

    def _note(self, state: State, outcome: Outcome) -> State:
        text = f"{outcome.what} {self.messages.texts[outcome.message]} {outcome.subject}"
        number = self.outcomes.number(outcome, outcome, lambda: text)
        return state._replace(outcomes=self.outcomes.insert_once(state.outcomes, number))

    # What belongs to which saga

    def subject(self, running: Running) -> str:
        """Return the saga that an invocation is about; "" for several, or none."""
        if self.saga is None or len(running.deliveries) > 1:
            return ""
        return self.subject_of(self.deliveries[running.deliveries[0]].message)

    def subject_of(self, message: int) -> str:
        """Return the saga that an event is about; "" for none."""
        event = self.messages[message].event
        detail = event.get("detail") if isinstance(event, dict) else None
        key = self.saga.key if self.saga else ""
        return str(detail.get(key, "")) if isinstance(detail, dict) else ""

    def _subject_of_response(self, response: Any) -> str:
        try:
            return str(json.loads(response["body"])[self.saga.key]) if self.saga else ""
        except (KeyError, TypeError, ValueError):
            return ""

    # When nothing more goes wrong

    def settle(self, state: State) -> State:
        """Return the state in which everything rests, when nothing more goes wrong."""
        state = state._replace(left=(0,) * len(state.left), lagging=None)
        passed = dict[State, None]()
        while state not in self._settled:
            move = next(self.going_on(state), None)
            if move is None or state in passed:  # it rests, or goes round in a circle
                self._settled[state] = state
            else:
                passed[state] = None
                state = self.after(state, move)
        for one in passed:
            self._settled[one] = self._settled[state]
        return self._settled[state]

    def redriven(self, state: State) -> State:
        """Return the state in which everything rests after one redrive of all that failed."""
        queue = state.queue
        for number in state.failed:
            queue = self.deliveries.insert(queue, number)
        return self.settle(state._replace(queue=queue, failed=()))

    def triggered(self, state: State, name: str, time: timedelta) -> State:
        """Return the state in which everything rests after one more trigger, so much later."""
        return self.settle(self.queue(self.wait(state, time), self.trigger(name)))


def _needed(function: str, call: Call) -> set[Grant]:
    try:
        return needed(call)
    except UnknownCallError as error:
        what = f"{call.operation} of {call.service}"
        raise UnknownCallError(f"{function} calls {what}, which is not known here") from error


def _is_index_query(call: Call) -> bool:
    """Return whether a call reads an index, which may lag behind its table."""
    given = call.parameters
    return call.service == "dynamodb" and "IndexName" in given and not given.get("ConsistentRead")
