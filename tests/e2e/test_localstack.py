"""The harness on LocalStack, for which a stand-in answers."""

from collections.abc import Iterator

import pytest

from harness import environment, logs
from harness.connect import session
from harness.deploy import api_url
from harness.environment import Clients, Environment
from harness.errors import UserError
from harness.orders import SCENARIOS, Orders
from harness.saga import SERVICES
from harness.teardown import Removal
from tests.e2e.localstack import HOST, localstack
from tests.e2e.shop import eventually
from tests.harness.elsewhere import listening, response

# A deployment of its own, beside the one that all tests share.
PREFIX = "localstack"
STACKS = """<DescribeStacksResponse><DescribeStacksResult><Stacks><member>
<StackName>order-saga-create-order</StackName><Outputs><member>
<OutputKey>ApiUrl</OutputKey><OutputValue>{}</OutputValue>
</member></Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"""


@pytest.fixture(scope="module")
def backend(saga: Environment) -> Iterator[str]:
    """Deploy to the emulator as if it were LocalStack, which names images in its own way too."""
    with localstack(saga.endpoint) as url:
        environment.provision(url, lambda doing: None, PREFIX, as_images=saga.images)
    yield saga.endpoint
    # Other tests count what is in the emulator.
    removal = Removal(Clients(session(), saga.endpoint, PREFIX))
    removal.run(lambda doing: None, anyway=True)
    left = removal.left()
    removal.remove_queues(left.queues, lambda doing: None)
    removal.remove_tables(left.tables, lambda doing: None)


@pytest.mark.parametrize("needs_stage", [True, False])
def test_orders_end_whether_or_not_the_url_of_the_api_needs_its_stage(
    backend: str, needs_stage: bool
) -> None:
    with (
        localstack(backend, needs_stage=needs_stage) as url,
        Orders(api_url(url, PREFIX)) as orders,
    ):
        ended = orders.ended(orders.place(SCENARIOS["happy"]))

    assert ended["status"] == "SHIPPING_SCHEDULED"


def test_what_functions_log_is_found_where_localstack_has_it_and_not_read_there_on_aws(
    backend: str,
) -> None:
    with localstack(backend) as url, Orders(api_url(url, PREFIX)) as orders:
        order_id = orders.place(SCENARIOS["declined"])
        orders.ended(order_id)
        logged = eventually(lambda: _loggers_of(order_id, url))
        client = session().client("logs", endpoint_url=url)
        on_aws = list(logs.lines_since(client, SERVICES, PREFIX, on_aws=True))

    assert logged
    assert on_aws == []


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_the_id_of_the_api_is_found_in_an_output_with_a_scheme_and_without(scheme: str) -> None:
    output = f"{scheme}my-api.execute-api.{HOST}:4566"
    with listening(response(STACKS.format(output).encode())) as url:
        found = api_url(url)

    assert found == f"{url}/_aws/execute-api/my-api"


def test_an_emulator_without_http_apis_is_said_to_have_none() -> None:
    with (
        listening(response(STACKS.format("unknown").encode())) as url,
        pytest.raises(UserError, match="no HTTP APIs"),
    ):
        api_url(url)


def _loggers_of(order_id: str, url: str) -> set[str]:
    logged = logs.lines(url, SERVICES, PREFIX)
    return {service for service, line in logged if order_id in line}
