"""The other side of the WebSocket tests, by the package `wsproto`.

serve [compressed]: an echo server that prints its port, then serves until it is killed.
check PORT: talks to an echo server and prints "ok".
compressed PORT: the same with compressed messages.
"""
import os
import socket
import sys
import threading

from wsproto import ConnectionType, WSConnection
from wsproto.events import (AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, RejectConnection, Request,
                            TextMessage)
from wsproto.extensions import PerMessageDeflate


def extensions():
    return [PerMessageDeflate()] if "compressed" in sys.argv else []


def receive(link, machine):
    """The next events; none at the end."""
    data = link.recv(65536)
    machine.receive_data(data or None)
    return list(machine.events())


def echo(link):
    machine = WSConnection(ConnectionType.SERVER)
    parts = []
    with link:
        while True:
            for event in receive(link, machine):
                if isinstance(event, Request):
                    link.sendall(machine.send(AcceptConnection(subprotocol=(event.subprotocols or [None])[0],
                                                               extensions=extensions())))
                elif isinstance(event, (TextMessage, BytesMessage)):
                    parts.append(event.data)
                    if event.message_finished:
                        whole = parts[0][:0].join(parts)
                        parts.clear()
                        half = len(whole) // 2  # comes back in two fragments, with a ping between
                        link.sendall(machine.send(type(event)(data=whole[:half], message_finished=False)))
                        link.sendall(machine.send(Ping(payload=b"between")))
                        link.sendall(machine.send(type(event)(data=whole[half:], message_finished=True)))
                elif isinstance(event, Pong):
                    assert event.payload == b"between"
                elif isinstance(event, Ping):
                    link.sendall(machine.send(event.response()))
                elif isinstance(event, CloseConnection):
                    link.sendall(machine.send(event.response()))
                    return


def serve():
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()


class Client:
    def __init__(self, port, **request):
        self.link = socket.create_connection(("127.0.0.1", port))
        self.link.settimeout(20)
        self.machine = WSConnection(ConnectionType.CLIENT)
        self.waiting = []
        self.send(Request(host=f"127.0.0.1:{port}", target="/path", **request))

    def send(self, *events):
        self.link.sendall(b"".join(map(self.machine.send, events)))

    def next(self):
        while not self.waiting:
            self.waiting = receive(self.link, self.machine)
        return self.waiting.pop(0)

    def message(self):
        parts = []
        while True:
            event = self.next()
            assert isinstance(event, (TextMessage, BytesMessage)), event
            parts.append(event.data)
            if event.message_finished:
                return parts[0][:0].join(parts)


def check(port):
    client = Client(port, subprotocols=["other", "chat"])
    event = client.next()
    assert isinstance(event, AcceptConnection) and event.subprotocol == "chat", event
    for size in (0, 1, 125, 126, 65535, 65536, 200000):
        client.send(TextMessage(data="ü" * (size // 2)))
        assert client.message() == "ü" * (size // 2), size
        client.send(BytesMessage(data=b"\xff" * size))
        assert client.message() == b"\xff" * size, size
    client.send(TextMessage(data="in ", message_finished=False), Ping(payload=b"p"), TextMessage(data="parts"))
    event = client.next()
    assert isinstance(event, Pong) and event.payload == b"p", event
    assert client.message() == "in parts"
    client.send(CloseConnection(code=4002, reason="as I like"))
    event = client.next()
    assert isinstance(event, CloseConnection) and event.code == 4002, event
    assert client.link.recv(1) == b""

    client = Client(port, subprotocols=["other"])
    event = client.next()
    assert isinstance(event, RejectConnection) and event.status_code == 400, event
    print("ok")


def check_compressed(port):
    for settings in ({}, {"client_no_context_takeover": True}, {"server_no_context_takeover": True},
                     {"client_max_window_bits": 10, "server_max_window_bits": 9}):
        deflate = PerMessageDeflate(**settings)
        client = Client(port, extensions=[deflate])
        event = client.next()
        assert isinstance(event, AcceptConnection) and event.extensions == [deflate], event
        for size in (0, 1, 125, 126, 65535, 65536, 100000):
            client.send(TextMessage(data="ü" * (size // 2)))
            assert client.message() == "ü" * (size // 2), size
            noise = os.urandom(size)
            client.send(BytesMessage(data=noise))
            assert client.message() == noise, size
        client.send(TextMessage(data="in ", message_finished=False), Ping(payload=b"p"), TextMessage(data="parts"))
        event = client.next()
        assert isinstance(event, Pong) and event.payload == b"p", event
        assert client.message() == "in parts"
        client.send(CloseConnection(code=1000))
        event = client.next()
        assert isinstance(event, CloseConnection), event
    print("ok")


if sys.argv[1] == "serve":
    serve()
else:
    (check if sys.argv[1] == "check" else check_compressed)(int(sys.argv[2]))
