"""The explorer reads from the templates what is written down a second time by hand."""

from explorer.grants import grants
from harness.names import PREFIX, stack_name
from harness.saga import SERVICES
from tests.grants import GRANTS, TABLES
from tests.infra.conftest import Assembly


def test_the_explorer_reads_every_grant_of_every_service(assembly: Assembly) -> None:
    templates = [assembly.template(stack) for stack in assembly.stacks]
    names = {f"table/{PREFIX}-{table}": table for table in TABLES}
    names |= {f"function:{stack_name(service)}": service for service in SERVICES}

    granted = grants(templates, names | {f"event-bus/{PREFIX}": "bus"})

    assert granted == {
        service: {
            *(
                (f"dynamodb:{action}", table)
                for table, actions in row.tables.items()
                for action in actions
            ),
            *({("events:PutEvents", "bus")} if row.publishes or row.republishes else ()),
        }
        for service, row in GRANTS.items()
    }
