"""Say again what was last said of orders that stand still."""
