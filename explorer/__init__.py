"""Crash-testing of Lambda handlers: every crash, duplicate, loss and reorder within bounds."""
