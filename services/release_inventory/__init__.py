"""Compensate: give back the stock of an order whose payment failed."""
