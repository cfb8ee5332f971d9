"""Refusals, closes, dead links and broken peers: what is tried again and what is final."""

import base64
import json

from harness import Client, check, equal

CASES = []

ONE_LINE = ["hello"]


def case(function):
    CASES.append(function)
    return function


def retried(server, path, run, *options, retries=1, **query):
    """The first connections go wrong; a later one is a plain echo."""
    url = server.url(path, run=run, times=retries, **query)
    with Client(url, "--stay", "--count", 1, *options) as client:
        client.wait_for("retry", nth=retries)
        client.wait_for("dial", nth=retries + 1)
        opened = 2 if client.events("state", to="reconnecting") else 1
        client.wait_for("state", nth=opened, to="open")
        client.write(ONE_LINE)
        client.wait_for("message")
        client.finish()
        equal(client.received(), ONE_LINE, "received")
        return client.events()


def final(server, path, run, named, *options, **query):
    """One connection, no second, exit status 3, and stderr says why."""
    with Client(server.url(path, run=run, **query), "--stay", *options) as client:
        ledger = client.finish(3)
        equal(ledger["attempts"], 1, "attempts")
        said = " ".join(client.err)
        check(str(named) in said, f"stderr does not name {named}: {said}")
    equal(len(server.report(run)["handshakes"]), 1, "handshakes")


@case
def unavailable(server):
    """503 is tried again, and not before Retry-After."""
    events = retried(server, "status", "503", retries=2, code=503, retry_after=1)
    waits = [e for e in events if e["event"] == "retry"]
    for wait in waits[:2]:
        check(wait["delay_ms"] >= 1000, f"retried too early: {wait}")
        equal(wait.get("advice"), "retry-after", "advice")


@case
def too_many_requests(server):
    """429 likewise."""
    events = retried(server, "status", "429", code=429, retry_after=1)
    wait = next(e for e in events if e["event"] == "retry")
    check(wait["delay_ms"] >= 1000 and wait.get("advice") == "retry-after", f"{wait}")


@case
def server_error(server):
    """500 without advice is tried again after the policy's own wait."""
    events = retried(server, "status", "500", code=500)
    wait = next(e for e in events if e["event"] == "retry")
    check(wait["delay_ms"] <= 100 and "advice" not in wait, f"{wait}")


@case
def refused_for_good(server):
    """400, 401, 403, 404, 410 and 426 are final."""
    for status in (400, 401, 403, 404, 410, 426):
        final(server, "status", f"refused-{status}", status, code=status)


@case
def retried_closes(server):
    """These close codes are followed by a new connection."""
    for code in (1000, 1001, 1011, 1012, 1013, 4000):
        retried(server, "close", f"close-{code}", code=code)


@case
def final_closes(server):
    """These close codes are not."""
    for code in (1002, 1003, 1007, 1008, 1009, 1010):
        final(server, "close", f"final-{code}", code, code=code)


@case
def reset(server):
    """A reset in the middle of an idle connection."""
    with Client(
        server.url("cut", run="reset", after=1, times=1), "--stay", "--count", 1
    ) as client:
        client.wait_for("state", to="open")
        client.write(["this one triggers it"])
        client.wait_for("state", to="reconnecting")
        client.wait_for("state", nth=2, to="open")
        client.write(ONE_LINE)
        client.wait_for("message")
        client.finish()
        equal(client.received(), ONE_LINE, "received")


@case
def silent_freeze(server):
    """A peer that stops answering is found out by its missing pong."""
    with Client(
        server.url("freeze", run="freeze", times=1),
        "--stay", "--count", 1, "--heartbeat", "150ms", "--dead-after", "300ms",
    ) as client:  # fmt: skip
        dead = client.wait_for("dead")
        equal(dead["why"], "pong", "why it is dead")
        check(dead["silence_ms"] >= 300, f"declared dead too early: {dead}")
        client.wait_for("state", nth=2, to="open")
        client.write(ONE_LINE)
        client.wait_for("message")
        client.finish()
        equal(client.received(), ONE_LINE, "received")
    equal(server.report("freeze")["opened"], 2, "connections at the server")


