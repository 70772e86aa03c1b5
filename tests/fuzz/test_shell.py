"""What a person's shell and .env have: each is read, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import connect, environment
from harness.errors import UserError
from tests.fuzz.texts import ODD, texts
from tests.harness.test_connect import BESIDE, DECLARED

Kind = TypeVar("Kind")

AWS = sorted(DECLARED | BESIDE)
OURS = ["SAGA_ENDPOINT", "EMULATOR_PORT"]
# To make a client takes a tenth of a second.
fewer = settings(max_examples=max(20, (settings.default or settings()).max_examples // 20))
values = st.one_of(
    texts, st.sampled_from([*ODD, "0", "1", "true", "http://127.0.0.1:9", "/dev/null", "~"])
).map(lambda text: text.encode("utf-8", "replace").decode().replace("\0", ""))


@fewer
@given(variables=st.dictionaries(st.sampled_from(AWS), values, max_size=6))
def test_no_variable_matters_to_the_local_environment(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    with pytest.MonkeyPatch.context() as shell:
        shell.chdir(tmp_path)
        for name, value in variables.items():
            shell.setenv(name, value)
        session = connect.session.__wrapped__()
        client = session.client("sqs", endpoint_url="http://127.0.0.1:4566")

        assert client.meta.endpoint_url == "http://127.0.0.1:4566"
        assert client.meta.region_name == connect.REGION
        connect.http("http://127.0.0.1:4566").close()
        assert list(tmp_path.iterdir()) == []


@fewer
@given(variables=st.dictionaries(st.sampled_from(AWS), values, max_size=6))
def test_a_configuration_of_aws_is_taken_or_refused(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    with pytest.MonkeyPatch.context() as shell:
        shell.chdir(tmp_path)  # where a log of TLS keys may be asked for
        for name, value in variables.items():
            shell.setenv(name, value)

        def use() -> bool:
            with environment.explained(environment.HOME):
                connect.http("https://example.com", configured=True).close()
                return connect.aws_session() is not None

        assert _taken(use) in (None, True)


@given(variables=st.dictionaries(st.sampled_from(OURS), values))
def test_where_the_environment_is_is_taken_or_refused(variables: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as shell:
        for name in OURS:
            shell.delenv(name, raising=False)
        for name, value in variables.items():
            shell.setenv(name, value)
        endpoint = _taken(environment.compose_endpoint)

    assert endpoint is None or endpoint.lower().startswith(("http://", "https://"))


@given(
    content=st.one_of(
        st.binary(max_size=60),
        st.lists(
            st.builds(
                "{}{}{}{}".format,
                st.sampled_from(["", "export ", " ", "# "]),
                st.sampled_from(["PORT", "A", "'q'", "\u00e9", ""]),
                st.sampled_from(["=", " = ", "", "=="]),
                st.one_of(texts, st.sampled_from(["'", '"', "${A}", "${A:-${B}}", "$", "\\", "#"])),
            )
        ).map(lambda lines: "\n".join(lines).encode(errors="surrogatepass")),
    )
)
def test_an_env_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / ".env").write_bytes(content)
    found = _taken(lambda: environment.settings(folder))
    (folder / ".env").unlink()

    assert found is None or all(isinstance(name, str) for name in found)


def _taken(read: Callable[[], Kind]) -> Kind | None:
    """Read something; return None when that is refused in a sentence."""
    try:
        return read()
    except UserError:
        return None
