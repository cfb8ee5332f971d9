"""The servers, the client as a black box, and the certificates the cases use."""

import collections
import http.client
import itertools
import json
import os
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or REPO / "target")
if not TARGET.is_absolute():
    TARGET = REPO / TARGET
# Everything these tests write lies here.
SCRATCH = TARGET / "interop"

# Nothing may wait longer than this, so that a hang is a failure with a name.
PATIENCE = 30.0

# Short waits, so that the whole run takes seconds.
QUICK = ["--base", "20ms", "--cap", "100ms", "--drain", "20s", "--deadline", "25s"]


class Failure(Exception):
    """A case's expectation did not hold."""


def check(holds, what):
    if not holds:
        raise Failure(what)


def equal(actual, expected, what):
    check(actual == expected, f"{what}: expected {expected!r}, got {actual!r}")


def lines_of(stream, into, changed):
    """Collects a stream's lines until it ends."""
    for line in stream:
        with changed:
            into.append(line.rstrip("\n"))
            changed.notify_all()
    with changed:
        changed.notify_all()


class Process:
    """A child process whose output is collected; ended by its own id whatever happens."""

    def __init__(self, command, env=None):
        self.changed = threading.Condition()
        self.out, self.err = [], []
        self.child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            # The servers are on this machine, whatever proxy the environment names.
            env={**os.environ, "no_proxy": "*", **(env or {})},
        )
        self.readers = [
            threading.Thread(target=lines_of, args=(stream, into, self.changed), daemon=True)
            for stream, into in ((self.child.stdout, self.out), (self.child.stderr, self.err))
        ]
        for reader in self.readers:
            reader.start()

    def wait_until(self, ready, what):
        """Waits until `ready()` returns something; that is returned."""
        deadline = time.monotonic() + PATIENCE
        with self.changed:
            while True:
                # Read before the lines, so that lines written just before the end still count.
                ended = not any(reader.is_alive() for reader in self.readers)
                found = ready()
                if found:
                    return found
                check(not ended, f"ended without {what}: {self.tail()}")
                waited = time.monotonic() >= deadline
                check(not waited, f"no {what} within {PATIENCE:.0f} s: {self.tail()}")
                self.changed.wait(0.1)

    def tail(self):
        """The last it said."""
        shown = itertools.chain(self.out[-3:], self.err[-5:])
        return " / ".join(line[:300] for line in shown) or "it said nothing"

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        for reader in self.readers:
            reader.join(PATIENCE)
        for stream in (self.child.stdin, self.child.stdout, self.child.stderr):
            try:
                stream.close()
            except OSError:
                pass  # what was still buffered for it has nowhere to go

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Server(Process):
    """One of the real servers, on a port of its own."""

    KINDS = ("node", "python", "socketio")

    def __init__(self, kind, port=0, cert=None):
        if kind in ("node", "socketio"):
            script = {"node": "server.cjs", "socketio": "socketio.cjs"}[kind]
            command = ["node", HERE / "node" / script]
            env = {"NODE_PATH": str(SCRATCH / "node" / "node_modules")}
        else:
            command = [SCRATCH / "venv" / "bin" / "python", "-B", HERE / "python" / "server.py"]
            env = {}
        command += ["--port", port]
        if cert:
            command += ["--cert", cert.with_suffix(".pem"), "--key", cert.with_suffix(".key")]
        super().__init__(command, env)
        self.kind = kind
        self.tls = cert is not None
        try:
            said = self.wait_until(lambda: self.out and self.out[0], "'listening on' line")
            check(said.startswith("listening on "), f"said {said!r}")
        except Failure as failure:
            self.kill()
            raise Failure(f"the {kind} server: {failure}") from None
        self.port = int(said.rsplit(":", 1)[1])

    def url(self, path, host=None, user=None, **query):
        """The address of a behaviour; `run` names what it is reported under."""
        host = host or ("localhost" if self.tls else "127.0.0.1")
        asked = urlencode({key.replace("_", "-"): value for key, value in query.items()})
        at = f"{user}@" if user else ""
        return f"{'wss' if self.tls else 'ws'}://{at}{host}:{self.port}/{path}?{asked}"

    def report(self, run):
        """What the server saw of a run."""
        check(not self.tls, "reports are asked for without TLS")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", f"/report?{urlencode({'run': run})}")
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


