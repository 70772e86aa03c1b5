"""Lists that a tool's configuration has to have by hand, held to the folders."""

import re
import tomllib

import pytest

from harness.emulator import ROOT
from harness.saga import SERVICES

LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS = {contract["name"]: contract for contract in LINTER["contracts"]}
LAYERS, RUNS, EXPLORER, DECISIONS = CONTRACTS.values()


@pytest.mark.parametrize("service", SERVICES)
def test_the_import_linter_has_every_service_in_each_of_its_lists(service: str) -> None:
    siblings = LAYERS["layers"][0].split(" | ")

    missing = [
        name
        for name, listed, wanted in (
            ("root_packages", LINTER["root_packages"], service),
            (LAYERS["name"], siblings, service),
            (RUNS["name"], RUNS["source_modules"], service),
            (EXPLORER["name"], EXPLORER["forbidden_modules"], service),
            (DECISIONS["name"], DECISIONS["source_modules"], f"{service}.{service}"),
        )
        if wanted not in listed
    ]

    assert missing == [], f"add {service} to these lists of [tool.importlinter] in pyproject.toml"


def test_the_import_linter_lists_no_service_that_does_not_exist() -> None:
    siblings = LAYERS["layers"][0].split(" | ")

    assert siblings == list(dict.fromkeys(siblings))
    assert set(siblings) == set(SERVICES)
    assert {module.split(".")[0] for module in DECISIONS["source_modules"]} == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_the_files_that_its_image_is_built_from(service: str) -> None:
    folder = ROOT / "services" / service
    dockerfile = (folder / "Dockerfile").read_text()

    assert (folder / "requirements.in").read_text().startswith("-r ../../requirements/service.in\n")
    assert (folder / "requirements.txt").exists()
    assert f'CMD ["{service}.handler.handle"]' in dockerfile
    assert dockerfile.replace(service, "SERVICE") == _first_dockerfile()


def test_the_emulators_version_is_in_its_requirements_and_nowhere_else() -> None:
    [version] = re.findall(r"ministack==(\S+)", (ROOT / "requirements/emulator.in").read_text())
    files = [ROOT / "compose.yaml", ROOT / ".env.example", ROOT / "Makefile"]
    files += [path for path in (ROOT / "compose").rglob("*") if path.is_file()]
    files += [*(ROOT / "harness").rglob("*.py"), *(ROOT / "docs").glob("*.md")]

    assert [str(path) for path in files if version in path.read_text()] == []


def _first_dockerfile() -> str:
    first = SERVICES[0]
    return (ROOT / "services" / first / "Dockerfile").read_text().replace(first, "SERVICE")
