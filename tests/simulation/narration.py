"""Narrate what happens in a machine: the lines of a story."""

from __future__ import annotations

import json

from tests.simulation.faults import WORDS
from tests.simulation.machine import Machine
from tests.simulation.state import TRIES, WAIT, Delivery, Move, Running


class Narration:
    """Narrates one machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def move(self, move: Move) -> str:
        """Return a move in words."""
        match move.what:
            case "start":
                return f"{self._about(move.which)} begins"
            case "answer":
                running: Running = move.which
                call = f"{self._about(running.delivery)}: {self.call(running)}"
                return f"{call} {WORDS[move.how]}"
            case "day":
                return "a day passes, and the partners forget their idempotency keys"
            case "deploy" | "roll back":
                return f"{move.which} is {'deployed' if move.what == 'deploy' else 'rolled back'}"
            case "dead-letter":
                return f"{self._about(move.which)} fails three times: to its failure queue"
            case "tick":
                return "the schedule starts the sweep"
            case "wait":
                return f"{WAIT} minutes pass"
            case "lag":
                return "the index of open orders begins to lag behind"
            case "catch up":
                return "the index of open orders has caught up"
            case "sweep":
                return "a person resumes all open orders"
            case _:
                delivery: Delivery = move.which
                event = self._machine.events[delivery.event]["event"]
                again = "a late duplicate of" if move.what == "deliver again" else "a forged"
                return f"{again} {event['detail-type']} is delivered to {delivery.service}"

    def _about(self, delivery: Delivery) -> str:
        event = self._machine.events[delivery.event]["event"]
        if delivery.service == "resume_orders":
            return delivery.service
        if delivery.service == "create_order":
            order = f" for {json.loads(event['body'])['customerId']}"
        else:
            order = f" for {event['detail']['customerId']}"
        tries = TRIES - delivery.tries
        return delivery.service + order + (f", try {tries + 1}" if tries else "")

    def call(self, running: Running) -> str:
        """Return the call that a handler makes, in words."""
        call = self._machine.calls[running.call]
        match call.operation:
            case "put_events":
                [entry] = call.arguments["Entries"]
                return f"publishes {entry['DetailType']}"
            case "charge":
                return "charges the card"
            case "book":
                return "books the shipment"
            case "find":
                return f"asks the {call.to} for an earlier one"
            case "get_item":
                return "reads the order"
            case "query":
                return "looks for open orders"
            case "transact_write_items":
                return "writes order and stock together"
        return f"writes the order ({call.operation})"
