"""Read the synthesized templates: what calls each service, and what each may publish."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from harness.errors import UserError
from harness.flow.flow import ANY, Permission
from harness.names import PREFIX

Template = Mapping[str, Any]

SOURCE, DETAIL_TYPE, ACCOUNT = "source", "detail-type", "account"
OWN_ACCOUNT = [{"Ref": "AWS::AccountId"}]
# The operators of conditions that restrict events to a list of names.
LISTS = ("StringEquals", "StringLike", "ForAllValues:StringEquals", "ForAllValues:StringLike")


class Pattern(Struct, frozen=True, kw_only=True):
    """A rule as it is deployed, and the function's service that it leads to."""

    name: str
    bus: str
    service: str | None
    fields: Mapping[str, Any]

    def matches(self, source: str, detail_type: str) -> bool:
        """Return whether it matches an event of this source and detail-type."""
        event = {SOURCE: source, DETAIL_TYPE: detail_type}
        asked = ((event[field], self.fields.get(field)) for field in event)
        return all(wanted is None or _any(wanted, value) for value, wanted in asked)

    @property
    def looks_at(self) -> tuple[str, ...]:
        """The fields that it matches besides source, detail-type and this account."""
        return tuple(
            sorted(
                name
                for name, wanted in self.fields.items()
                if name not in (SOURCE, DETAIL_TYPE)
                and not (name == ACCOUNT and wanted == OWN_ACCOUNT)
            )
        )


class Deployed(Struct, frozen=True, kw_only=True):
    """What the templates deploy: the source of each service, and what calls it."""

    bus: str
    sources: Mapping[str, str]
    calls: Mapping[str, tuple[str, ...]]
    patterns: tuple[Pattern, ...]
    permissions: tuple[Permission, ...]


def read_templates(templates: Iterable[Template], operations: Sequence[str]) -> Deployed:
    """Read the templates; `operations` are those of the API, such as `POST /orders`, in order."""
    stacks = [_Stack(template) for template in templates]
    buses = [text(bus["Name"]) for stack in stacks for _, bus in stack.of("AWS::Events::EventBus")]
    if len(buses) != 1:
        raise UserError(f"The templates have {len(buses)} buses, and a saga has one.")
    services = [service for stack in stacks for service in stack.services.values()]
    calls: dict[str, list[str]] = {service: [] for service in services}
    for stack in stacks:
        for service, call in stack.calls(operations):
            calls[service].append(call)
    return Deployed(
        bus=buses[0],
        sources={s: source for stack in stacks for s, source in stack.sources()},
        calls={service: tuple(listed) for service, listed in calls.items()},
        patterns=tuple(pattern for stack in stacks for pattern in stack.patterns()),
        permissions=tuple(one for stack in stacks for one in stack.permissions()),
    )


def text(value: Any) -> str:
    """Return a template's value as text; what is known only after the deployment as `${Name}`."""
    match value:
        case str():
            return value
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Join": [between, parts]}:
            return str(between).join(map(text, parts))
        case {"Fn::Sub": str(sub)}:
            return sub
    return str(value)


