"""The machine has no more: descriptors, space on the disk, addresses."""

import os
import resource
import signal
import socket
import struct
import time

from subject import MEGABYTE, PATIENCE, Dead, Failed, check, free_ports, until


def descriptors(scene):
    """More clients than there are descriptors: those inside are answered, no processor is burnt, and others come in later."""
    most = 40
    port, dead = free_ports(2)
    node = scene.node(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))
    node.must("listen", port)
    node.must("ping")
    clients = [begin_connection(port) for _ in range(100)]
    clients[0].settimeout(PATIENCE)
    until(lambda: sends(clients[0], b"first\n"), "the first client is not let in")
    check(clients[0].recv(100) == b"first\n", "the first client is not answered")
    until(lambda: node.descriptors() >= most - 2, "the clients do not come in")
    kind, text = node.ask("open", dead)
    check(kind == "error", "a connection without a descriptor")
    node.lives()
    used, begin = node.cpu(), time.monotonic()
    time.sleep(1)
    share = (node.cpu() - used) / (time.monotonic() - begin)
    check(share < 0.5, f"{share:.0%} of a processor while nothing can be done")
    for client in clients:
        client.close()
    until(lambda: answers(port), "no new client is answered")
    node.lives()
    return f"lives: an error ({text[:60]}), and new clients later"


def sends(client, text):
    try:
        client.sendall(text)
        return True
    except OSError:
        return False


def begin_connection(port):
    """The system may keep it waiting when the node accepts nobody."""
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", port))
    return client


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.settimeout(5)
            client.sendall(b"late\n")
            return client.recv(100) == b"late\n"
    except OSError:
        return False


def full_device(scene):
    """The log is a device that is full."""
    node = scene.node('logger = "/dev/full"\n')
    node.must("log", 1000, "line")
    node.lives()
    return "lives, without a log"


def full_disk(scene):
    """The log may not grow, and later it may: writing fails with EFBIG as it does with ENOSPC."""
    def limit():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    node = scene.node('logger = "node.log"\n', restore_signals=False, preexec_fn=limit)
    node.must("log", 10, "before")
    until(lambda: count(node, b"before") == 10, "no log")
    most = os.path.getsize(node.path("node.log")) + 100
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    node.must("log", 1000, "full")
    node.lives()
    check(os.path.getsize(node.path("node.log")) <= most, "the file has grown")
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    node.must("log", 10, "after")
    until(lambda: count(node, b"after") == 10, "the log does not go on when there is space")
    return f"lives, {1000 - count(node, b'full')} of 1000 lines lost, then the log goes on"


def count(node, text):
    with open(node.path("node.log"), "rb") as file:
        return file.read().count(text)


def addresses(scene):
    """A service takes all memory that there is: it gets an error, and nobody else does."""
    node = scene.node()
    node.lives()
    with open(f"/proc/{node.process.pid}/statm", encoding="utf8") as file:
        most = int(file.read().split()[0]) * resource.getpagesize() + 256 * MEGABYTE
    resource.prlimit(node.process.pid, resource.RLIMIT_AS, (most, most))
    for _ in range(2):
        told = node.must("hog")
        check("not enough memory" in told, told)
        node.lives()
    return "lives: \"not enough memory\" in that service"


def addresses_at_start(scene):
    """Too few addresses to start with: a line that says so, and a status."""
    ended, came_up = [], 0
    for megabytes in (24, 48, 64, 80, 96, 128, 192, 256, 384):
        most = megabytes * MEGABYTE
        try:
            node = scene.again(preexec_fn=lambda most=most: resource.setrlimit(resource.RLIMIT_AS, (most, most)))
            node.lives()
            came_up += 1
        except Dead as problem:
            check("[]" not in str(problem), f"{megabytes} MB: ends without a line: {problem}")
            check("status 0" not in str(problem), f"{megabytes} MB: {problem}")
            ended.append(megabytes)
    check(came_up, "never comes up")
    return f"up with {came_up} of 9 limits; with {', '.join(map(str, ended)) or 'no'} MB a line and a status"


def resets(scene):
    """Clients that are gone while the node writes to them."""
    port, = free_ports(1)
    node = scene.node()
    node.must("listen", port)
    for _ in range(20 if scene.short else 500):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"r" * 1000 + b"\n" + b"s\n" * 1000)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    node.lives()
    if not answers(port):
        raise Failed("a client is not answered")
    return "lives and answers"


FAULTS = {
    "descriptors": descriptors, "full-device": full_device, "full-disk": full_disk, "addresses": addresses,
    "addresses-at-start": addresses_at_start, "resets": resets,
}
