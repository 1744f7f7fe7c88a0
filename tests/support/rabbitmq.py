"""RabbitMQ on loopback, a node of its own with an account of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import pika

from tests.support.certificates import certificate
from tests.support.program import free_ports, needed, serving

USER, PASSWORD = "till", "the-password-of-a-test"
_PROGRAMS = "/usr/lib/rabbitmq/bin"
"""Debian's own scripts beside them change to another user first."""
_CONFIG = """
listeners.tcp.1 = 127.0.0.1:{port}
default_user = {user}
default_pass = {password}
loopback_users = none
listeners.ssl.1 = 127.0.0.1:{tls}
ssl_options.cacertfile = {pem}
ssl_options.certfile = {pem}
ssl_options.keyfile = {key}
ssl_options.verify = verify_none
log.file.level = warning
disk_free_limit.absolute = 1MB
"""


@attrs.frozen
class Broker:
    """A running broker. ca: who has signed its certificate, for the port `tls`. environment: for rabbitmqctl."""

    port: int
    tls: int
    ca: Path
    environment: dict[str, str]

    @contextmanager
    def channel(self) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
        """A channel of a till, which sends messages."""
        login = pika.PlainCredentials(USER, PASSWORD)
        connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", self.port, credentials=login))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def declare(self, queue: str) -> None:
        """A durable queue."""
        with self.channel() as channel:
            channel.queue_declare(queue, durable=True)

    def send(self, queue: str, *bodies: bytes) -> None:
        """Messages that outlive the broker."""
        lasting = pika.BasicProperties(delivery_mode=2)
        with self.channel() as channel:
            channel.confirm_delivery()
            for body in bodies:
                channel.basic_publish("", queue, body, lasting)

    def count(self, queue: str) -> int:
        """Messages in the queue that nobody has in hand."""
        with self.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    def rights(self) -> dict[str, str]:
        """What a shell needs so that `rabbitmqctl` finds the broker."""
        names = ("HOME", "ERL_EPMD_PORT", "RABBITMQ_NODENAME")
        path = f"{_PROGRAMS}{os.pathsep}{self.environment['PATH']}"
        return {name: self.environment[name] for name in names} | {"PATH": path}

    def control(self, *words: str) -> str:
        """What `rabbitmqctl` prints."""
        done = subprocess.run(
            [f"{_PROGRAMS}/rabbitmqctl", "--node", self.environment["RABBITMQ_NODENAME"], *words],
            env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def rabbitmq(folder: Path, port: int = 0) -> Iterator[Broker]:
    """Start it in `folder`, whose queues it has again when it is started there a second time."""
    needed("rabbitmq-server", "rabbitmq-server")
    folder.mkdir(parents=True, exist_ok=True)
    given, tls, distribution, names = free_ports(4)
    port = port or given
    pem, key = certificate(folder / "tls")
    settings = _CONFIG.format(port=port, tls=tls, pem=pem, key=key, user=USER, password=PASSWORD)
    (folder / "rabbitmq.conf").write_text(settings)
    (folder / "plugins").write_text("[].\n")
    environment = dict(os.environ) | {
        "HOME": str(folder),  # of the cookie
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(names),
        "RABBITMQ_NODENAME": "tillpost@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log-files"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }
    with ExitStack() as stack:
        (folder / "names").mkdir(exist_ok=True)
        epmd = [needed("epmd", "erlang-base"), "-port", str(names), "-address", "127.0.0.1"]
        stack.enter_context(serving(epmd, names, folder / "names"))
        program = f"{_PROGRAMS}/rabbitmq-server"
        stack.enter_context(serving([program], port, folder, environment=environment, seconds=120))
        yield Broker(port, tls, pem, environment)
