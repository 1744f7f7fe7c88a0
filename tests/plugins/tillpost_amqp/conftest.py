from collections.abc import Iterator

import pytest

from tests.support.rabbitmq import Broker, rabbitmq


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with rabbitmq(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def queue(broker: Broker, request: pytest.FixtureRequest) -> str:
    """A queue of the test's own."""
    name = f"q-{abs(hash(request.node.nodeid)):x}"
    broker.declare(name)
    return name
