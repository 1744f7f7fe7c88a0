"""docs/recipes/rabbitmq-topic.md, as it stands there, with RabbitMQ and TLS: Engage has the sale once."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.rabbitmq import PASSWORD, USER, rabbitmq
from tests.support.recipe import Recipe, saved
from tests.support.waiting import until
from tillpost_sandbox import Sandbox


def test_a_rabbitmq_topic(tmp_path: Path) -> None:
    """The login, the queue and its bindings are made by the page; the exchange is the tills'."""
    with rabbitmq(tmp_path / "broker") as broker, Sandbox(dir=tmp_path / "sandbox", api_key="test") as sandbox:
        with broker.channel() as channel:
            channel.exchange_declare("sales", "topic", durable=True)
        keys = {
            "MQ_PASSWORD": "the-password-of-tillpost",
            "MQ_URL": f"amqp://{USER}:{PASSWORD}@127.0.0.1:{broker.port}/%2F",
            "ENGAGE_API_KEY": "test",
        }
        here = {
            "https://TENANT.voyado.com": sandbox.url,
            'host = "mq.example.com"': f'host = "127.0.0.1", port = {broker.tls}, ca = "{broker.ca}"',
        }
        with Recipe("rabbitmq-topic.md", tmp_path, here, broker.rights() | keys) as recipe:
            recipe.type("rabbitmqctl add_user")
            recipe.type("tillpost check")
            recipe.type("python publish.py")  # nobody reads yet: the broker keeps it
            run = recipe.start("tillpost run")
            log = tmp_path / "log"
            until(lambda: len(saved(sandbox)) == 1, process=run, why=log.read_text)
            recipe.type("python publish.py")
            until(lambda: broker.count("tillpost") == 0, process=run, why=log.read_text)
            assert "1001" in recipe.type("tillpost receipt")
            run.send_signal(signal.SIGTERM)
            assert run.wait(60) == 0, log.read_text()
            assert broker.count("tillpost") == 0, "none came back when the consumer left"
        (receipt,) = saved(sandbox)
        assert (receipt["totalGrossPrice"], receipt["ignoredDuplicates"]) == ("130.00", 0)
