"""Source `amqp`: receipts from a queue of RabbitMQ, acknowledged once they are committed. Needs `tillpost[amqp]`."""

from __future__ import annotations

from tillpost import ConfigurationError, Context, Finding, simple
from tillpost_amqp.settings import Settings


def _make(settings: Settings, context: Context) -> object:
    try:
        from tillpost_amqp.source import AmqpSource
    except ImportError:
        raise ConfigurationError(
            Finding(
                key="source.use",
                message="a queue needs a package that is not installed.",
                next_step="Run: pip install 'tillpost[amqp]'.",
            )
        ) from None
    return AmqpSource(settings, context)


plugin = simple("Receipts from a queue of RabbitMQ (AMQP 0-9-1)", "source", Settings, _make)
