"""The flow of the saga: what `saga map` reads, finds wrong and draws."""
