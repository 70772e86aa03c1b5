"""Explores the peers and writes docs/explored.md."""

from bench.explored.page import PAGE, page

PAGE.write_text(page())
