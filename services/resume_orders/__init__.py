"""Publish again the last event of every order that is stalled."""
