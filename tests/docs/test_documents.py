"""The documents: links that lead somewhere, a picture that shows what it should, one language."""

import re
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from harness.emulator import ROOT

FILES = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
)
LINK = re.compile(r'\]\(([^)\s]+)\)|src="([^"]+)"')


@pytest.mark.parametrize("document", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(document: Path) -> None:
    targets = [one or other for one, other in LINK.findall(document.read_text())]
    local = [target for target in targets if not target.startswith("http")]

    assert [target for target in local if not _exists(document, target)] == []


def test_the_readme_fits_two_screens() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


def test_the_animated_picture_shows_a_declined_card_being_compensated() -> None:
    picture = ET.parse(ROOT / "docs" / "declined.svg").getroot()

    texts = [(text.text or "").strip() for text in picture.iter("{http://www.w3.org/2000/svg}text")]

    path = ["CREATED", "INVENTORY_RESERVED", "PAYMENT_FAILED", "INVENTORY_RELEASED"]
    assert [text for text in texts if text in path] == path * 2
    assert texts[-1] == "compensated: INVENTORY_RESERVED (card declined)"


def _exists(document: Path, target: str) -> bool:
    name, _, heading = target.partition("#")
    path = (document.parent / name).resolve() if name else document
    if not heading or not path.exists():
        return path.exists()
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return heading in {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
