"""docs/recipes/shopify-webhooks.md, as it stands there: openssl signs, curl sends, and Engage has the sale once."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

from tests.support.certificates import certificate
from tests.support.ingest import free_port
from tests.support.program import needed
from tests.support.recipe import Recipe, saved
from tests.support.waiting import until
from tillpost_sandbox import Sandbox


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


def test_a_shopify_shop_by_webhooks(tmp_path: Path) -> None:
    """What Shopify would do is done by curl; only names and ports are those of the test."""
    needed("curl", "curl")
    needed("openssl", "openssl")
    port = str(free_port())
    pem, _ = certificate(tmp_path / "tls", "pos.example.com")
    (tmp_path / ".curlrc").write_text(f'cacert = "{pem}"\nresolve = "pos.example.com:{port}:127.0.0.1"\n')
    keys = {"SHOPIFY_SECRET": "a-client-secret-of-a-test", "ENGAGE_API_KEY": "test", "CURL_HOME": str(tmp_path)}
    with Sandbox(dir=tmp_path / "sandbox", api_key="test") as sandbox:
        here = {"https://TENANT.voyado.com": sandbox.url, "8443": port}
        with Recipe("shopify-webhooks.md", tmp_path, here, keys) as recipe:
            recipe.type("tillpost check --offline")
            run = recipe.start("tillpost run")
            until(lambda: answers(int(port)), process=run, why=(tmp_path / "log").read_text)
            first, again = (json.loads(recipe.type("signature=")) for _ in range(2))
            assert (first["accepted"], again["accepted"], again["duplicates"]) == (1, 0, 1)
            until(lambda: len(saved(sandbox)) == 1, process=run)
            assert "#1001" in recipe.type("tillpost receipt")
            run.send_signal(signal.SIGTERM)
            assert run.wait(60) == 0
        (receipt,) = saved(sandbox)
        assert (receipt["totalGrossPrice"], receipt["ignoredDuplicates"]) == ("500.00", 0)
