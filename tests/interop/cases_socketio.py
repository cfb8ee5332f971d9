"""Events both ways with the real Socket.IO server: namespaces, rooms, acknowledgements, reasons."""

import json
import subprocess

from harness import SCRATCH, Client, Server, check, equal

CASES = []


def case(function):
    CASES.append(function)
    return function


def connect(server, run, *options, **query):
    """A client of its own; a run is what the server keeps its notes under."""
    url = server.url("socket.io/", run=run, EIO=4, transport="websocket", **query)
    return Client(url, "--preset", "socket-io", *options)


def event(*parts):
    return json.dumps(parts, separators=(",", ":"))


def wait_for_event(client, name, nth=1):
    """Waits for the n-th event of that name and returns its arguments."""

    def ready():
        texts = [text for text in client.received() if text is not None]
        parsed = [json.loads(text) for text in texts if text.startswith("[")]
        found = [rest for first, *rest in parsed if first == name]
        return [found[nth - 1]] if len(found) >= nth else None

    return client.wait_until(ready, f"event {name}")[0]


@case
def connects_with_an_id(server):
    """The application is told the id that the server knows it by."""
    with connect(server, "id") as client:
        (told,) = wait_for_event(client, "connect")
        client.finish()
    report = server.report("id")
    equal(report["connected"], [told["sid"]], "ids at the server")
    equal(report["reasons"], ["transport close"], "how it ended there")


@case
def named_events(server):
    """Two hundred events there and back in order; what was sent before the connect is not lost."""
    lines = [event("echo", n, {"text": f"\N{SEEDLING} {n}"}) for n in range(200)]
    with connect(server, "echo") as client:
        client.write(lines)
        wait_for_event(client, "echo", nth=200)
        equal(client.finish()["flushed"], 200, "flushed")
        echoes = [text for text in client.received() if text.startswith('["echo"')]
        equal([json.loads(text) for text in echoes], [json.loads(line) for line in lines], "echoes")
    equal(server.report("echo")["events"], [json.loads(line) for line in lines], "at the server")


@case
def acknowledged_events(server):
    """Each event of class acknowledged is settled by the server's own acknowledgement."""
    with connect(server, "acks", "--acks") as client:
        client.write(event("echo", n) for n in range(100))
        ledger = client.finish()
        equal((ledger["acknowledged"], ledger["flushed"]), (100, 0), "acknowledged and flushed")
    equal(server.report("acks")["events"], [["echo", n] for n in range(100)], "at the server")


@case
def a_question_is_acknowledged(server):
    """An event for which the server wants an acknowledgement gets one."""
    with connect(server, "ask") as client:
        client.write([event("ask")])
        equal(wait_for_event(client, "question"), [], "the question's arguments")
        equal(wait_for_event(client, "answered"), [True], "whether the server got it")
        client.finish()


@case
def rooms_and_broadcast(server):
    """A room's events reach who has joined it, a broadcast everybody but the sender."""
    with connect(server, "ada") as ada, connect(server, "bob") as bob:
        ada.write([event("join", "red")])
        bob.write([event("join", "blue")])
        equal(wait_for_event(ada, "joined"), ["red"], "the room of one")
        equal(wait_for_event(bob, "joined"), ["blue"], "the room of the other")
        bob.write([event("say", "red", "hello"), event("say", "blue", "here"), event("announce", "x")])
        equal(wait_for_event(ada, "said"), ["red", "hello"], "said in red")
        equal(wait_for_event(bob, "said"), ["blue", "here"], "said in blue")
        equal(wait_for_event(ada, "announced"), ["x"], "announced")
        bob.write([event("echo", "last")])
        wait_for_event(bob, "echo")
        for client, heard in ((ada, 4), (bob, 4)):
            client.finish()
            equal(len(client.received()), heard, f"messages in all, {client.received()}")


@case
def disconnects_with_a_reason(server):
    """The server ends the namespace, and the reason is told; it hangs up, and we come back."""
    with connect(server, "leave", "--stay") as client:
        client.write([event("leave")])
        equal(wait_for_event(client, "disconnect"), ["io server disconnect"], "the reason")
        client.child.terminate()
        client.finish()
    equal(server.report("leave")["reasons"], ["server namespace disconnect"], "at the server")
    with connect(server, "hang up") as client:
        client.write([event("hang up")])
        wait_for_event(client, "connect", nth=2)
        client.write([event("echo", "again")])
        equal(wait_for_event(client, "echo"), ["again"], "after the second connect")
        client.finish()
    connected = server.report("hang up")["connected"]
    check(len(set(connected)) == 2, f"ids at the server: {connected}")


@case
def a_namespace_with_a_door(server):
    """Another namespace is connected to, or says why not."""
    config = SCRATCH / "chat.json"
    config.write_text('{"dialect":{"socket_io":{"namespace":"/chat"}}}\n')
    with connect(server, "chat", "--config", config, token="right") as client:
        client.write([event("echo", 1)])
        equal(wait_for_event(client, "echo"), [1], "echo")
        client.finish()
    with connect(server, "door", "--stay", "--config", config, token="wrong") as client:
        equal(
            wait_for_event(client, "connect_error"),
            [{"message": "who are you?", "data": {"code": 7}}],
            "why not",
        )
        client.child.terminate()
        client.finish()


@case
def binary_is_told_and_passed_over(server):
    """An attachment is passed on unread with a warning, and the next event is read."""
    with connect(server, "binary") as client:
        client.write([event("attach"), event("echo", 1)])
        equal(wait_for_event(client, "echo"), [1], "echo")
        client.finish()
        check("binary attachments are not read" in " ".join(client.err), f"said {client.err}")


@case
def the_server_pings(server):
    """Its pings are answered for longer than it would wait, and are no messages."""
    with connect(server, "pings") as client:
        wait_for_event(client, "connect")
        try:
            client.child.wait(1.8)
        except subprocess.TimeoutExpired:
            pass  # as it should be: it is still there
        client.write([event("echo", 1)])
        wait_for_event(client, "echo")
        client.finish()
        equal(len(client.received()), 2, "messages")
    equal(len(server.report("pings")["connected"]), 1, "connections")


@case
def a_restarted_server(server):
    """The server goes and comes back: the client connects under another id, and loses nothing."""
    del server  # one of its own
    with Server("socketio") as first:
        with connect(first, "restart", "--max-attempts", 1000) as client:
            (before,) = wait_for_event(client, "connect")
            first.kill()
            client.wait_for("retry")
            client.write([event("echo", "sent while it was down")])
            with Server("socketio", port=first.port) as second:
                (after,) = wait_for_event(client, "connect", nth=2)
                check(before["sid"] != after["sid"], "the same id twice")
                equal(wait_for_event(client, "echo"), ["sent while it was down"], "echo")
                client.finish()
                equal(second.report("restart")["connected"], [after["sid"]], "at the server")
