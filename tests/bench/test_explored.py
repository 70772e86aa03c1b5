"""What is told of the peers is what the explorer finds in them."""

from bench.explored import page


def test_the_page_about_the_peers_is_what_their_exploration_finds() -> None:
    written = page.PAGE.read_text()

    found = page.page()

    assert page.without_seconds(written) == page.without_seconds(found), "run `make explored`"
