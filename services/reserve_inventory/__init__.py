"""Hold the stock of an order, all or nothing."""
