"""The flow of the saga: what `saga flow` reads, finds wrong and draws."""
