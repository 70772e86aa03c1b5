"""How fast the saga is, and what it costs, beside what people would write instead."""
