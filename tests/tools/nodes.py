"""Nodes that Python programs start: their config, their output line by line, and what they take of the machine."""

import contextlib
import itertools
import os
import pathlib
import queue
import resource
import shutil
import socket
import subprocess
import tempfile
import threading
import time

PATIENCE = 60  # seconds until a node counts as stuck
TICKS = os.sysconf("SC_CLK_TCK")
MEGABYTE = 1024 * 1024


class Dead(Exception):
    """A node has ended, or does not answer."""


_next_port = itertools.count(os.getpid() * 97)


def free_ports(count):
    """Ports of the loopback that nobody gets who asks for any port, as every connection of an attack does."""
    ports = []
    while len(ports) < count:
        port = 12_000 + next(_next_port) % 20_000  # up to where the kernel's own choices begin
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
    return ports


def size(count):
    return f"{count / MEGABYTE:.1f} MB" if count >= MEGABYTE / 10 else f"{max(count, 0) / 1024:.0f} KB"


class Node:
    """A skynet node; its output is read line by line."""

    def __init__(self, exe, tree, services, start, config, command=(), **options):
        """`services` is the folder of the Lua services; `tree` that of a core whose Lua layer is taken; `command` is what runs
        the executable, if it is not run by itself; `options` are for the process."""
        self.folder = tempfile.mkdtemp(prefix="skynet-node-")
        service_path, module_path = f"{services}/?.lua", f"{services}/?.lua"
        lines = ["thread = 2", f'start = "{start}"']
        if tree:
            tree = pathlib.Path(tree).resolve()
            service_path += f";{tree}/service/?.lua"
            module_path += f";{tree}/lualib/?.lua;{tree}/lualib/?/init.lua"
            lines += [f'lualoader = "{tree}/lualib/loader.lua"', f'lua_cpath = "{tree}/luaclib/?.so"',
                      f'cpath = "{tree}/cservice/?.so"', 'bootstrap = "snlua bootstrap"']
        lines += [f'luaservice = "{service_path}"', f'lua_path = "{module_path}"', 'logservice = "logger"']
        if "harbor =" not in config:
            lines.append("harbor = 0")
        with open(f"{self.folder}/config", "w", encoding="utf8") as file:
            file.write("\n".join(lines) + "\n" + config)
        self.lines = queue.Queue()
        self.log = []
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE} | options
        self.process = subprocess.Popen([*command, os.path.abspath(exe), "config"], cwd=self.folder, bufsize=0, **options)
        if self.process.stdout:
            self.reader = threading.Thread(target=self._read, daemon=True)
            self.reader.start()

    def _read(self):
        with open(self.process.stdout.fileno(), "rb", closefd=False) as output:
            for line in output:
                self.take(line.decode("utf8", "replace").rstrip("\n"))
        self.lines.put(None)

    def take(self, line):
        """A line that the node has printed; on a thread of its own."""
        self.log.append(line)
        self.lines.put(line)

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

    def private(self):
        """Bytes of memory that are the process's alone: without the pages of the executable."""
        with open(f"/proc/{self.process.pid}/statm", encoding="utf8") as file:
            fields = file.read().split()
        return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @contextlib.contextmanager
    def few_descriptors(self, count):
        """The process gets no more than `count` descriptors besides those that it has, for a time."""
        most = self.descriptors() + count
        before = resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (most, before[1]))
        try:
            yield
        finally:
            resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, before)

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def alive(self):
        return self.process.poll() is None

    def end(self):
        self.process.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Sampler:
    """The largest memory of a node while it runs."""

    def __init__(self, node):
        self.node = node
        self.peak = node.memory()
        self.over = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.over:
            try:
                self.peak = max(self.peak, self.node.memory())
            except (OSError, IndexError):
                return  # it has ended
            time.sleep(0.02)

    def end(self):
        self.over = True
        self.thread.join()
        return self.peak
