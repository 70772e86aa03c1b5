"""Start, stop and change the local environment: up, down, demo, deploy, build, provision, logs."""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

import msgspec

from harness import emulator, environment, images, releases
from harness.commands.command import Command, add_aws, add_services, moment, port, url
from harness.commands.orders import place_and_follow
from harness.deploy import synthesize
from harness.emulator import ROOT
from harness.errors import UserError
from harness.logs import lines_since
from harness.orders import SCENARIOS, Orders
from harness.saga import FIRST_DEPLOYMENT, SERVICES
from harness.terminal import Progress, say, say_json
from infra.deployment import FOLDER

AWS_LOGS_SINCE = "10m"  # a log on AWS goes back a month, and reading it costs


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
    add_aws(parser, "to AWS, by your credentials and the settings in infra/deployments/")
    parser.add_argument("--yes", action="store_true", help="on AWS: do not ask about permissions")
    parser.add_argument(
        "--import-existing", action="store_true", help="on AWS: take over tables that are there"
    )
    parser.add_argument(
        "--release", metavar="REF", help="as they were at that git ref, to roll services back"
    )
    parser.add_argument(
        "--anyway", action="store_true", help="also a change whose exploration has not passed"
    )
    parser.add_argument(
        "--check", action="store_true", help="deploy nothing: only ask whether it has passed"
    )


def deploy(call: argparse.Namespace) -> int:
    """Deploy services, or everything, unless the exploration of what changed has not passed."""
    services = environment.known(call.services)
    if call.release is not None:  # one that a script left empty is no deployment of what is here
        base = releases.find_base(call.release)
        with releases.extracted(base) as tree:
            if call.aws and not (tree / "infra/deployment.py").exists():
                raise UserError(
                    f"{base} reads no settings of a deployment: it would be deployed without its "
                    "authorizer, account and alarms. Name a later commit."
                )
            # Back goes who came last; a service that the release did not have stays.
            services = services or [
                service
                for service in reversed(releases.changed_services(tree, ROOT))
                if service in releases.services(tree)
            ]
            if not services:
                raise UserError(f"No service has changed since {base}: name those to deploy.")
            if not call.anyway:
                releases.require_way_back(call.home, base, tree, services)
            # What is deployed goes back, and not where and how.
            shutil.copytree(FOLDER, tree / FOLDER.relative_to(ROOT), dirs_exist_ok=True)
            _deploy(call, services, tree)
        return 0
    note = "" if call.anyway else releases.require_passed(call.home, services)
    if note:
        say(note)
    _deploy(call, services or _everything(call), ROOT)
    return 0


def _everything(call: argparse.Namespace) -> list[str]:
    """Return all that can be deployed: what changed in an order that is safe, if only one is."""
    only = [one for one in releases.only_order(call.home) if one in SERVICES]
    services = [*only, *(service for service in FIRST_DEPLOYMENT if service not in only)]
    return ["platform", *services, *(["monitoring"] if call.aws else [])]


def _deploy(call: argparse.Namespace, parts: list[str], tree: Path) -> None:
    if call.check:
        return
    if call.aws:
        options = ["--require-approval", "never"] if call.yes else []
        options += ["--import-existing-resources"] if call.import_existing else []
        for service in environment.deploy_to_aws(parts, say, call.prefix, tree, options):
            say(f"{service} is deployed, and no service here: `saga teardown --only {service}`.")
        return
    progress = Progress()
    environment.deploy_again(call.home, parts, progress, call.prefix, tree)
    progress.done()


def settings(call: argparse.Namespace) -> int:
    """Show the settings of a deployment, as its file in infra/deployments/ has them."""
    found = msgspec.to_builtins(environment.settings_of(call.prefix))
    if call.json:
        say_json(found)
        return 0
    for name, value in found.items():
        if value not in (None, {}):
            say(f"{name:<22} {value}")
    return 0


def _settings_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


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


def _logs_options(parser: argparse.ArgumentParser) -> None:
    add_services(parser)
    parser.add_argument(
        "--since",
        type=moment,
        metavar="WHEN",
        help="only since a time (ISO 8601), or so long ago (90s, 15m, 2h, 3d); on AWS the default "
        "is 10m",
    )
    add_aws(parser)


def logs(call: argparse.Namespace) -> int:
    """Show what the functions logged, of one service or of all, oldest first."""
    clients = environment.clients(call.home, on_aws=call.aws, prefix=call.prefix)
    services = environment.known(call.services) or SERVICES
    since = call.since or (moment(AWS_LOGS_SINCE) if call.aws else None)
    client = clients.client("logs")
    for service, line in lines_since(client, services, call.prefix, since, on_aws=call.aws):
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
    Command(settings, _settings_options),
    Command(build, add_services, deployed=False, acts=True),
    Command(provision, _provision_options, acts=True),
    Command(logs, _logs_options),
)
