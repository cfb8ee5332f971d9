"""The interop server on Python's `websockets`. What it does is said by the URL; see ../README.md."""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import ssl
import struct
import sys
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response

# ---- what each run has seen -----------------------------------------------------------------


class Run:
    def __init__(self):
        self.handshakes = []
        self.opened = 0
        self.messages = []
        self.resent = 0
        self.changed = 0
        self.pongs = 0
        self.closes = []
        self.errors = []
        self.by_id = {}

    def report(self):
        plain = {key: value for key, value in vars(self).items() if key != "by_id"}
        return json.dumps({**plain, "ids": list(self.by_id)})


RUNS = {}


class Target:
    """The request's target taken apart."""

    def __init__(self, path):
        parts = urlsplit(path)
        self.path = parts.path
        self.query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        self.run = RUNS.setdefault(self.query.get("run", ""), Run())

    def number(self, name, fallback):
        return int(self.query.get(name, fallback))

    def faulty(self):
        """Whether this handshake is among the run's first `times`, which get the fault.

        Afterwards the server echoes, or acknowledges faithfully.
        """
        return len(self.run.handshakes) <= self.number("times", 10**9)


# ---- the handshake --------------------------------------------------------------------------


def answer(status, body=b"", headers=()):
    fields = Headers([("Content-Length", str(len(body))), ("Connection", "close"), *headers])
    return Response(int(status), HTTPStatus(status).phrase, fields, body)


def process_request(connection, request):
    target = Target(request.path)
    if target.path == "/report":
        return answer(200, target.run.report().encode())
    headers = {name.lower(): value for name, value in request.headers.raw_items()}
    target.run.handshakes.append({"target": request.path, "headers": headers})
    if target.path == "/status" and target.faulty():
        advice = target.query.get("retry-after")
        return answer(
            target.number("code", 503), headers=[("Retry-After", advice)] if advice else []
        )
    return None


def process_response(connection, request, response):
    target = Target(request.path)
    if response.status_code == 101 and target.faulty():
        if target.path == "/bad-accept":
            del response.headers["Sec-WebSocket-Accept"]
            response.headers["Sec-WebSocket-Accept"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAA="
        elif target.path == "/extension":
            response.headers["Sec-WebSocket-Extensions"] = "permessage-deflate"
    return response


def select_subprotocol(connection, offered):
    return "v2.interop" if "v2.interop" in offered else None


# ---- an open connection ---------------------------------------------------------------------


def reset(ws):
    """End the connection with a RST."""
    linger = struct.pack("ii", 1, 0)
    ws.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    ws.transport.abort()


async def acknowledge(ws, target, count, data):
    run = target.run
    ident = json.loads(data)["id"]
    before = run.by_id.get(ident)
    run.by_id[ident] = data
    if before is not None:
        run.resent += 1
        run.changed += before != data
    lose = target.number("lose", 0)
    if not (lose and ident % lose == 0 and before is None):
        await ws.send(json.dumps({"ack": ident}))
    if target.faulty() and count == target.number("cut", 0):
        reset(ws)


async def close(ws, target, count, data=None):
    if count == target.number("after", 0):
        await ws.close(target.number("code", 1000), "interop")


async def cut(ws, target, count, data):
    if count == target.number("after", 1):
        reset(ws)


async def echo(ws, target, count, data):
    await ws.send(data)


async def nothing(ws, target, count, data):
    pass


MESSAGE = {"/close": close, "/cut": cut, "/freeze": nothing, "/ping": nothing}


async def ping(ws, target):
    async def beat():
        while True:
            await (await ws.ping())
            target.run.pongs += 1
            await asyncio.sleep(target.number("every", 50) / 1000)

    task = asyncio.create_task(beat())
    task.add_done_callback(lambda done: done.cancelled() or done.exception())


async def fragments(ws, target):
    # A ping between two fragments (RFC 6455 section 5.4). This library writes each part as whole
    # characters; the split inside one is the Node server's.
    async def parts():
        yield "one "
        await ws.ping()
        yield "\N{SEEDLING}"
        yield " message"

    await ws.send(parts())


async def twice(ws, target):
    for ident in range(1, target.number("n", 5) + 1):
        for _ in range(2):
            await ws.send(json.dumps({"id": ident, "data": "twice"}))


async def feed(ws, target):
    # Five items a connection, and a full stop after fifteen.
    since = target.number("since", 0)
    for seq in range(since + 1, min(since + 5, 15) + 1):
        await ws.send(json.dumps({"seq": seq}))
    if since < 10:
        await ws.close(1001, "going away")


async def freeze(ws, target):
    # Nothing is read any more, so no ping is seen either.
    ws.transport.pause_reading()


async def raw(ws, data):
    ws.transport.write(data)


OPENING = {
    "/close": lambda ws, target: close(ws, target, 0),
    "/ping": ping,
    "/protocol": lambda ws, target: ws.send(ws.subprotocol or "none"),
    "/binary": lambda ws, target: ws.send(bytes([0, 1, 2, 254, 255])),
    "/fragments": fragments,
    "/twice": twice,
    "/feed": feed,
    "/freeze": freeze,
    "/bad-utf8": lambda ws, target: raw(ws, b"\x81\x02\xc3\x28"),
    "/bad-rsv": lambda ws, target: raw(ws, b"\xc1\x01a"),
}


def shown(data):
    size = len(data.encode()) if isinstance(data, str) else len(data)
    return data if isinstance(data, str) and size <= 4096 else f"<{size} bytes>"


async def handle(ws):
    target = Target(ws.request.path)
    run = target.run
    faulty = target.faulty()
    usual = acknowledge if target.path == "/ack" else echo
    run.opened += 1
    count = 0
    try:
        if faulty and target.path in OPENING:
            await OPENING[target.path](ws, target)
        async for data in ws:
            count += 1
            run.messages.append(shown(data))
            # The peer may have closed behind what it sent: the rest of that is still to be read.
            with contextlib.suppress(ConnectionClosed):
                await (MESSAGE.get(target.path, usual) if faulty else usual)(
                    ws, target, count, data
                )
        await ws.wait_closed()
    except ConnectionClosed as end:
        run.errors.append(str(end))
    finally:
        run.closes.append(ws.close_code)


# ---- the process ----------------------------------------------------------------------------


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    flags = parser.parse_args()
    context = None
    if flags.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(flags.cert, flags.key)
    async with serve(
        handle,
        "127.0.0.1",
        flags.port,
        ssl=context,
        process_request=process_request,
        process_response=process_response,
        select_subprotocol=select_subprotocol,
        max_size=64 * 1024 * 1024,
        ping_interval=None,
    ) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"listening on {'wss' if context else 'ws'}://127.0.0.1:{port}", flush=True)
        # Ends with its starter, however that ended.
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
