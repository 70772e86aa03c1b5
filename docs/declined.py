"""Record docs/declined.svg, the animated picture of the README: `make picture`.

It starts a local environment, runs `./saga trigger --scenario declined` and `./saga trace` as a
person does, and draws what they print, piece by piece as it came. The times in the text are real;
the playback is slower than they are, so that it can be read.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from harness import environment
from harness.emulator import ROOT
from harness.orders import SCENARIOS, Orders

PICTURE = Path(__file__).with_name("declined.svg")
ROW, LEFT, TOP, LETTER = 22, 20, 54, 8.4
TYPED_SECONDS, PIECE_SECONDS, READ_SECONDS = 0.9, 0.7, 6.0
COLOURS = {"2": "#8b949e", "32": "#3fb950", "33": "#f0a03c"}
PLAIN, PROMPT = "#e6edf3", "#79c0ff"


class Piece(NamedTuple):
    """Some text on a line, its column and colour, and after how many seconds it appears."""

    line: int
    column: int
    text: str
    colour: str
    at: float


def main() -> None:
    """Record, and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        running, _ = environment.up(home, None, print)
        try:
            with Orders(running.api_url) as orders:
                orders.ended(orders.place(SCENARIOS["declined"]))  # the functions are warm now
            triggered = _saga(home, "trigger", "--scenario", "declined")
            order_id = json.loads(triggered.splitlines()[-1])["orderId"]
            traced = _saga(home, "trace", order_id)
        finally:
            environment.down(home)
    short = {order_id: f"{order_id[:8]}…", order_id.replace("-", ""): f"{order_id[:8]}…"}
    shell = [
        ("./saga trigger --scenario declined", triggered),
        (f"./saga trace {order_id[:8]}…", traced),
    ]
    for long, text in short.items():
        shell = [(command, output.replace(long, text)) for command, output in shell]
    PICTURE.write_text(draw(list(_pieces(shell))))
    print(f"Wrote {PICTURE.relative_to(ROOT)}.")


def _saga(home: Path, *arguments: str) -> str:
    """Run the `saga` command and return its output, colours included."""
    return subprocess.run(
        [sys.executable, "-m", "harness", "--home", str(home), *arguments],
        cwd=ROOT,
        env=os.environ | {"FORCE_COLOR": "1", "TERM": "xterm-256color"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _pieces(shell: list[tuple[str, str]]) -> Iterator[Piece]:
    line, at = 0, 0.4
    for command, output in shell:
        yield Piece(line, 0, "$ ", PROMPT, at)
        yield Piece(line, 2, command, PLAIN, at)
        at, line = at + TYPED_SECONDS, line + 1
        for text in output.splitlines():
            at += PIECE_SECONDS
            column, colour = 0, PLAIN
            for code, plain in re.findall(r"\x1b\[([\d;]*)m|([^\x1b]+)", _cut(text)):
                if not plain:
                    colour = COLOURS.get(code, PLAIN)
                    continue
                # A status of the order appears when the order came to it, one after the other.
                at += PIECE_SECONDS if plain.lstrip(" ").startswith("─") else 0
                yield Piece(line, column, plain, colour, at)
                column += len(plain)
            line += 1
        at, line = at + TYPED_SECONDS, line + 1


def _cut(text: str) -> str:
    return re.sub(r'("reservationId": "\w{8})[^"]*', r"\1…", text)


def draw(pieces: list[Piece]) -> str:
    """Draw pieces of text that appear one after the other, again and again."""
    whole = pieces[-1].at + READ_SECONDS
    height = TOP + ROW * (pieces[-1].line + 1)
    width = round(2 * LEFT + LETTER * max(piece.column + len(piece.text) for piece in pieces))
    times = sorted({piece.at for piece in pieces})
    styles = [
        f"@keyframes p{number}{{0%,{100 * at / whole:.2f}%{{opacity:0}}"
        f"{100 * at / whole + 0.01:.2f}%,100%{{opacity:1}}}}"
        f".p{number}{{animation:p{number} {whole:.1f}s infinite}}"
        for number, at in enumerate(times)
    ]
    texts = [
        f'<text class="p{times.index(piece.at)}" x="{LEFT + LETTER * piece.column:.1f}" '
        f'y="{TOP + ROW * piece.line}" fill="{piece.colour}" xml:space="preserve" '
        f'textLength="{LETTER * len(piece.text):.1f}">{escape(piece.text)}</text>'
        for piece in pieces
        if piece.text.strip()
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" '
            f'height="{height}" viewBox="0 0 {width} {height}" aria-labelledby="title">',
            '<title id="title">A terminal: an order whose card is declined goes from CREATED to '
            "INVENTORY_RESERVED and PAYMENT_FAILED, and is compensated: INVENTORY_RELEASED."
            "</title>",
            "<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}",
            *styles,
            "@media(prefers-reduced-motion:reduce){text{animation:none!important}}</style>",
            f'<rect width="{width}" height="{height}" rx="10" fill="#0d1117"/>',
            *(
                f'<circle cx="{LEFT + 6 + 20 * dot}" cy="20" r="6" fill="{fill}"/>'
                for dot, fill in enumerate(("#ff5f57", "#febc2e", "#28c840"))
            ),
            *texts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    main()
