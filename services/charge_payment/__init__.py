"""Charge the card of an order, once: the pivot of the saga."""
