"""Start, stop and change the local environment: up, down, demo, deploy, build, provision, logs."""

from __future__ import annotations

import argparse
import time

from harness import emulator, environment, images, releases
from harness.commands.command import Command, add_services, port, url
from harness.commands.orders import place_and_follow
from harness.deploy import synthesize
from harness.errors import UserError
from harness.logs import lines
from harness.orders import SCENARIOS, Orders
from harness.saga import SERVICES
from harness.terminal import Progress, say


def _up_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=port, help="the emulator's port (default: a free one)")
    parser.add_argument("--detach", action="store_true", help="leave it running and return")


def up(call: argparse.Namespace) -> int:
    """Start the environment; stay with it until Ctrl-C, or detach."""
    running = environment.find(call.home, call.prefix)
    if running:
        stop = "saga down" if running.emulator else "docker compose down"
        say(f"Running already: {running.api_url} (`{stop}` stops it)")
        return 0
    progress = Progress()
    started, process = environment.up(call.home, call.port, progress, call.prefix)
    progress.done()
    _print_api(started.api_url)
    if call.detach:
        say("Stop it:         ./saga down")
        emulator.detach(process)
        return 0
    say("Stop it:         Ctrl-C")
    try:
        while process.lives(call.home):
            time.sleep(0.5)
        if environment.is_noted(call.home, started):
            raise UserError(f"The emulator ended by itself: {emulator.last_line(call.home)}")
        say("Stopped by `saga down`.")
        return 0
    finally:
        # What another command started here since is not this one's to stop.
        if environment.is_noted(call.home, started):
            environment.down(call.home)


def down(call: argparse.Namespace) -> int:
    """Stop the environment, whatever its prefix."""
    environment.wait_for_others(call.home, say)
    stopped = [environment.down(call.home), environment.down_demo(call.home)]
    if not any(stopped) and environment.find(call.home, call.prefix):
        raise UserError("It runs in docker compose: stop it by `docker compose down`.")
    say("Stopped." if any(stopped) else "Nothing was running.")
    return 0


def demo(call: argparse.Namespace) -> int:
    """Start, run the three scenarios, stop: in a home of its own, beside whatever else runs."""
    home = environment.demo_home(call.home)
    with environment.explained(home), environment.alone(home, "demo"):
        environment.down(home)
        progress = Progress()
        begun = time.monotonic()
        started, _ = environment.up(home, None, progress)
        progress.done()
        try:
            say()
            say(f"Three orders to {started.api_url}")
            say()
            with Orders(started.api_url) as orders:
                code = place_and_follow(orders, list(SCENARIOS.items()), 60)
        finally:
            environment.down(home)
        say()
        say(f"Stopped. All of it took {time.monotonic() - begun:.1f} s.")
        return code


def _deploy_options(parser: argparse.ArgumentParser) -> None:
    add_services(parser)
    parser.add_argument(
        "--anyway", action="store_true", help="also a change whose exploration has not passed"
    )
    parser.add_argument(
        "--check", action="store_true", help="deploy nothing: only ask whether it has passed"
    )


def deploy(call: argparse.Namespace) -> int:
    """Deploy one service, or all, unless the exploration of what changed has not passed."""
    services = environment.known(call.services)
    note = "" if call.anyway else releases.require_passed(call.home, services)
    if note:
        say(note)
    if call.check:
        return 0
    progress = Progress()
    environment.deploy_again(call.home, call.services, progress, call.prefix)
    progress.done()
    return 0


def build(call: argparse.Namespace) -> int:
    """Build the images of these services, or of all."""
    _require_engine()
    progress = Progress()
    progress("Synthesizing the CDK app")
    assembly = synthesize(environment.HOME)
    images.build_missing(assembly, environment.known(call.services) or SERVICES, progress)
    progress.done()
    return 0


def _provision_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("endpoint", type=url, metavar="URL", help="of the emulator")
    parser.add_argument(
        "--public-url", type=url, metavar="URL", help="of the emulator, as people reach it"
    )


def provision(call: argparse.Namespace) -> int:
    """Deploy everything, functions as images, to an emulator that runs, and add the seed stock."""
    _require_engine()
    progress = Progress()
    provisioned = environment.provision(call.endpoint, progress, call.prefix, as_images=True)
    progress.done()
    _print_api(provisioned.api_url.replace(call.endpoint, call.public_url or call.endpoint))
    return 0


def logs(call: argparse.Namespace) -> int:
    """Show what the functions logged, of one service or of all."""
    running = environment.require(call.home, call.prefix)
    services = environment.known(call.services) or SERVICES
    for service, line in lines(running.endpoint, services, running.prefix):
        say(f"{service:<18} {line.expandtabs()}")
    return 0


def _require_engine() -> None:
    problem = images.engine_problem()
    if problem:
        raise UserError(problem)


def _print_api(url: str) -> None:
    say()
    say(f"The orders' API: {url}")
    say("Place orders:    ./saga trigger --scenario all")


COMMANDS = (
    Command(up, _up_options, acts=True),
    Command(down),
    Command(demo, deployed=False, acts=True),
    Command(deploy, _deploy_options, acts=True),
    Command(build, add_services, deployed=False, acts=True),
    Command(provision, _provision_options, acts=True),
    Command(logs, add_services),
)