class Client(Process):
    """`perennial connect URL --events …`, from outside."""

    binary = TARGET / "debug" / "perennial"
    adapter = None

    def __init__(self, url, *options, env=None):
        command = [self.binary, "connect", url, "--events", *QUICK, *options]
        if self.adapter:
            command += ["--adapter", self.adapter]
        super().__init__(command, env)

    def write(self, lines):
        try:
            for line in lines:
                self.child.stdin.write(f"{line}\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise Failure(f"stopped reading its input: {self.tail()}") from None

    def end_input(self):
        try:
            self.child.stdin.close()
        except BrokenPipeError:
            pass  # gone already; its exit status tells

    def events(self, name=None, **fields):
        """The events so far of that name whose fields are as given."""
        try:
            parsed = [json.loads(line) for line in list(self.out)]
        except ValueError as error:
            raise Failure(f"a line of --events is not JSON: {error}") from None
        return [
            event
            for event in parsed
            if name in (None, event.get("event"))
            and all(event.get(key) == value for key, value in fields.items())
        ]

    def wait_for(self, name, nth=1, **fields):
        """Waits for the n-th event of that name and returns it."""

        def ready():
            found = self.events(name, **fields)
            return found[nth - 1] if len(found) >= nth else None

        return self.wait_until(ready, f"event {name} {fields or ''}".strip())

    def finish(self, code=0):
        """Ends the input, waits for the exit and checks what holds of every run.

        Returns the ledger. With --stay the end of the input does not end the run; --count, the
        server or a signal does.
        """
        self.end_input()
        try:
            actual = self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure(f"still running after {PATIENCE:.0f} s: {self.tail()}") from None
        for reader in self.readers:
            reader.join(PATIENCE)
        check(actual == code, f"exit status {actual} instead of {code}: {self.tail()}")
        events = self.events()
        check(events and events[-1]["event"] == "ledger", f"no ledger at the end: {self.tail()}")
        times = [event["at"] for event in events]
        check(times == sorted(times), "events out of order")
        check(len(self.events("closed")) <= 1, "closed more than once")
        return self.balanced(events)

    def balanced(self, events):
        """Each accepted message has exactly one end, and the ledger counts them all."""
        ends = ("flushed", "acknowledged", "uncertain", "expired", "dropped")
        ledger = events[-1]
        counts = collections.Counter(event["event"] for event in events)
        for end in ends:
            equal(ledger[end], counts[end], f"the ledger's {end}")
        equal(ledger["received"], counts["message"], "the ledger's received")
        equal(ledger["duplicates"], counts["duplicate"], "the ledger's duplicates")
        seqs = sorted(event["seq"] for event in events if event["event"] in ends)
        equal(seqs, list(range(1, ledger["accepted"] + 1)), "messages that came to an end")
        return ledger

    def received(self):
        return [event.get("text") for event in self.events("message")]


def certificates():
    """A CA, a certificate of its for this host, and one for another host.

    Made anew for each run: a certificate in the repository would run out one day.
    """
    room = SCRATCH / "tls"
    room.mkdir(parents=True, exist_ok=True)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    def openssl(*arguments):
        done = subprocess.run(
            ["openssl", *map(str, arguments)], capture_output=True, text=True, cwd=room
        )
        check(done.returncode == 0, f"openssl {arguments[0]}: {done.stderr.strip()}")

    openssl(
        "req", "-x509", *key, "-days", 2, "-subj", "/CN=interop test CA",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        "-keyout", "ca.key", "-out", "ca.pem",
    )  # fmt: skip
    for name, hosts in (("here", "DNS:localhost,IP:127.0.0.1"), ("elsewhere", "DNS:else.invalid")):
        openssl("req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (room / f"{name}.ext").write_text(
            f"basicConstraints=critical,CA:FALSE\nsubjectAltName={hosts}\n"
            "extendedKeyUsage=serverAuth\n"
        )
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", 2, "-extfile", f"{name}.ext", "-out", f"{name}.pem",
        )  # fmt: skip
    return room
