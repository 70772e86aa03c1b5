"""The mechanism all services need, and no word of what any of them does."""
