"""What goes over an open connection, and what survives the end of one."""

import base64
import json

from harness import Client, Server, check, equal

CASES = []


def case(function):
    CASES.append(function)
    return function


@case
def echo(server):
    """Two hundred messages there and back, in order, and a clean close."""
    lines = [f"message {n} \N{SEEDLING}" for n in range(200)]
    with Client(server.url("echo", run="echo"), "--stay", "--count", 200) as client:
        client.write(lines)
        client.wait_for("message", nth=200)
        ledger = client.finish()
        equal(client.received(), lines, "received")
        equal((ledger["accepted"], ledger["flushed"]), (200, 200), "accepted and flushed")
        equal(client.events("closed")[0]["by"], "application", "closed by")
    report = server.report("echo")
    equal(report["messages"], lines, "what the server saw")
    equal((report["closes"], report["errors"]), ([1000], []), "closes and errors at the server")


@case
def end_of_input_closes(server):
    """The end of stdin sends what is queued and closes with 1000."""
    with Client(server.url("echo", run="end")) as client:
        client.write(["one", "two"])
        equal(client.finish()["flushed"], 2, "flushed")
    report = server.report("end")
    equal((report["messages"], report["closes"]), (["one", "two"], [1000]), "at the server")


@case
def big_message(server):
    """One message of 1 MiB there and back."""
    line = "0123456789abcdef" * 65536
    with Client(
        server.url("echo", run="big"), "--stay", "--count", 1, "--queue-bytes", "4MiB"
    ) as client:
        client.write([line])
        client.wait_for("message")
        client.finish()
        check(client.received() == [line], "the text came back changed")


@case
def no_compression_unasked(server):
    """The server offers permessage-deflate; nobody asked, so nothing is compressed."""
    line = "compressible " * 8000
    with Client(server.url("echo", run="deflate"), "--stay", "--count", 1) as client:
        client.write([line])
        client.finish()
        check(client.received() == [line], "the text came back changed")
    asked = server.report("deflate")["handshakes"][0]["headers"]
    check("sec-websocket-extensions" not in asked, f"asked for extensions: {asked}")


@case
def fragments(server):
    """A message in three fragments with a ping between them is one message."""
    with Client(server.url("fragments", run="fragments"), "--stay", "--count", 1) as client:
        client.wait_for("message")
        client.finish()
        equal(client.received(), ["one \N{SEEDLING} message"], "received")


@case
def binary(server):
    """A binary message is shown as base64."""
    with Client(server.url("binary", run="binary"), "--stay", "--count", 1) as client:
        message = client.wait_for("message")
        client.finish()
        equal(base64.b64decode(message["base64"]), bytes([0, 1, 2, 254, 255]), "received")


@case
def pings_answered(server):
    """The server's pings are answered while the application is silent."""
    with Client(
        server.url("ping", run="ping", every=30), "--stay", "--heartbeat", "off"
    ) as client:
        client.wait_for("state", to="open")
        client.wait_until(lambda: server.report("ping")["pongs"] >= 5, "five pongs at the server")
        client.child.terminate()
        client.finish()


@case
def pings_sent(server):
    """Our pings are answered, and the round trip is measured."""
    with Client(server.url("echo", run="pong"), "--stay", "--heartbeat", "50ms") as client:
        pong = client.wait_for("pong", nth=3)
        check(pong["rtt_ms"] >= 0, f"round trip {pong}")
        client.child.terminate()
        client.finish()


@case
def acknowledged(server):
    """Three hundred messages, each acknowledged, each written once."""
    with Client(server.url("ack", run="acks"), "--acks") as client:
        client.write(f"message {n}" for n in range(300))
        ledger = client.finish()
        equal((ledger["acknowledged"], ledger["flushed"]), (300, 0), "acknowledged and flushed")
        equal(ledger["received"], 0, "acks are not messages; received")
    report = server.report("acks")
    sent = [json.loads(message) for message in report["messages"]]
    equal([m["data"] for m in sent], [f"message {n}" for n in range(300)], "at the server")
    check(all(isinstance(m["timestamp"], int) for m in sent), "a message without a timestamp")
    equal(report["resent"], 0, "written again")


