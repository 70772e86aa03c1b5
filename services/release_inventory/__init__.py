"""Compensate: release the stock of an order whose payment failed."""
