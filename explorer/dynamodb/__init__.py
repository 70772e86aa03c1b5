"""DynamoDB in memory: what it answers to a call, and what the call changes."""

from explorer.dynamodb.operations import DynamoDB, Outcome
from explorer.dynamodb.tables import Items, key_text
from explorer.dynamodb.values import Item, Value, canonical_item

__all__ = ["DynamoDB", "Item", "Items", "Outcome", "Value", "canonical_item", "key_text"]
