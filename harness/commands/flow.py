"""Check the flow of events and draw it: flow."""

from __future__ import annotations

import argparse
import time

from harness import environment
from harness.commands.command import Command
from harness.deploy import synthesize
from harness.emulator import ROOT
from harness.errors import UserError
from harness.flow.check import check
from harness.flow.files import documents
from harness.flow.flow import Flow
from harness.flow.read import find, read
from harness.terminal import Progress, say


def _flow_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; fail if out of date")


def flow(call: argparse.Namespace) -> int:
    """Check the flow of events, as declared and as deployed, and draw it into docs/flow/."""
    progress = Progress()
    progress("Synthesizing the CDK app")
    assembly = synthesize(environment.HOME)
    progress.done()
    begun = time.monotonic()
    found = find(assembly)
    read_flow = read(found)
    findings = check(read_flow)
    for finding in findings:
        say(finding)
    if findings:
        raise UserError(
            f"The flow is not consistent: {len(findings)} as above. Nothing is written."
        )
    texts = documents(read_flow, found.contracts)
    changed = [
        path for path, text in texts.items() if not path.exists() or path.read_text() != text
    ]
    names = ", ".join(str(path.relative_to(ROOT)) for path in changed)
    if changed and call.check:
        raise UserError(f"Out of date: {names}. `saga flow` writes them.")
    for path in changed:
        path.parent.mkdir(exist_ok=True)
        path.write_text(texts[path])
    wrote = f"Wrote {names}." if changed else "Nothing to write."
    say(
        f"{_counted(read_flow)}: consistent. {wrote} ",
        (f"{time.monotonic() - begun:.2f} s", "dim"),
    )
    return 0


def _counted(flow: Flow) -> str:
    beside = sum(service.republishes for service in flow.services)
    counts = {
        "services": len(flow.services) - beside,
        "events": len(flow.events),
        "statuses": len(flow.statuses),
        "rules": len(flow.rules),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items())


COMMANDS = (Command(flow, _flow_options, deployed=False),)
