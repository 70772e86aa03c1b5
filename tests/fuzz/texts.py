"""Texts and JSON as nobody sends them by mistake."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

# Deeper than any Python here can follow; deeper than some can; and just deep.
DEPTHS = st.sampled_from([50, 900, 1_000, 3_000, 20_000])
# What ends tools that trust: controls, markup, half a surrogate pair, digits that are not ASCII.
ODD = [
    *("", "\x00", "\x1b[2J", "[/]", ":100:", "\ud800", "\u202e", "\uff11", "a,a", "\r\nX: y"),
    *("\U0001f600", "\u017f", "\u2028"),
]

texts = st.one_of(st.text(max_size=20), st.sampled_from(ODD))
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(2**63, 2**70),
        st.floats(),
        texts,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
nested = st.builds(
    lambda depth, how: how[0] * depth + how[1] * depth,
    DEPTHS,
    st.sampled_from([("[", "]"), ('{"a":', "}"), ("[", ""), ('[{"a":', "}]")]),
)


def json_texts(likely: Mapping[str, Any]) -> st.SearchStrategy[str]:
    """Return JSON and what is nearly JSON: `likely` with some fields changed, nested, cut off."""
    objects = st.builds(
        lambda kept, changed: {**{name: likely[name] for name in kept}, **changed},
        st.lists(st.sampled_from(sorted(likely)), unique=True),
        st.dictionaries(st.one_of(st.sampled_from(sorted(likely)), texts), values, max_size=3),
    )
    dumped = st.one_of(objects, values).map(json.dumps)
    return st.one_of(
        dumped,
        st.builds(_with_field, dumped, texts, nested),
        st.builds(lambda text, end: text[:end], dumped, st.integers(0, 40)),
        nested,
        st.text(max_size=40),
        st.sampled_from(["9" * 5_000, "1e999", "-0", "NaN", "Infinity", '"\\ud800"', "\ufeff{}"]),
    )


def _with_field(text: str, name: str, value: str) -> str:
    """Add a field whose value is JSON text, to an object."""
    if not text.startswith("{") or text == "{}":
        return value
    return f"{text[:-1]}, {json.dumps(name)}: {value}}}"
