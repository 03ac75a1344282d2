"""The two nodes: the one that is attacked, and the one of the honest client."""

import os
import pathlib
import queue
import shutil
import socket
import subprocess
import tempfile
import threading
import time

FOLDER = pathlib.Path(__file__).resolve().parent
PATIENCE = 60  # seconds until a node counts as stuck
TICKS = os.sysconf("SC_CLK_TCK")


class Dead(Exception):
    """A node has ended, or does not answer."""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Node:
    """A skynet node; its output is read line by line."""

    def __init__(self, exe, tree, start, config):
        self.folder = tempfile.mkdtemp(prefix="skynet-hostile-")
        services, modules = f"{FOLDER}/?.lua", f"{FOLDER}/?.lua"
        lines = ["thread = 2", 'logservice = "logger"', f'start = "{start}"']
        if tree:
            tree = pathlib.Path(tree).resolve()
            services += f";{tree}/service/?.lua"
            modules += f";{tree}/lualib/?.lua;{tree}/lualib/?/init.lua"
            lines += [f'lualoader = "{tree}/lualib/loader.lua"', f'lua_cpath = "{tree}/luaclib/?.so"',
                      f'cpath = "{tree}/cservice/?.so"', 'bootstrap = "snlua bootstrap"']
        lines += [f'luaservice = "{services}"', f'lua_path = "{modules}"']
        if "harbor =" not in config:
            lines.append("harbor = 0")
        with open(f"{self.folder}/config", "w", encoding="utf8") as file:
            file.write("\n".join(lines) + "\n" + config)
        self.process = subprocess.Popen(
            [os.path.abspath(exe), "config"], cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            bufsize=0)
        self.lines = queue.Queue()
        self.log = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with open(self.process.stdout.fileno(), "rb", closefd=False) as output:
            for line in output:
                text = line.decode("utf8", "replace").rstrip("\n")
                self.log.append(text)
                self.lines.put(text)
        self.lines.put(None)

    def say(self, text):
        try:
            self.process.stdin.write(text.encode() + b"\n")
        except OSError as problem:
            raise Dead(f"{problem}: {self.log[-5:]}") from problem

    def wait(self, begin, patience=PATIENCE):
        """The next line that begins so."""
        end = time.monotonic() + patience
        while True:
            try:
                line = self.lines.get(timeout=max(end - time.monotonic(), 0.01))
            except queue.Empty:
                raise Dead(f"no line {begin!r} in {patience} s") from None
            if line is None:
                raise Dead(f"the node has ended: {self.log[-5:]}")
            if line.startswith(begin):
                return line

    def cpu(self):
        """Seconds of CPU time of the process."""
        with open(f"/proc/{self.process.pid}/stat", encoding="utf8") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        """Bytes of the resident set."""
        with open(f"/proc/{self.process.pid}/statm", encoding="utf8") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def alive(self):
        return self.process.poll() is None

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Target:
    """A listener: its port, and the bytes for the attacks."""

    def __init__(self, line):
        _, self.name, port, *pairs = line.split()
        self.port = int(port)
        for pair in pairs:
            key, _, text = pair.partition("=")
            setattr(self, key, bytes.fromhex(text))


class Pair:
    """A node with one listener, and an honest client."""

    def __init__(self, exe, tree, name):
        ports = free_ports(4)
        more = FOLDER / "listeners" / f"{name}.config"
        config = more.read_text(encoding="utf8").format(*ports) if more.exists() else ""
        config += f'listeners = "{name}"\nports = "{" ".join(map(str, ports[2:]))}"\n'
        self.server = Node(exe, tree, "node", config)
        self.client = None
        try:
            echo = None
            if more.exists() and name == "harbor":
                echo = self.server.wait("echo ").split()[1]
            self.target = Target(self.server.wait("listener "))
            self.server.wait("ready")
            self.client = Node(exe, tree, "client", f"echo = {echo}\n" if echo else "")
            self.client.wait("ready")
        except BaseException:
            self.end()
            raise

    def end(self):
        for node in (self.server, self.client):
            if node:
                node.end()