@case
def stale_data(server):
    """A link that answers pings but brings no data is renewed with --stale-after."""
    with Client(
        server.url("ping", run="stale", times=1),
        "--stay", "--heartbeat", "50ms", "--stale-after", "400ms",
    ) as client:  # fmt: skip
        equal(client.wait_for("dead")["why"], "stale", "why it is dead")
        client.wait_for("state", nth=2, to="open")
        client.child.terminate()
        client.finish()


@case
def wrong_accept(server):
    """A wrong Sec-WebSocket-Accept is a failed handshake (RFC 6455 section 4.1)."""
    retried(server, "bad-accept", "accept", retries=2)


@case
def extension_unasked(server):
    """An extension nobody asked for likewise."""
    retried(server, "extension", "extension", retries=2)


@case
def invalid_utf8(server):
    """Text that is not UTF-8 is answered with 1007, for good."""
    final(server, "bad-utf8", "utf8", 1007)
    equal(server.report("utf8")["closes"], [1007], "close code at the server")


@case
def reserved_bit(server):
    """A reserved bit without its extension is answered with 1002, for good."""
    final(server, "bad-rsv", "rsv", 1002)
    equal(server.report("rsv")["closes"], [1002], "close code at the server")


@case
def too_large(server):
    """A message above --max-message is answered with 1009, for good."""
    with Client(
        server.url("echo", run="large"), "--stay", "--max-message", "64KiB"
    ) as client:
        client.write(["x" * 200_000])
        ledger = client.finish(3)
        equal((ledger["attempts"], ledger["received"]), (1, 0), "attempts and received")
    equal(server.report("large")["closes"], [1009], "close code at the server")


@case
def gives_up(server):
    """--max-attempts counts the first dial too; what was not sent is counted, exit 1."""
    url = server.url("status", run="gives-up", code=503)
    with Client(url, "--max-attempts", 3) as client:
        client.write(ONE_LINE)
        ledger = client.finish(1)
        equal((ledger["attempts"], ledger["dropped"]), (3, 1), "attempts and dropped")
    equal(len(server.report("gives-up")["handshakes"]), 3, "handshakes")


@case
def subprotocol(server):
    """The server picks among the offered ones."""
    with Client(
        server.url("protocol", run="protocol"),
        "--stay", "--count", 1, "--subprotocol", "v3.interop", "--subprotocol", "v2.interop",
    ) as client:  # fmt: skip
        client.wait_for("message")
        client.finish()
        equal(client.received(), ["v2.interop"], "picked")


@case
def headers(server):
    """Headers, a bearer token from the environment, and a user part arrive, anew each time."""
    with Client(
        server.url("close", run="headers", code=1012, times=1), "--stay", "--count", 1,
        "--header", "X-Interop: yes", "--bearer-env", "INTEROP_TOKEN",
        env={"INTEROP_TOKEN": "t0ken"},
    ) as client:  # fmt: skip
        client.wait_for("state", nth=2, to="open")
        client.write(ONE_LINE)
        client.finish()
        check("t0ken" not in "".join(client.out + client.err), "the token was printed")
    seen = [handshake["headers"] for handshake in server.report("headers")["handshakes"]]
    equal([h.get("x-interop") for h in seen], ["yes", "yes"], "X-Interop")
    equal([h.get("authorization") for h in seen], ["Bearer t0ken"] * 2, "Authorization")


@case
def basic_authorization(server):
    """A user part in the URL becomes Basic authorization."""
    with Client(server.url("echo", run="basic", user="me:secret")) as client:
        client.write(ONE_LINE)
        client.finish()
        check("secret" not in json.dumps(client.out + client.err), "the password was printed")
    asked = server.report("basic")["handshakes"][0]["headers"]["authorization"]
    equal(base64.b64decode(asked.removeprefix("Basic ")), b"me:secret", "Authorization")