@case
def own_ids(server):
    """A line that has an id keeps it and goes out unchanged."""
    lines = [json.dumps({"id": n * 7, "text": "x  y"}) for n in range(1, 21)]
    with Client(server.url("ack", run="own"), "--acks") as client:
        client.write(lines)
        equal(client.finish()["acknowledged"], 20, "acknowledged")
    equal(server.report("own")["messages"], lines, "at the server")


@case
def lost_acks(server):
    """What is not acknowledged is sent again, with the same id and the same bytes."""
    with Client(
        server.url("ack", run="lost", lose=7), "--acks", "--ack-timeout", "200ms"
    ) as client:
        client.write(f"message {n}" for n in range(100))
        equal(client.finish()["acknowledged"], 100, "acknowledged")
    report = server.report("lost")
    equal(sorted(report["ids"]), list(range(1, 101)), "ids at the server")
    check(report["resent"] >= 14, f"only {report['resent']} were sent again")
    equal(report["changed"], 0, "sent again with other bytes")


@case
def acks_across_resets(server):
    """The server resets the connection again and again; every message is acknowledged."""
    with Client(
        server.url("ack", run="resets", cut=25, times=6, lose=11),
        "--acks", "--ack-timeout", "200ms", "--ack-window", 16,
    ) as client:  # fmt: skip
        client.write(f"message {n}" for n in range(300))
        ledger = client.finish()
        equal(ledger["acknowledged"], 300, "acknowledged")
        check(ledger["reconnects"] >= 6, f"reconnects: {ledger['reconnects']}")
        check(ledger["outage_ms"] > 0, "no outage counted")
    report = server.report("resets")
    equal(sorted(report["ids"]), list(range(1, 301)), "ids at the server")
    equal(report["changed"], 0, "sent again with other bytes")
    firsts = list(dict.fromkeys(report["ids"]))
    equal(firsts, sorted(firsts), "first sightings out of order")


@case
def duplicates(server):
    """Of two messages with one id the second is dropped and counted."""
    with Client(
        server.url("twice", run="twice", n=5), "--stay", "--dedupe", 100
    ) as client:
        client.wait_for("duplicate", nth=5)
        client.child.terminate()
        ledger = client.finish()
        equal((ledger["received"], ledger["duplicates"]), (5, 5), "received and duplicates")


@case
def resume(server):
    """Each reconnect says where it left off, so that nothing comes twice or not at all."""
    with Client(
        server.url("feed", run="feed"), "--stay", "--count", 15, "--resume", "since=seq"
    ) as client:
        client.wait_for("message", nth=15)
        client.finish()
        seen = [json.loads(text)["seq"] for text in client.received()]
        equal(seen, list(range(1, 16)), "received")
    targets = [handshake["target"] for handshake in server.report("feed")["handshakes"]]
    equal(len(targets), 3, "handshakes")
    check("since" not in targets[0] and "since=5" in targets[1], f"targets {targets}")


@case
def server_restart(server):
    """Messages offered while the server is gone arrive when it is back."""
    with Server(server.kind) as first:
        port = first.port
        with Client(first.url("ack", run="restart"), "--acks") as client:
            client.write(["before"])
            client.wait_for("acknowledged")
            first.kill()
            client.wait_for("state", to="reconnecting")
            client.write(f"during {n}" for n in range(50))
            client.wait_for("retry", nth=2)
            with Server(server.kind, port=port) as second:
                ledger = client.finish()
                equal(ledger["acknowledged"], 51, "acknowledged")
                sent = [json.loads(m)["data"] for m in second.report("restart")["messages"]]
                equal(sent, [f"during {n}" for n in range(50)], "at the server")
