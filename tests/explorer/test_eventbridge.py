"""Patterns and entries of EventBridge, as its documentation has them.

Cases are named by their headings in the user guide: "Comparison operators for use in event
patterns" (eb-create-pattern-operators.html), its pages on arrays and on null values, and the
README of the engine that AWS publishes (github.com/aws/event-ruler).
"""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from explorer.calls import UnknownCallError
from explorer.eventbridge import (
    bus,
    check_pattern,
    envelope,
    matches,
    refusal,
    refused_request,
)

PENDING = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2015-11-11T21:29:54Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
    "detail": {"instance-id": "i-abcd1111", "state": "pending"},
}
LAUNCHED = {
    "detail-type": "EC2 Instance Launch Successful",
    "source": "aws.autoscaling",
    "resources": [],
    "detail": {"eventVersion": "", "responseElements": None},
}
EMPLOYEES = {
    "employees": [
        {"firstName": "John", "lastName": "Doe"},
        {"firstName": "Anna", "lastName": "Smith"},
        {"firstName": "Peter", "lastName": "Jones"},
    ]
}
NUMBERS = {
    "c-count": [{"numeric": [">", 0, "<=", 5]}],
    "d-count": [{"numeric": ["<", 10]}],
    "x-limit": [{"numeric": ["=", 3.018e2]}],
}
SEVERAL = {
    "time": [{"prefix": "2017-10-02"}],
    "detail": {
        "state": [{"anything-but": "initializing"}],
        "c-count": [{"numeric": [">", 0, "<=", 5]}],
        "d-count": [{"numeric": ["<", 10]}],
        "x-limit": [{"anything-but": [100, 200, 300]}],
    },
}
OR = {"detail": {"$or": [{name: tests} for name, tests in NUMBERS.items()]}}
SOURCE_AND = {
    "source": ["aws.cloudwatch"],
    "$or": [
        {"metricName": ["CPUUtilization", "ReadLatency"]},
        {
            "metricType": ["MetricType"],
            "namespace": ["AWS/EC2", "AWS/ES"],
            "$or": [{"metricId": [1234]}, {"spaceId": [1000]}],
        },
        {"scope": ["Service"]},
    ],
}
EC2 = "arn:aws:ec2:us-east-1:{}:instance/i-b188560f"


def state(test: Any) -> dict[str, Any]:
    return {"detail": {"state": [test]}}


def limit(test: Any) -> dict[str, Any]:
    return {"detail": {"x-limit": [test]}}


def several(**detail: Any) -> dict[str, Any]:
    return {
        "time": "2017-10-02T18:43:48Z",
        "detail": {"state": "running", "c-count": 5, "d-count": 3, "x-limit": 301.8} | detail,
    }


