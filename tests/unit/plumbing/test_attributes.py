"""DynamoDB's typed values: as boto3 writes and reads them."""

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as some

from plumbing.attributes import attribute, attributes, plain, plains

# DynamoDB's numbers have 38 digits.
whole = some.integers(-(10**38) + 1, 10**38 - 1)
values = some.recursive(
    some.none() | some.booleans() | whole | some.text(),
    lambda parts: some.lists(parts, max_size=3) | some.dictionaries(some.text(), parts, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("text", ["7", "-7"])
def test_a_whole_number_is_read_as_an_integer(text: str) -> None:
    assert type(plain({"N": text})) is int


@given(values)
def test_a_value_is_written_and_read_as_boto3_does(value: Any) -> None:
    written = attribute(value)

    assert written == TypeSerializer().serialize(value)
    assert plain(written) == value == TypeDeserializer().deserialize(written)


@pytest.mark.parametrize(
    "stored",
    [{"N": "12.50"}, {"N": "-0.1"}, {"N": "1E+3"}, {"S": ""}, {"BOOL": False}, {"L": []}],
)
def test_what_others_may_have_stored_is_read_as_boto3_does(stored: Any) -> None:
    assert plain(stored) == TypeDeserializer().deserialize(stored)


@pytest.mark.parametrize("stored", [{"SS": ["a", "b"]}, {"NS": ["1"]}, {"B": b"bytes"}])
def test_what_is_never_stored_here_can_be_read_past(stored: Any) -> None:
    assert plains({"sku": {"S": "SKU-1"}, "theirs": stored})["sku"] == "SKU-1"


@pytest.mark.parametrize("value", [1.5, Decimal("1.5"), b"bytes", Binary(b"bytes"), {1, 2}, (1,)])
def test_what_is_never_stored_here_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=f"a {type(value).__name__} cannot be stored"):
        attributes({"amountCents": value})
