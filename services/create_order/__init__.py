"""Take orders over HTTP, store each one and say so."""
