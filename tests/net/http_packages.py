"""HTTP by others: the packages `h11` and `hypercorn`.

serve: hypercorn with an application; prints its port, then serves until it is killed.
check PORT: a client by h11 that talks to the server of http_packages.lua over one connection, and prints "ok".
"""
import asyncio
import socket
import sys

import h11


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    path, headers, pieces = scope["path"], [], [body]
    status = 200
    if path == "/pieces":
        pieces = [b"first ", b"second ", b"third"]  # no length: hypercorn sends chunks
    elif path == "/unchanged":
        status, pieces = 304, [b""]
    elif path == "/nothing":
        status, pieces = 204, [b""]
    else:
        headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers + [
        (b"x-client", str(scope["client"][1]).encode())]})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def serve():
    from hypercorn.asyncio import serve as run
    from hypercorn.config import Config

    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.loglevel = "CRITICAL"
    await run(application, config, shutdown_trigger=asyncio.Future)


class Client:
    def __init__(self, port):
        self.link = socket.create_connection(("127.0.0.1", port))
        self.link.settimeout(20)
        self.machine = h11.Connection(h11.CLIENT)

    def event(self):
        while True:
            event = self.machine.next_event()
            if event is not h11.NEED_DATA:
                return event
            self.machine.receive_data(self.link.recv(65536))

    def send(self, *events):
        for event in events:
            self.link.sendall(self.machine.send(event) or b"")

    def ask(self, method, target, headers=(), pieces=(), wait=False):
        self.send(h11.Request(method=method, target=target, headers=[("Host", "x"), *headers]))
        if wait:
            event = self.event()
            assert isinstance(event, h11.InformationalResponse) and event.status_code == 100, event
        self.send(*[h11.Data(data=piece) for piece in pieces], h11.EndOfMessage())
        response = self.event()
        assert isinstance(response, h11.Response), response
        body = b""
        while True:
            event = self.event()
            if isinstance(event, h11.EndOfMessage):
                break
            body += event.data
        if self.machine.our_state is h11.DONE and self.machine.their_state is h11.DONE:
            self.machine.start_next_cycle()
        return response.status_code, body


def check(port):
    client = Client(port)
    assert client.ask("GET", "/a") == (200, b"GET /a ")
    assert client.ask("POST", "/b", [("Content-Length", "4")], [b"te", b"xt"]) == (200, b"POST /b text")
    assert client.ask("POST", "/c", [("Transfer-Encoding", "chunked")], [b"in", b" ", b"chunks"]) == (200, b"POST /c in chunks")
    assert client.ask("PUT", "/d", [("Content-Length", "4"), ("Expect", "100-continue")], [b"text"], True) == (200, b"PUT /d text")
    assert client.ask("HEAD", "/e") == (200, b"")
    assert client.ask("GET", "/pieces") == (200, b"piecepiece")
    assert client.ask("GET", "/nothing") == (204, b"")
    assert client.ask("GET", "/unchanged") == (304, b"")
    for number in range(50):
        assert client.ask("GET", f"/{number}") == (200, f"GET /{number} ".encode())
    assert client.ask("GET", "/raise") == (500, b"")
    assert client.machine.their_state is h11.MUST_CLOSE
    assert client.link.recv(1) == b""
    print("ok")


if sys.argv[1] == "serve":
    asyncio.run(serve())
else:
    check(int(sys.argv[2]))