class _Stack:
    """One template."""

    def __init__(self, template: Template) -> None:
        self._resources: Mapping[str, Any] = template["Resources"]
        self.services = {
            name: text(function["FunctionName"]).removeprefix(f"{PREFIX}-").replace("-", "_")
            for name, function in self.of("AWS::Lambda::Function")
        }

    def of(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield logical id and properties of the resources of a kind."""
        for name, resource in self._resources.items():
            if resource["Type"] == kind:
                yield name, resource.get("Properties", {})

    def sources(self) -> Iterator[tuple[str, str]]:
        """Yield each service and its source on the bus, "" if it has none."""
        for name, function in self.of("AWS::Lambda::Function"):
            variables = function.get("Environment", {}).get("Variables", {})
            yield self.services[name], text(variables.get("EVENT_SOURCE", ""))

    def calls(self, operations: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield service and call of the routes and schedules that lead to a function."""
        routes: dict[str, list[str]] = {}
        for _, route in self.of("AWS::ApiGatewayV2::Route"):
            service = self._behind(route)
            if service:
                routes.setdefault(service, []).append(text(route["RouteKey"]))
        for service, keys in routes.items():
            wanted = [one for one in operations if any(_routes(key, one) for key in keys)]
            yield from ((service, call) for call in wanted or keys)
        for kind in ("AWS::Scheduler::Schedule", "AWS::Events::Rule"):
            for _, schedule in self.of(kind):
                for target in [*schedule.get("Targets", []), schedule.get("Target")]:
                    called = self._function(target["Arn"]) if target else None
                    if called and "ScheduleExpression" in schedule:
                        yield called, text(schedule["ScheduleExpression"])

    def patterns(self) -> Iterator[Pattern]:
        """Yield the rules with an event pattern, once for each target."""
        for name, rule in self.of("AWS::Events::Rule"):
            if "EventPattern" in rule:
                for target in rule.get("Targets", [{"Arn": ""}]):
                    yield Pattern(
                        name=text(rule.get("Name", name)),
                        bus=text(rule.get("EventBusName", "default")),
                        service=self._function(target["Arn"]),
                        fields=rule["EventPattern"],
                    )

    def permissions(self) -> Iterator[Permission]:
        """Yield what each function's role may publish."""
        for name, function in self.of("AWS::Lambda::Function"):
            for statement in self._statements(text(function["Role"]).split(".")[0].strip("${}")):
                if statement["Effect"] == "Allow" and _grants_publish(statement):
                    conditions = statement.get("Condition", {})
                    for resource in _listed(statement.get("Resource", ANY)):
                        yield Permission(
                            service=self.services[name],
                            bus=text(resource).rpartition("event-bus/")[2],
                            sources=_allowed_values(conditions, "events:source"),
                            detail_types=_allowed_values(conditions, "events:detail-type"),
                        )

    def _statements(self, role: str) -> Iterator[Mapping[str, Any]]:
        own = self._resources[role]["Properties"].get("Policies", [])
        attached = [
            policy
            for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
            for _, policy in self.of(kind)
            if {"Ref": role} in policy.get("Roles", [])
        ]
        for policy in [*own, *attached]:
            yield from _listed(policy["PolicyDocument"]["Statement"])

    def _behind(self, route: Mapping[str, Any]) -> str | None:
        """Return the service that a route of the API leads to, by its integration."""
        name = text(route.get("Target", "")).removeprefix("integrations/").strip("${}")
        integration = self._resources.get(name, {}).get("Properties", {})
        return self._function(integration.get("IntegrationUri", ""))

    def _function(self, arn: Any) -> str | None:
        """Return the service of the function that an ARN names."""
        return self.services.get(text(arn).removesuffix(".Arn}").strip("${}"))


def _routes(key: str, operation: str) -> bool:
    (method, path), (wanted, of) = key.split(" ", 1), operation.split(" ", 1)
    return path == of and method in ("ANY", wanted)


def _grants_publish(statement: Mapping[str, Any]) -> bool:
    def names_it(actions: Any) -> bool:
        return any(like("events:PutEvents".lower(), str(a).lower()) for a in _listed(actions))

    if "NotAction" in statement:
        return not names_it(statement["NotAction"])
    return names_it(statement["Action"])


def _allowed_values(conditions: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return the values that a condition allows for a key; `*` where it restricts nothing."""
    for operator in LISTS:
        for name, values in conditions.get(operator, {}).items():
            if name.lower() == key:
                return tuple(map(text, _listed(values)))
    return (ANY,)


def like(value: str, pattern: str) -> bool:
    """Return whether a value matches a pattern with IAM's `*` and `?`."""
    return fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))


def _any(wanted: Sequence[Any], value: str) -> bool:
    return any(_is(one, value) for one in wanted)


def _is(wanted: Any, value: str) -> bool:
    """Return whether a value matches one element of a pattern.

    Source: "Comparison operators", Amazon EventBridge user guide.
    """
    if isinstance(wanted, str):
        return wanted == value
    [(operator, operand)] = wanted.items()
    match operator:
        case "prefix":
            return value.startswith(operand)
        case "suffix":
            return value.endswith(operand)
        case "wildcard":
            return like(value, operand)
        case "equals-ignore-case":
            return value.lower() == str(operand).lower()
        case "anything-but":
            return not _any(_listed(operand), value)
        case "exists":
            return bool(operand)
    raise UserError(f"saga flow does not know the operator {operator} of a rule's pattern.")


def _listed(one_or_more: Any) -> list[Any]:
    return list(one_or_more) if isinstance(one_or_more, list | tuple) else [one_or_more]
