"""Whether what an exploration declares fits together; what does not is told before it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from explorer.app import App, Function, Scenario
from explorer.eventbridge import matches
from explorer.exploration import Exploration
from explorer.faults import BUDGETS
from explorer.values import to_item


def misfits(exploration: Exploration) -> Iterator[str]:
    """Yield what cannot be explored as it is declared, each as a sentence."""
    app = exploration.app
    functions = {one.name for one in app.functions}
    for kind, declared in (
        ("functions", app.functions),
        ("tables", app.tables),
        ("queues", app.queues),
        ("scenarios", exploration.scenarios),
    ):
        for name, count in Counter(one.name for one in declared).items():
            if count > 1:
                yield f"{count} {kind} are named {name!r}: give each a name of its own."
    for function in app.functions:
        yield from _of_function(function)
    users = [(f"queue {one.name}", one.function) for one in app.queues if one.function]
    users += [(f"trigger {name}", one.function) for name, one in exploration.triggers.items()]
    for scenario in exploration.scenarios:
        users += [(f"{scenario.name}: a request", one.function) for one in scenario.requests]
        users += [(f"{scenario.name}: a clock", name) for name in scenario.clocks]
    if saga := exploration.saga:
        users += [(f"transition {one}", one.function) for one in saga.flow.transitions]
        keys = {one.name: one.partition for one in app.tables}
        if saga.table not in keys:
            yield f"the saga's table {saga.table} is not among the app's tables: declare it."
        elif saga.key != keys[saga.table]:
            yield f"the saga's key {saga.key} is not that of {saga.table}: give {keys[saga.table]}."
    for what, name in users:
        if name not in functions:
            known = ", ".join(sorted(functions))
            yield f"{what} is of function {name!r}, which there is not: name one of {known}."
    for scenario in exploration.scenarios:
        for misfit in _of_scenario(scenario, exploration):
            yield f"{scenario.name}: {misfit}"


def _of_function(function: Function) -> Iterator[str]:
    if "." not in function.handler:
        yield f"{function.name}: handler is {function.handler!r}: give module.attribute."
    if isinstance(function.path, str | Path) or not all(isinstance(p, Path) for p in function.path):
        yield f"{function.name}: path is {function.path!r}: give a list of folders, each a Path."
        return
    for folder in function.path:
        if not folder.is_dir():
            yield f"{function.name}: there is no folder {folder}: mend its path."
    for name, value in function.environment.items():
        if not isinstance(value, str):
            yield f"{function.name}: the variable {name} is {value!r}: give a str."


def _of_scenario(scenario: Scenario, exploration: Exploration) -> Iterator[str]:
    names = (*BUDGETS, *exploration.triggers)
    if not isinstance(scenario.may, Mapping):
        yield f'may is {scenario.may!r}: give a dict, such as {{"faults": 1}}.'
        return
    for name, count in scenario.may.items():
        if name not in names:
            yield f"nothing is named {name!r} that may happen: name one of {', '.join(names)}."
        elif not isinstance(count, int) or count < 0:
            yield f"{name} may happen {count!r} times: give a number of 0 or more."
    if scenario.at_once < 1:
        yield "nothing can run: let at_once be 1 or more."
    yield from _of_items(scenario, exploration.app)
    for event in (*scenario.events, *scenario.forged):
        if not isinstance(event, Mapping) or not {"source", "detail-type", "detail"} <= set(event):
            yield f"{event!r} is no envelope: it needs source, detail-type and detail."
        elif event in scenario.events and not _is_matched(event, exploration.app):
            yield f"no rule matches its event {event['detail-type']}: nothing would happen."


def _of_items(scenario: Scenario, app: App) -> Iterator[str]:
    tables = {one.name: one for one in app.tables}
    for name, items in scenario.items.items():
        if name not in tables:
            yield f"it has items in {name}, which is not among the app's tables: declare it."
            continue
        table = tables[name]
        for item in items:
            if not isinstance(item, Mapping):
                yield f"an item of {name} is {item!r}: give a list of dicts."
                continue
            for key in (table.partition, table.sort):
                if key and key not in item:
                    yield f"an item of {name} has no {key}, which is its key: {item!r}."
            try:
                to_item(item)
            except TypeError as error:
                yield f"an item of {name}: {error}."


def _is_matched(event: Mapping[str, Any], app: App) -> bool:
    bus = event.get("bus", app.rules[0].bus if app.rules else "default")
    return any(rule.bus == bus and matches(rule.pattern, event) for rule in app.rules)
