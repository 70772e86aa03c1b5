"""Take orders over HTTP, store each one and publish it."""
