"""CloudFormation templates, as far as they say which function has which policies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Statement = Mapping[str, Any]

# Of these everybody knows what is in them: logs, traces, and what Lambda itself asks of a queue.
WITHOUT_CALLS = (
    "AWSLambdaBasicExecutionRole",
    "AWSLambdaVPCAccessExecutionRole",
    "AWSLambdaSQSQueueExecutionRole",
    "AWSXRayDaemonWriteAccess",
)
# The property with a resource's own name, and what is before it in the resource's ARN.
NAMED = {
    "AWS::DynamoDB::Table": ("TableName", "arn:aws:dynamodb:region:account:table/"),
    "AWS::DynamoDB::GlobalTable": ("TableName", "arn:aws:dynamodb:region:account:table/"),
    "AWS::Events::EventBus": ("Name", "arn:aws:events:region:account:event-bus/"),
    "AWS::SQS::Queue": ("QueueName", "arn:aws:sqs:region:account:"),
    "AWS::Lambda::Function": ("FunctionName", "arn:aws:lambda:region:account:function:"),
    "AWS::IAM::Role": ("RoleName", "arn:aws:iam::account:role/"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "arn:aws:iam::account:policy/"),
}


class Templates:
    """The templates of all stacks. A resource without a name has its logical id for one."""

    def __init__(self, templates: Sequence[Mapping[str, Any]]) -> None:
        self._templates = templates

    def statements(self) -> Iterator[tuple[str, Statement]]:
        """Yield each function's name with each statement that its role's policies have."""
        seen: set[str] = set()
        for template in self._templates:
            for logical, resource in template.get("Resources", {}).items():
                if resource["Type"] == "AWS::Serverless::Function":
                    raise ValueError(
                        f"{logical}: give the template that the SAM transform makes of this one."
                    )
                if resource["Type"] == "AWS::Lambda::Function":
                    function = self._name(template, logical)
                    if function in seen:
                        raise ValueError(f"Two functions are called {function}: name them.")
                    seen.add(function)
                    role = self.text(template, resource["Properties"]["Role"])
                    for statement in self._of_role(role.rpartition("/")[2], function):
                        yield function, statement

    def failure_queues(self) -> set[tuple[str, str]]:
        """Return each function's name with the ARN of a queue that Lambda sends to as its role."""
        found = []
        for template in self._templates:
            for logical, resource in template.get("Resources", {}).items():
                properties = resource.get("Properties", {})
                if resource["Type"] == "AWS::Lambda::Function":
                    target = properties.get("DeadLetterConfig", {}).get("TargetArn")
                    found.append((template, {"Ref": logical}, target))
                elif resource["Type"] == "AWS::Lambda::EventInvokeConfig":
                    function = properties["FunctionName"]
                    found += [
                        (template, function, one["Destination"])
                        for one in properties.get("DestinationConfig", {}).values()
                    ]
        texts = [
            (self.text(template, function).rpartition(":")[2], self.text(template, target))
            for template, function, target in found
            if target
        ]
        return {(function, arn) for function, arn in texts if ":sqs:" in arn}

    def text(self, template: Mapping[str, Any], value: Any) -> str:
        """Return a value of a template as text: references by name, places by a word."""
        if isinstance(value, str):
            return value
        if not isinstance(value, Mapping) or len(value) != 1:
            raise ValueError(f"{value} is not a text that can be read from a template.")
        [(function, argument)] = value.items()
        match function:
            case "Ref":
                return self._name(template, argument)
            case "Fn::GetAtt":
                logical, attribute = (
                    argument.split(".", 1) if isinstance(argument, str) else argument
                )
                return self._attribute(template, logical, attribute)
            case "Fn::Join":
                separator, parts = argument
                return str(separator).join(self.text(template, part) for part in parts)
            case "Fn::Sub":
                return self._substituted(template, argument)
            case "Fn::ImportValue":
                return self._exported(self.text(template, argument))
        raise ValueError(f"{function} cannot be read from a template: {argument}.")

    def _of_role(self, role: str, function: str) -> Iterator[Statement]:
        found = False
        attached: list[str] = []
        for template in self._templates:
            for logical, resource in template.get("Resources", {}).items():
                properties = resource.get("Properties", {})
                kind, policies = resource["Type"], []
                if kind == "AWS::IAM::Role" and self._name(template, logical) == role:
                    found = True
                    policies = properties.get("Policies", [])
                    attached += [
                        self.text(template, one) for one in properties.get("ManagedPolicyArns", [])
                    ]
                elif kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
                    roles = [self.text(template, one) for one in properties.get("Roles", [])]
                    policies = [properties] if role in roles else []
                elif kind == "AWS::IAM::RolePolicy":
                    named = self.text(template, properties["RoleName"])
                    policies = [properties] if named == role else []
                for policy in policies:
                    yield from self._listed(template, policy["PolicyDocument"])
        if not found:
            raise ValueError(f"The role of {function} is in none of the templates: {role}.")
        for arn in attached:
            yield from self._managed(arn, function)

    def _managed(self, arn: str, function: str) -> Iterator[Statement]:
        if arn.rpartition("/")[2] in WITHOUT_CALLS:
            return
        for template in self._templates:
            for logical, resource in template.get("Resources", {}).items():
                if resource["Type"] == "AWS::IAM::ManagedPolicy" and arn in (
                    self._name(template, logical),
                    self._attribute(template, logical, "PolicyArn"),
                ):
                    yield from self._listed(template, resource["Properties"]["PolicyDocument"])
                    return
        raise ValueError(f"{function} has a policy that is in none of the templates: {arn}.")

    def _listed(
        self, template: Mapping[str, Any], document: Mapping[str, Any]
    ) -> Iterator[Statement]:
        for statement in _list(document["Statement"]):
            yield self._flat(template, statement)

    def _flat(self, template: Mapping[str, Any], statement: Statement) -> Statement:
        if unread := {"NotAction", "NotResource"} & {*statement}:
            raise ValueError(f"A statement with {', '.join(unread)} cannot be read: {statement}.")
        return {
            **statement,
            "Action": _list(statement["Action"]),
            "Resource": [self.text(template, one) for one in _list(statement["Resource"])],
        }

    def _name(self, template: Mapping[str, Any], logical: str) -> str:
        if logical.startswith("AWS::"):
            return "aws" if logical == "AWS::Partition" else logical.rpartition("::")[2]
        if logical in template.get("Parameters", {}):
            return str(template["Parameters"][logical].get("Default", logical))
        resource = template.get("Resources", {}).get(logical, {"Type": ""})
        called, _ = NAMED.get(resource["Type"], ("", ""))
        if given := resource.get("Properties", {}).get(called):
            return self.text(template, given)
        # The CDK makes roles of one logical id in all stacks.
        number = next(n for n, one in enumerate(self._templates) if one is template)
        return f"{logical}-{number}" if resource["Type"].startswith("AWS::IAM::") else logical

    def _attribute(self, template: Mapping[str, Any], logical: str, attribute: str) -> str:
        resource = template.get("Resources", {}).get(logical, {"Type": ""})
        _, before = NAMED.get(resource["Type"], ("", "arn:aws:other:region:account:"))
        name = self._name(template, logical)
        return before + name if attribute.endswith("Arn") else name

    def _substituted(self, template: Mapping[str, Any], argument: Any) -> str:
        pattern, given = (argument, {}) if isinstance(argument, str) else argument

        def replace(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):  # a literal ${name}
                return f"${{{name[1:]}}}"
            if name in given:
                return self.text(template, given[name])
            if "." in name:
                return self.text(template, {"Fn::GetAtt": name})
            return self._name(template, name)

        return re.sub(r"\$\{([^}]+)\}", replace, pattern)

    def _exported(self, name: str) -> str:
        for template in self._templates:
            for output in template.get("Outputs", {}).values():
                export = output.get("Export")
                if export and self.text(template, export["Name"]) == name:
                    return self.text(template, output["Value"])
        raise ValueError(f"None of the templates exports {name}.")


def _list(one_or_more: Any) -> list[Any]:
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]
