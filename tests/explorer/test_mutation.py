"""Mutants: which are made, and what becomes of them."""

import ast
import importlib
import os
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest

from explorer import mutation
from explorer.mutation import Check, Mutant, Report, Verdict, mutants, overlay, run, traced

SHOP = dedent(
    '''
    """A shop."""

    from typing import TYPE_CHECKING, Protocol

    if TYPE_CHECKING:
        from nowhere import Client

    class Shelf(Protocol):
        """Where things are."""

        def take(self, count: int = 1) -> bool:
            """Take some."""

    def sell(shelf, bus, log, count: int) -> int:
        """Sell some."""
        taken = shelf.take(count, retries=3)
        if taken and not shelf.closed:
            bus.publish("Sold")
        log("sold", count=count)
        try:
            shelf.tidy()
        except ValueError:
            raise RuntimeError("call somebody")
        return count + 1
    '''
)


def _changes(text: str, kind: str = "") -> list[str]:
    return [one.change for one in mutants("shop.py", dedent(text)) if kind in ("", one.kind)]


def test_every_part_of_what_a_function_does_is_changed_and_what_it_says_is_not() -> None:
    changes = _changes(SHOP)

    assert changes == [
        '`bus.publish("Sold")` before `taken = shelf.take(count, retries=3)`',
        "`retries=3` dropped",
        "`3` becomes 4",
        "`3` becomes 2",
        "`3` becomes 0",
        "condition `taken and not shelf.closed` becomes True",
        "condition `taken and not shelf.closed` becomes False",
        "`taken` dropped from `taken and not shelf.closed`",
        "`not shelf.closed` dropped from `taken and not shelf.closed`",
        "`not shelf.closed` becomes `shelf.closed`",
        '`bus.publish("Sold")` removed',
        '`"Sold"` becomes `other`',
        "`shelf.tidy()` removed",
        "`except ValueError` does not catch",
        "`except ValueError` does nothing",
        "`return count + 1` becomes `return None`",
        "`count + 1` calculates by `-`",
        "`1` becomes 2",
        "`1` becomes 0",
    ]


def test_a_mutant_differs_in_its_place_alone() -> None:
    made = {one.change: one for one in mutants("shop.py", SHOP)}

    dropped = made["`retries=3` dropped"]
    first = made['`bus.publish("Sold")` before `taken = shelf.take(count, retries=3)`']

    assert dropped.source == SHOP.replace(", retries=3", "")
    assert 'bus.publish("Sold")\n    taken = ' in first.source
    assert "        pass\n" in first.source
    assert dropped.lines == (17, 17)


@pytest.mark.parametrize(
    ("text", "kind", "changes"),
    [
        ("x = a == b", "comparison", ["`==` becomes `!=` in `a == b`"]),
        ("x = a not in b", "comparison", ["`not in` becomes `in` in `a not in b`"]),
        (
            "x = a < b <= c",
            "comparison",
            ["`<` becomes `<=` in `a < b <= c`", "`<=` becomes `<` in `a < b <= c`"],
        ),
        (
            "x = order.status == 'SOLD'",
            "condition",
            [
                "condition `order.status == 'SOLD'` becomes True",
                "condition `order.status == 'SOLD'` becomes False",
            ],
        ),
        ("x = {'a': 1, **b}", "entry", ["entry `'a'` dropped", "entry `**b` dropped"]),
        ("x = [a, *b]", "element", ["element `a` dropped", "element `*b` dropped"]),
        ("a, b = c, d", "element", []),
        ("x = f'on {day}' + 'sale'", "arithmetic", []),
        ("raise ValueError('not for sale')", "string", []),
        ("@retry(3)\ndef f():\n    pass", "decorator", ["`@retry(3)` removed"]),
        ("class A(B, frozen=True, rename='camel'): pass", "keyword", ["`rename='camel'` dropped"]),
        (
            "pay(idempotency_key=order.id)",
            "key",
            [
                f"the key is `{key}` instead of `order.id`"
                for key in ("None", "__import__('uuid').UUID(int=1)", "__import__('uuid').uuid4()")
            ],
        ),
        (
            "match a:\n    case 1:\n        x = 2\n    case _:\n        x = 3",
            "case",
            ["`case 1` removed", "`case _` removed"],
        ),
        ("x: Annotated[int, Meta(ge=2)]", "keyword", ["`ge=2` dropped"]),
        ("Name = Annotated[str, Meta(max_length=2)]", "keyword", ["`max_length=2` dropped"]),
    ],
)
def test_each_kind_of_change_is_made_where_it_means_something(
    text: str, kind: str, changes: list[str]
) -> None:
    assert _changes(text, kind) == changes


def test_a_clause_of_a_condition_goes_on_using_its_names_and_values() -> None:
    text = 'condition = f"#status = :expected AND attribute_exists(#{name})"\n'

    made = [one.source for one in mutants("shop.py", text) if one.kind == "expression"]

    assert made == [
        text.replace("#status = :expected", expression)
        for expression in (
            "(#status = :expected OR NOT #status = :expected)",
            "#status <> :expected",
        )
    ] + [
        text.replace("attribute_exists(#{name})", expression)
        for expression in (
            "(attribute_exists(#{name}) OR NOT attribute_exists(#{name}))",
            "attribute_not_exists(#{name})",
        )
    ]


