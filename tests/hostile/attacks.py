"""What strangers do to a listener. Each attack runs for about `seconds` and answers what it has sent.

An attack opens its connections through `Strangers`, which remembers them: they are closed when the attack is over.
"""

import random
import selectors
import socket
import struct
import time

CHUNK = 65536
LATE = 30  # seconds in which who comes behind silent connections is answered


class Strangers:
    """Connections of attackers, from 127.66.0.0/16."""

    def __init__(self, node, target, seconds, short):
        self.node = node
        self.target = target
        self.seconds = seconds
        self.short = short
        self.open = []
        self.bytes = 0
        self.connections = 0
        self.refused = 0
        self.problem = None

    def connect(self, number=0, patience=5):
        """A connection from the stranger of that number; None when it is turned away."""
        link = socket.socket()
        link.bind((f"127.66.{number // 250}.{number % 250 + 1}", 0))
        link.settimeout(patience)
        try:
            link.connect(("127.0.0.1", self.target.port))
        except OSError:
            self.refused += 1
            link.close()
            return None
        link.setblocking(False)
        self.connections += 1
        self.open.append(link)
        return link

    def send(self, link, data):
        """Sends what fits now; -1 when the connection has ended."""
        try:
            sent = link.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return -1
        self.bytes += sent
        return sent

    def close(self, link):
        if link in self.open:
            self.open.remove(link)
        link.close()

    def close_all(self):
        for link in self.open:
            link.close()
        self.open.clear()

    def until(self):
        return time.monotonic() + self.seconds


def drain(link):
    """Reads what is there; False at the end of the connection."""
    try:
        while True:
            data = link.recv(CHUNK)
            if not data:
                return False
            if len(data) < CHUNK:
                return True
    except BlockingIOError:
        return True
    except OSError:
        return False


def pump(strangers, links, data, end, read=True, total=None):
    """Sends `data` again and again on each link, until `end`, or until each has sent `total` bytes."""
    selector = selectors.DefaultSelector()
    sent = {}
    both = selectors.EVENT_WRITE | (selectors.EVENT_READ if read else 0)
    for link in links:
        selector.register(link, both)
        sent[link] = 0
    while selector.get_map() and time.monotonic() < end:
        for key, events in selector.select(0.05):
            link = key.fileobj
            alive = True
            if events & selectors.EVENT_READ:
                alive = drain(link)
            if alive and events & selectors.EVENT_WRITE:
                at = sent[link] % len(data)
                piece = data[at:]
                if total is not None:
                    piece = piece[:total - sent[link]]
                count = strangers.send(link, piece)
                alive = count >= 0
                sent[link] += max(count, 0)
                if total is not None and sent[link] >= total:
                    alive = False  # kept open, but there is nothing left to send
                    selector.unregister(link)
                    continue
            if not alive:
                selector.unregister(link)
                strangers.close(link)
    selector.close()


def several(strangers, count):
    return [link for link in (strangers.connect() for _ in range(count)) if link]


def greeted(strangers, count):
    """The same, behind the handshake that the listener has."""
    links = several(strangers, count)
    hello = getattr(strangers.target, "hello", b"")
    return [link for link in links if strangers.send(link, hello) >= 0]


def zeros(strangers):
    """Four connections of zero bytes."""
    size = 32_000 if strangers.short else 1_000_000
    pump(strangers, several(strangers, 4), bytes(CHUNK), strangers.until(), total=size)
    wait_for_end(strangers)


def noise(strangers):
    """Connections that send 64 KiB of random bytes each, one after another."""
    source = random.Random(1)
    end = strangers.until()
    while time.monotonic() < end:
        link = strangers.connect()
        if link:
            pump(strangers, [link], source.randbytes(CHUNK), min(end, time.monotonic() + 0.2), total=CHUNK)
            strangers.close(link)


def lengths(strangers):
    """A hundred connections that announce the largest length that there is, and send a byte of it."""
    links = several(strangers, 100)
    for link in links:
        strangers.send(link, strangers.target.huge)
    wait_for_end(strangers)


def drip(strangers):
    """Fifty connections that send a valid request byte by byte, without its end."""
    links = several(strangers, 50)
    data = strangers.target.slow[:-1]
    end = strangers.until()
    pause = strangers.seconds / 400
    for byte in data:
        for link in list(links):
            if strangers.send(link, bytes([byte])) < 0:
                links.remove(link)
        if time.monotonic() > end or not links:
            return
        time.sleep(pause)


def rows(strangers):
    """Four connections that send one request, with as many equal characters, or lengths within lengths, as it may have: cheap to
    send, and dear for a reader that goes through every way to share them out. Listeners without one send the slow request."""
    data = getattr(strangers.target, "rows", strangers.target.slow)
    pump(strangers, several(strangers, 4), data, time.monotonic() + 5, total=len(data))
    wait_for_end(strangers)


def silence(strangers):
    """1,100 connections from one address that say nothing."""
    for _ in range(1100):
        strangers.connect()
    wait(strangers.seconds)


def crowd(strangers):
    """1,100 connections from as many addresses that say nothing."""
    for number in range(1100):
        strangers.connect(number)
    wait(strangers.seconds)


def begun(strangers):
    """1,100 connections from as many addresses that send the first byte of a request, and nothing more."""
    for number in range(1100):
        link = strangers.connect(number)
        if link:
            strangers.send(link, strangers.target.slow[:1])
    wait(strangers.seconds)


def resets(strangers):
    """Connections that begin a request and are reset."""
    end = strangers.until()
    data = strangers.target.slow[:7]
    while time.monotonic() < end:
        link = strangers.connect()
        if link:
            strangers.send(link, data)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            strangers.close(link)


def flood(strangers):
    """Four connections that send the cheapest valid request again and again; they come back when they are closed."""
    data = strangers.target.cheapest * max(1, CHUNK // len(strangers.target.cheapest))
    end = strangers.until()
    while time.monotonic() < end:
        links = greeted(strangers, 4)
        pump(strangers, links, data, end)
        for link in links:
            strangers.close(link)
        wait(0.01)


def deaf(strangers):
    """Four connections that do the same and read no answer."""
    data = strangers.target.cheapest * max(1, CHUNK // len(strangers.target.cheapest))
    pump(strangers, greeted(strangers, 4), data, strangers.until(), read=False)


def starved(strangers):
    """More connections that say nothing than the node has descriptors: who comes after them is answered all the same."""
    with strangers.node.few_descriptors(60):
        for _ in range(100):
            strangers.connect(patience=0.2)
        late = strangers.connect(patience=LATE)
        if not late:
            strangers.problem = "nobody gets in behind the silent connections"
            return
        try:
            late.settimeout(LATE)
            late.sendall(getattr(strangers.target, "hello", b"") + strangers.target.cheapest)
            if not late.recv(1):
                strangers.problem = "the connection behind the silent ones is closed"
        except OSError as problem:
            strangers.problem = f"the connection behind the silent ones: {problem}"


def wait(seconds):
    time.sleep(seconds)


def wait_for_end(strangers):
    """Until the other side has closed all connections, or the time is over."""
    end = strangers.until()
    while strangers.open and time.monotonic() < end:
        for link in list(strangers.open):
            if not drain(link):
                strangers.close(link)
        time.sleep(0.02)


ATTACKS = {each.__name__: each for each in
           (zeros, noise, lengths, drip, rows, silence, crowd, begun, resets, starved, flood, deaf)}

