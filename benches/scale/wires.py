"""Hosts on one machine whose network can be cut, slowed and made to lose packets: a network namespace for each, and a TUN device in
it, whose packets this program carries from one to the other. It needs nothing of the kernel but namespaces and TUN (no netem, no
netfilter), and counts what goes by. Root."""

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time

NET = "10.77.0"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
LONGEST_LINE = 4000  # packets that wait on a wire; more are lost, as in a switch
libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """The system does not allow that."""


def sh(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(f"{' '.join(words)}: {done.stderr.strip()}")


def enter(path):
    """This thread goes into a namespace."""
    file = os.open(path, os.O_RDONLY)
    try:
        if libc.setns(file, 0) != 0:
            raise Refused(f"setns {path}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(file)


class Host:
    def __init__(self, name, number, key):
        self.name, self.number = name, number
        self.address = f"{NET}.{number}"
        self.namespace = f"sk{key}-{name}"
        sh("ip", "netns", "add", self.namespace)
        try:
            self.tun = self._open()
            for words in ("link set lo up", f"addr add {self.address}/24 dev tun0", "link set tun0 up txqueuelen 2000"):
                sh("ip", "-n", self.namespace, *words.split())
        except BaseException:
            self.remove()
            raise

    def _open(self):
        here = f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net"
        back = os.open(here, os.O_RDONLY)
        enter(f"/run/netns/{self.namespace}")
        try:
            tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22s", b"tun0", IFF_TUN | IFF_NO_PI, b""))
        finally:
            libc.setns(back, 0)
            os.close(back)
        return tun

    def command(self):
        """What a command that is to run there begins with."""
        return ("ip", "netns", "exec", self.namespace)

    def remove(self):
        subprocess.run(["ip", "netns", "del", self.namespace], capture_output=True, check=False)


class Wires:
    def __init__(self, names, seed=1, key=None):
        self.hosts = {}
        self.random = random.Random(seed)
        self.rules = {}  # (from, to): numbers of hosts -> (part that is lost, seconds of delay)
        self.counts = {}  # the same -> [packets, bytes, lost]
        self.over = False
        try:
            for number, name in enumerate(names, 1):
                self.hosts[name] = Host(name, number, key or os.getpid())
        except BaseException:
            self.remove_hosts()
            raise
        self.thread = threading.Thread(target=self._carry, daemon=True)
        self.thread.start()

    def set(self, source, target, loss=0.0, delay=0.0):
        """Packets of one host to another, in that direction alone."""
        self.rules[self.hosts[source].number, self.hosts[target].number] = (loss, delay)

    def both(self, one, other, **rule):
        self.set(one, other, **rule)
        self.set(other, one, **rule)

    def all(self, **rule):
        for one in self.hosts:
            for other in self.hosts:
                if one != other:
                    self.set(one, other, **rule)

    def heal(self):
        self.rules = {}

    def _carry(self):
        tuns = {host.tun: host.number for host in self.hosts.values()}
        of_number = {number: tun for tun, number in tuns.items()}
        poll = select.poll()
        for tun in tuns:
            poll.register(tun, select.POLLIN)
        line, order = [], 0  # heap of (due, order, tun, packet)
        while not self.over:
            now = time.monotonic()
            while line and line[0][0] <= now:
                _, _, tun, packet = heapq.heappop(line)
                self._put(tun, packet)
            wait = max(0.0, min(0.2, line[0][0] - now)) if line else 0.2
            for tun, _ in poll.poll(wait * 1000 + (0.5 if line else 0)):
                for _ in range(64):
                    try:
                        packet = os.read(tun, 65536)
                    except BlockingIOError:
                        break
                    source, target = tuns[tun], packet[19] if packet[0] >> 4 == 4 else 0
                    if target not in of_number:
                        continue
                    count = self.counts.setdefault((source, target), [0, 0, 0])
                    loss, delay = self.rules.get((source, target), (0.0, 0.0))
                    if loss and self.random.random() < loss or len(line) > LONGEST_LINE:
                        count[2] += 1
                        continue
                    count[0] += 1
                    count[1] += len(packet)
                    if delay:
                        order += 1
                        heapq.heappush(line, (time.monotonic() + delay, order, of_number[target], packet))
                    else:
                        self._put(of_number[target], packet)

    @staticmethod
    def _put(tun, packet):
        try:
            os.write(tun, packet)
        except OSError:
            pass  # its queue is full: lost

    def remove_hosts(self):
        for host in self.hosts.values():
            if hasattr(host, "tun"):
                os.close(host.tun)
            host.remove()

    def end(self):
        self.over = True
        self.thread.join()
        self.remove_hosts()