def test_an_update_is_changed_in_what_it_sets() -> None:
    text = 'change = "SET #left = #left - :units, #history = list_append(#history, :step)"\n'

    changes = _changes(text, "expression")

    assert changes == [
        "`#left = #left - :units` changes nothing",
        "`#history = list_append(#history, :step)` changes nothing",
        "`list_append(#history, :step)` the other way round",
        "`#left - :units` becomes `#left + :units`",
    ]


def test_the_name_of_a_mutant_stays_when_lines_move() -> None:
    moved = "# a comment\n\n" + SHOP

    names = [one.id for one in mutants("shop.py", moved)]

    assert names == [one.id for one in mutants("shop.py", SHOP)]
    assert len(set(names)) == len(names)
    assert "shop.py:sell:keyword:`retries=3` dropped" in names


def test_two_equal_changes_in_a_function_have_names_of_their_own() -> None:
    names = [one.id for one in mutants("shop.py", "def f():\n    g(a=b)\n    h(a=b)\n")]

    assert "shop.py:f:keyword:`a=b` dropped" in names
    assert "shop.py:f:keyword:`a=b` dropped:2" in names


def test_all_mutants_of_a_file_can_be_read_and_none_is_made_twice() -> None:
    text = Path(mutation.__file__).with_name("changes.py").read_text()

    made = mutants("changes.py", text)

    for one in made:
        ast.parse(one.source)
    assert len({one.source for one in made}) == len(made) > 300


def test_another_source_is_imported_instead_of_the_one_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shelf_of_mutants").mkdir()
    file = tmp_path / "shelf_of_mutants" / "__init__.py"
    file.write_text("left = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = importlib.import_module("shelf_of_mutants")

    with overlay({file: "left = 2\n"}, {"shelf_of_mutants"}):
        meanwhile = importlib.import_module("shelf_of_mutants")

    assert (before.left, meanwhile.left) == (1, 2)
    assert sys.modules["shelf_of_mutants"] is before


def test_the_lines_that_run_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "traced_by_mutants.py"
    file.write_text("def f(a):\n    if a:\n        return 1\n    return 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("traced_by_mutants")

    with traced([tmp_path]) as lines:
        module.f(False)

    assert lines == {(str(file), 2), (str(file), 4)}


def _mutant(name: str) -> Mutant:
    return Mutant(f"shop.py:f:{name}", "shop.py", 1, "constant", name, "")


def _dies(mutant: Mutant) -> str | None:
    match mutant.change:
        case "wrong":
            return "it is wrong"
        case "raises":
            raise ValueError("no")
        case "ends":
            os._exit(3)
        case "endless":
            while True:
                time.sleep(0)
    return None


def test_a_mutant_is_killed_by_what_a_check_says_or_raises_or_never_ends() -> None:
    names = ["wrong", "raises", "ends", "endless", "survives"]
    checks = [
        Check("first", lambda mutant: None),
        Check("second", _dies, limit=lambda mutant: 0.2),
    ]

    verdicts = {one.mutant.change: one for one in run([_mutant(name) for name in names], checks)}

    assert {name: (one.killed_by, one.why) for name, one in verdicts.items()} == {
        "wrong": ("second", "it is wrong"),
        "raises": ("second", "ValueError: no"),
        "ends": ("second", "its process ends"),
        "endless": ("second", "it does not end"),
        "survives": ("", ""),
    }


def _verdict(name: str, killed_by: str = "") -> Verdict:
    return Verdict(_mutant(name), killed_by, "", 0)


def test_a_report_passes_when_each_survivor_is_excused_and_each_excuse_is_needed() -> None:
    verdicts = [_verdict("a", "tests"), _verdict("b"), _verdict("c one"), _verdict("c two")]
    excuses = {
        "shop.py:f:b": "the same",
        "shop.py:f:c*": "of no use",
        "else.py:f:x": "not looked at",
    }

    report = Report(verdicts, excuses)

    assert report.passes
    assert [reason for _, reason in report.excused] == ["the same", "of no use", "of no use"]
    assert list(report.lines()) == ["4 mutants: 1 killed (1 by tests), 3 excused, 0 survived."]


def test_a_report_names_what_survived_and_what_is_excused_for_nothing() -> None:
    report = Report([_verdict("a", "tests"), _verdict("b")], {"shop.py:f:a": "the same"})

    lines = list(report.lines())

    assert not report.passes
    assert lines == [
        "survived: shop.py:1 b",
        "          shop.py:f:b",
        "no longer excused, because nothing survives: shop.py:f:a",
        "2 mutants: 1 killed (1 by tests), 0 excused, 1 survived.",
    ]
    assert report.as_json()["survivors"][0]["id"] == "shop.py:f:b"
