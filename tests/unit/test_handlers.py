"""A handler is wiring: short enough to be read at a glance."""

import ast
import re

import pytest

from harness.emulator import ROOT
from harness.saga import SERVICES

MAX_LINES = 30


@pytest.mark.parametrize("service", SERVICES)
def test_a_handler_has_few_lines_of_code(service: str) -> None:
    text = (ROOT / "services" / service / "handler.py").read_text()
    documented = set[int]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            docstring = node.body[0]
            documented |= set(range(docstring.lineno, (docstring.end_lineno or 0) + 1))

    code = [
        line
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.strip().startswith("#") and number not in documented
    ]

    assert len(code) <= MAX_LINES


@pytest.mark.parametrize("service", SERVICES)
def test_a_handler_makes_no_call_that_does_not_fit_into_its_time(service: str) -> None:
    text = (ROOT / "services" / service / "handler.py").read_text()

    assert re.search(r"^@within_time\(.*\ndef handle\(", text, re.MULTILINE)
