"""wss:// with a CA of one's own: trusted, not trusted, and for another host."""

from harness import Client, Server, certificates, check, equal

CASES = []


def case(function):
    CASES.append(function)
    return function


def not_trusted(server, run, *options):
    """Tried again like a refused dial, named on stderr each time, and no byte is sent."""
    with Client(server.url("echo", run=run), "--max-attempts", 3, *options) as client:
        client.write(["secret"])
        ledger = client.finish(1)
        equal((ledger["attempts"], ledger["dropped"]), (3, 1), "attempts and dropped")
        equal(client.events("state", to="open"), [], "times open")
        named = [line for line in client.err if "certificate" in line.lower()]
        check(len(named) >= 3, f"stderr names the certificate {len(named)} times: {client.err}")


@case
def trusted(server):
    """With --ca the certificate verifies."""
    room = certificates()
    with Server(server.kind, cert=room / "here") as tls:
        for host in ("localhost", "127.0.0.1"):
            url = tls.url("echo", host=host, run="trusted")
            with Client(url, "--ca", room / "ca.pem", "--stay", "--count", 1) as client:
                client.write(["over TLS"])
                client.wait_for("message")
                client.finish()
                equal(client.received(), ["over TLS"], "received")


@case
def big_over_tls(server):
    """1 MiB there and back through TLS."""
    room = certificates()
    line = "0123456789abcdef" * 65536
    with Server(server.kind, cert=room / "here") as tls:
        with Client(
            tls.url("echo", run="big"), "--ca", room / "ca.pem",
            "--stay", "--count", 1, "--queue-bytes", "4MiB",
        ) as client:  # fmt: skip
            client.write([line])
            client.wait_for("message")
            client.finish()
            check(client.received() == [line], "the text came back changed")


@case
def unknown_authority(server):
    """Without --ca it does not verify."""
    room = certificates()
    with Server(server.kind, cert=room / "here") as tls:
        not_trusted(tls, "unknown")


@case
def insecure(server):
    """--insecure takes it all the same."""
    room = certificates()
    with Server(server.kind, cert=room / "here") as tls:
        with Client(tls.url("echo", run="any"), "--insecure", "--stay", "--count", 1) as client:
            client.write(["over TLS"])
            client.finish()
            equal(client.received(), ["over TLS"], "received")


@case
def wrong_host(server):
    """A certificate of the right authority for another host does not verify."""
    room = certificates()
    with Server(server.kind, cert=room / "elsewhere") as tls:
        not_trusted(tls, "wrong-host", "--ca", room / "ca.pem")
