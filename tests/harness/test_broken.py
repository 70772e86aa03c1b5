"""A service that cannot even be imported is named at the first order that needs it."""

from pathlib import Path

from tests.clone import clone, saga


def test_a_service_that_crashes_at_import_is_named_with_its_error(tmp_path: Path) -> None:
    copy = clone(tmp_path)
    gateway = copy / "services" / "charge_payment" / "gateway.py"
    gateway.write_text(gateway.read_text() + '\nraise RuntimeError("no such key")\n')
    home = ["--home", str(tmp_path / "home")]

    started = saga(copy, *home, "up", "--detach")
    stuck = saga(copy, *home, "trigger", "--timeout", "1")
    stopped = saga(copy, *home, "down")

    assert started.returncode == 0, started.stderr
    assert stuck.returncode == 1
    # Its status by then depends on how fast the other functions start.
    assert "did not end in 1 s" in stuck.stdout
    assert "charge_payment does not start: " in stuck.stdout
    assert "no such key" in stuck.stdout
    assert stuck.stdout.count("does not start") == 1
    assert stopped.stdout == "Stopped.\n"