CASES: dict[str, list[tuple[dict[str, Any], dict[str, Any], bool]]] = {
    "And": [
        ({"Location": ["New York"], "Day": ["Monday"]}, {"Location": "New York"}, False),
        (
            {"Location": ["New York"], "Day": ["Monday"]},
            {"Location": "New York", "Day": "Monday"},
            True,
        ),
    ],
    "Prefix matching": [
        ({"time": [{"prefix": "2017-10-02"}]}, {"time": "2017-10-02T18:43:48Z"}, True),
        ({"time": [{"prefix": "2017-10-02"}]}, {"time": "2017-10-03T18:43:48Z"}, False),
        ({"time": [{"prefix": "2"}]}, {"time": 2}, False),
    ],
    "Prefix matching while ignoring case": [
        (
            {"detail": {"service": [{"prefix": {"equals-ignore-case": "EventB"}}]}},
            {"detail": {"service": service}},
            matched,
        )
        for service, matched in {"EVENTBridge": True, "eventb": True, "Event": False}.items()
    ],
    "Suffix matching": [
        ({"FileName": [{"suffix": ".png"}]}, {"FileName": "a.png"}, True),
        ({"FileName": [{"suffix": ".png"}]}, {"FileName": "a.PNG"}, False),
    ],
    "Suffix matching while ignoring case": [
        (
            {"detail": {"FileName": [{"suffix": {"equals-ignore-case": ".png"}}]}},
            {"detail": {"FileName": name}},
            matched,
        )
        for name, matched in {"a.PNG": True, "a.png": True, "png": False}.items()
    ],
    "Anything-but matching": [
        (state({"anything-but": "initializing"}), PENDING, True),
        (state({"anything-but": "pending"}), PENDING, False),
        (state({"anything-but": "pending"}), {"detail": {}}, False),
        (limit({"anything-but": 123}), {"detail": {"x-limit": 124}}, True),
        (limit({"anything-but": 123}), {"detail": {"x-limit": 123.0}}, False),
        (limit({"anything-but": 123}), {"detail": {"x-limit": "123"}}, True),
        (limit({"anything-but": 1}), {"detail": {"x-limit": True}}, True),
        (state({"anything-but": ["stopped", "overloaded"]}), PENDING, True),
        (state({"anything-but": ["stopped", "pending"]}), PENDING, False),
        (limit({"anything-but": [100, 200, 300]}), {"detail": {"x-limit": 200}}, False),
        # The README: an event's list matches by any of its elements.
        (limit({"anything-but": [100]}), {"detail": {"x-limit": [100, 50]}}, True),
    ],
    "Anything-but matching while ignoring case": [
        (state({"anything-but": {"equals-ignore-case": "PENDING"}}), PENDING, False),
        (state({"anything-but": {"equals-ignore-case": ["init", "stop"]}}), PENDING, True),
    ],
    "Anything-but matching on prefixes": [
        (state({"anything-but": {"prefix": "init"}}), PENDING, True),
        (state({"anything-but": {"prefix": ["init", "pend"]}}), PENDING, False),
        (state({"anything-but": {"prefix": "1"}}), {"detail": {"state": 1}}, True),
    ],
    "Anything-but matching on suffixes": [
        (state({"anything-but": {"suffix": "ing"}}), PENDING, False),
        (state({"anything-but": {"suffix": [".png", ".rtf"]}}), PENDING, True),
    ],
    "Anything-but matching using wildcards": [
        (state({"anything-but": {"wildcard": "*/lib/*"}}), {"detail": {"state": "a/lib/b"}}, False),
        (state({"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}), PENDING, True),
    ],
    "README, operators on text match text only": [
        (state(test), {"detail": {"state": value}}, False)
        for value in (1, None, True)
        for test in (
            {"prefix": {"equals-ignore-case": "1"}},
            {"suffix": ""},
            {"suffix": {"equals-ignore-case": ""}},
            {"equals-ignore-case": "1"},
            {"wildcard": "*"},
        )
    ],
    "Numeric matching": [
        ({"detail": NUMBERS}, several(), True),
        ({"detail": NUMBERS}, several(**{"c-count": 0}), False),
        ({"detail": NUMBERS}, several(**{"c-count": 5.5}), False),
        ({"detail": NUMBERS}, several(**{"d-count": 10}), False),
        ({"detail": NUMBERS}, several(**{"d-count": "3"}), False),
        (limit({"numeric": [">=", 1]}), {"detail": {"x-limit": True}}, False),
        (limit({"numeric": ["<=", 300]}), {"detail": {"x-limit": 300.0}}, True),
    ],
    "IP address matching": [
        (state({"cidr": "10.0.0.0/24"}), {"detail": {"state": "10.0.0.255"}}, True),
        (state({"cidr": "10.0.0.9/24"}), {"detail": {"state": "10.0.0.0"}}, True),
        (state({"cidr": "10.0.0.0/24"}), {"detail": {"state": "10.0.1.0"}}, False),
        (state({"cidr": "10.0.0.0/24"}), {"detail": {"state": "localhost"}}, False),
        (state({"cidr": "10.0.0.0/24"}), {"detail": {"state": 167772161}}, False),
        (state({"cidr": "2001:db8::/32"}), {"detail": {"state": "2001:db8::1"}}, True),
        (state({"cidr": "fe80::/10"}), {"detail": {"state": "fe80::1%eth0"}}, False),
        (state({"cidr": "2001:db8::/32"}), {"detail": {"state": "10.0.0.1"}}, False),
    ],
    "Exists matching": [
        (state({"exists": True}), PENDING, True),
        (state({"exists": True}), {"detail": {"c-count": {"c1": 100}}}, False),
        (state({"exists": False}), PENDING, False),
        (state({"exists": False}), {"detail": {"c-count": {"c1": 100}}}, True),
        # "Exists matching only works on leaf nodes."
        ({"detail": {"c-count": [{"exists": True}]}}, {"detail": {"c-count": {"c1": 1}}}, False),
        ({"detail": {"c-count": [{"exists": False}]}}, {"detail": {"c-count": {"c1": 1}}}, True),
        ({"detail": {"c-count": [{"exists": False}]}}, {"detail": {"c-count": []}}, True),
        (state({"exists": True}), {"detail": {"state": None}}, True),
        ({"a": [{"exists": False}], "b": ["x"]}, {"b": "x"}, True),
        ({"a": [{"exists": False}], "b": ["x"]}, {"b": "y"}, False),
        ({"detail": {"state": ["on", {"exists": False}]}}, {"detail": {}}, True),
        ({"detail": {"state": ["on", {"exists": False}]}}, {"detail": {"state": "off"}}, False),
    ],
    "Equals-ignore-case matching": [
        (
            {"detail-type": [{"equals-ignore-case": "ec2 instance state-change notification"}]},
            PENDING,
            True,
        ),
        ({"source": [{"equals-ignore-case": "EC2"}]}, PENDING, False),
    ],
    "Matching using wildcards": [
        ({"EventBusArn": [{"wildcard": "*:event-bus/*"}]}, {"EventBusArn": "a:event-bus/b"}, True),
        ({"FileName": [{"wildcard": "dir/*.png"}]}, {"FileName": "dir/a.png"}, True),
        ({"FileName": [{"wildcard": "dir/*.png"}]}, {"FileName": "dir/.png"}, True),
        ({"FileName": [{"wildcard": "dir/*.png"}]}, {"FileName": "a/dir/a.png"}, False),
        ({"FileName": [{"wildcard": "a?c"}]}, {"FileName": "abc"}, False),
        ({"FileName": [{"wildcard": r"a\*\\"}]}, {"FileName": "a*\\"}, True),
        ({"FileName": [{"wildcard": r"a\*c"}]}, {"FileName": "abc"}, False),
        ({"FileName": [{"wildcard": "a*c"}]}, {"FileName": "a\nc"}, True),
    ],
    "Complex example with multiple matching": [
        (SEVERAL, several(), True),
        (SEVERAL, several(state="initializing"), False),
        (SEVERAL, several(**{"x-limit": 200}), False),
    ],
    "Complex example with $or matching": [
        (OR, {"detail": {"c-count": 3, "d-count": 12, "x-limit": 1}}, True),
        (OR, {"detail": {"c-count": 6, "d-count": 9}}, True),
        (OR, {"detail": {"x-limit": 301.8}}, True),
        (OR, {"detail": {"c-count": 6, "d-count": 10, "x-limit": 301}}, False),
        ({"$or": [{"Location": ["New York"]}, {"Day": ["Monday"]}]}, {"Day": "Monday"}, True),
    ],
    'README, nested "Or" and "And"': [
        (SOURCE_AND, {"source": "aws.cloudwatch", "scope": "Service"}, True),
        (SOURCE_AND, {"source": "aws.ec2", "scope": "Service"}, False),
        (
            SOURCE_AND,
            {
                "source": "aws.cloudwatch",
                "metricType": "MetricType",
                "namespace": "AWS/ES",
                "spaceId": 1000,
            },
            True,
        ),
        (
            SOURCE_AND,
            {"source": "aws.cloudwatch", "metricType": "MetricType", "namespace": "AWS/ES"},
            False,
        ),
    ],
    "JsonRuleCompiler, a field within $or and beside it: the last list stays": [
        ({"a": ["1"], "$or": [{"a": ["2"]}, {"b": ["3"]}]}, {"a": "2"}, True),
        ({"a": ["1"], "$or": [{"a": ["2"]}, {"b": ["3"]}]}, {"a": "1"}, False),
        ({"a": ["1"], "$or": [{"a": ["2"]}, {"b": ["3"]}]}, {"a": "1", "b": "3"}, True),
    ],
    "Arrays in event patterns": [
        (
            {"resources": [EC2.format(n) for n in ("123456789012", "111122223333")]},
            {"resources": ["arn:aws:autoscaling:us-east-1", EC2.format("123456789012")]},
            True,
        ),
        ({"resources": [EC2.format("111122223333")]}, {"resources": []}, False),
    ],
    "README, JSON Array Matching": [
        ({"employees": {"firstName": ["Anna"]}}, EMPLOYEES, True),
        ({"employees": {"firstName": ["Anna"], "lastName": ["Smith"]}}, EMPLOYEES, True),
        ({"employees": {"firstName": ["Anna"], "lastName": ["Jones"]}}, EMPLOYEES, False),
        (
            {"employees": {"firstName": ["Anna"]}},
            {"employees": [EMPLOYEES["employees"][:2], EMPLOYEES["employees"][2:]]},
            True,
        ),
    ],
    "NameState.getNameTransitions: absent is asked within the element that matched so far": [
        ({"e": {"b": [{"exists": False}]}}, {"e": [{"a": 1}, {"b": 2}]}, False),
        ({"e": {"a": [1], "b": [{"exists": False}]}}, {"e": [{"a": 1}, {"b": 2}]}, True),
    ],
    "README, JSON keys with dots": [
        ({"detail": {"state.status": ["on"]}}, {"detail": {"state": {"status": "on"}}}, True),
        ({"detail": {"state": {"status": ["on"]}}}, {"detail": {"state.status": "on"}}, True),
    ],
    "Null values and empty strings": [
        ({"detail": {"eventVersion": [""]}}, LAUNCHED, True),
        ({"detail": {"responseElements": [None]}}, LAUNCHED, True),
        ({"detail": {"eventVersion": [None]}}, LAUNCHED, False),
        ({"detail": {"responseElements": [""]}}, LAUNCHED, False),
    ],
    "Event pattern syntax: strings as they are, numbers by their text": [
        ({"source": ["aws.EC2"]}, PENDING, False),
        ({"a": [300]}, {"a": 300}, True),
        ({"a": [300]}, {"a": 300.0}, False),
        ({"a": [300.0]}, {"a": 3.0e2}, True),  # one value in Python, where AWS sees two texts
        ({"a": [300]}, {"a": "300"}, False),
        ({"a": [1]}, {"a": True}, False),
        ({"a": [True]}, {"a": True}, True),
        ({"a": [False]}, {"a": None}, False),
    ],
}
ONE_BY_ONE = [
    pytest.param(*case, id=f"{heading}-{number}")
    for heading, cases in CASES.items()
    for number, case in enumerate(cases)
]


@pytest.mark.parametrize(("pattern", "event", "expected"), ONE_BY_ONE)
def test_a_documented_pattern_matches_what_it_is_said_to_match(
    pattern: dict[str, Any], event: dict[str, Any], expected: bool
) -> None:
    assert matches(pattern, event) is expected


MALFORMED = {
    "an empty pattern": ({}, "An event pattern"),
    "a value that is no list": ({"detail": {"status": "NEW"}}, "detail.status"),
    "an empty list": ({"source": []}, "source"),
    "a list in a list": ({"source": [["a"]]}, "source"),
    "two operators in one": ({"a": [{"prefix": "a", "suffix": "b"}]}, "a: an operator"),
    "a prefix of a number": ({"a": [{"prefix": 1}]}, "a:"),
    "an unknown way of a suffix": ({"a": [{"suffix": {"wildcard": "*"}}]}, "a:"),
    "text that is none": ({"a": [{"equals-ignore-case": ["a"]}]}, "a:"),
    "wildcards in a row": ({"a": [{"wildcard": "a**"}]}, "follow each other"),
    "a stray backslash": ({"a": [{"wildcard": r"a\b"}]}, "backslash"),
    "a block of a name": ({"a": [{"cidr": "localhost/24"}]}, "cidr"),
    "a number for comparisons": ({"a": [{"numeric": 1}]}, "numeric"),
    "no comparison": ({"a": [{"numeric": []}]}, "numeric"),
    "an unknown comparison": ({"a": [{"numeric": ["!=", 1]}]}, "numeric"),
    "a comparison of text": ({"a": [{"numeric": ["=", "1"]}]}, "numeric"),
    "the upper bound first": ({"a": [{"numeric": ["<", 5, ">", 1]}]}, "numeric"),
    "an upper bound that is a lower": ({"a": [{"numeric": [">", 1, ">=", 5]}]}, "numeric"),
    "a lower bound that is an upper": ({"a": [{"numeric": ["<=", 1, "<", 5]}]}, "numeric"),
    "bounds that nothing is between": ({"a": [{"numeric": [">", 5, "<", 5]}]}, "numeric"),
    "exists by a number": ({"a": [{"exists": 0}]}, "exists"),
    "an address alone": ({"a": [{"cidr": "10.0.0.1"}]}, "cidr"),
    "a block of one address": ({"a": [{"cidr": "10.0.0.1/32"}]}, "cidr"),
    "anything but null": ({"a": [{"anything-but": None}]}, "anything-but"),
    "anything but nothing": ({"a": [{"anything-but": []}]}, "anything-but"),
    "anything but of two kinds": ({"a": [{"anything-but": [1, "a"]}]}, "anything-but"),
    "anything but no prefix": ({"a": [{"anything-but": {"prefix": []}}]}, "prefix"),
    "anything but any prefix": ({"a": [{"anything-but": {"prefix": ""}}]}, "prefix"),
    "one alternative": ({"$or": [{"a": [1]}]}, r"\$or"),
    "a value without its list": (
        {"source": "shop"},
        "source must be an object with fields, or a list of values: shop.",
    ),
    "an alternative that is no pattern": ({"$or": [{"a": [1]}, 2]}, "must be an object"),
    "too many alternatives": ({x: {"$or": [{"a": [1]}] * 11} for x in "xyz"}, "1331"),
    "what is no JSON": ({"a": [float("nan")]}, "JSON"),
}


@pytest.mark.parametrize(("pattern", "named"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_pattern_is_refused_before_any_event_comes(pattern: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        check_pattern(pattern)


def test_a_thousand_alternatives_are_taken() -> None:
    pattern = {name: {"$or": [{"a": [n]} for n in range(10)]} for name in "xyz"}

    check_pattern(pattern)

    assert matches(pattern, {name: {"a": 9} for name in "xyz"})


@pytest.mark.parametrize(
    "test",
    [
        {"regex": "a"},
        {"anything-but": {"cidr": "10.0.0.0/8"}},
        {"anything-but": {"prefix": "a", "suffix": "b"}},
    ],
    ids=["alone", "negated", "negated together"],
)
def test_an_unknown_operator_is_refused_by_its_name_and_field(test: dict[str, Any]) -> None:
    name = ", ".join(test.get("anything-but", test))

    with pytest.raises(UnknownCallError, match=f"detail.state: .*{name}"):
        check_pattern(state(test))


def an_entry(**changes: Any) -> dict[str, Any]:
    return {"Source": "shop", "DetailType": "Sold", "Detail": '{"units":1}'} | changes


def test_an_entry_arrives_at_a_target_as_an_event_with_its_detail_decoded() -> None:
    put = datetime(2026, 1, 31, 9, 0, 0, 999999, tzinfo=UTC)

    event = envelope(an_entry(Resources=["arn:one"]), event_id="id-1", time=put)

    assert event == {
        "version": "0",
        "id": "id-1",
        "detail-type": "Sold",
        "source": "shop",
        "account": "000000000000",
        "time": "2026-01-31T09:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:one"],
        "detail": {"units": 1},
    }
    assert envelope(an_entry(), event_id="id-1", time=put)["resources"] == []


@pytest.mark.parametrize(
    "time",
    [
        datetime(2026, 1, 31, 10, tzinfo=timezone(timedelta(hours=1))),
        datetime(2026, 1, 31, 9),
        "2026-01-31T09:00:00Z",
        1769850000,
    ],
    ids=["of another zone", "of no zone", "as text", "in seconds"],
)
def test_the_time_of_an_entry_is_the_time_of_its_event(time: Any) -> None:
    put = datetime(2026, 2, 1, tzinfo=UTC)

    event = envelope(an_entry(Time=time), event_id="id-1", time=put)

    assert event["time"] == "2026-01-31T09:00:00Z"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "without a source": (an_entry(Source=None), "InvalidArgument"),
    "with an empty type": (an_entry(DetailType=""), "InvalidArgument"),
    "without a detail": ({"Source": "shop", "DetailType": "Sold"}, "InvalidArgument"),
    "with a long type": (an_entry(DetailType="a" * 129), "InvalidArgument"),
    "with a source of AWS": (an_entry(Source="aws.ec2"), "NotAuthorizedForSourceException"),
    "with a broken detail": (an_entry(Detail="{"), "MalformedDetail"),
    "with a list for detail": (an_entry(Detail="[]"), "MalformedDetail"),
    "with NaN": (an_entry(Detail='{"a":NaN}'), "MalformedDetail"),
}


@pytest.mark.parametrize(("entry", "code"), REFUSED.values(), ids=REFUSED)
def test_an_entry_is_refused_by_itself(entry: dict[str, Any], code: str) -> None:
    refused = refusal(entry)

    assert refused is not None
    assert refused["ErrorCode"] == code


def test_an_entry_that_is_complete_is_taken() -> None:
    assert refusal(an_entry()) is None
    assert refusal(an_entry(Source="aws", DetailType="a" * 128, Detail="{}")) is None


def test_a_request_takes_ten_entries_and_a_megabyte() -> None:
    padding = 1024 * 1024 - len('shopSold{"a":""}')
    large = an_entry(Detail=json.dumps({"a": "a" * padding}, separators=(",", ":")))

    refused = [refused_request(entries) for entries in ([], [an_entry()] * 11)]
    too_large = [refused_request([large, an_entry()]), refused_request([large | {"Time": 1}])]

    assert [failure and failure.code for failure in refused] == ["ValidationException"] * 2
    assert [failure and failure.message for failure in too_large] == [
        "Total size of the entries in the request is over the limit."
    ] * 2
    assert refused_request([an_entry()] * 10) is None
    assert refused_request([large]) is None


def test_a_bus_is_known_by_its_name_its_arn_or_by_default() -> None:
    arn = "arn:aws:events:us-east-1:000000000000:event-bus/shop"

    named = [bus(an_entry()), bus(an_entry(EventBusName="shop")), bus(an_entry(EventBusName=arn))]

    assert named == ["default", "shop", "shop"]
