"""The nodes of a fault: each is asked through a connection that it has opened before the fault begins."""

import os
import pathlib
import queue
import socket
import subprocess
import sys
import threading
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "tools"))

from nodes import MEGABYTE, PATIENCE, Dead, Node, Sampler, free_ports, size  # noqa: E402, F401

LEFT = 3  # descriptors that may be more afterwards: a connection to a peer, what is loaded when first needed


class Failed(Exception):
    """The outcome is not the right one."""


def check(condition, text):
    if not condition:
        raise Failed(text)


class Subject(Node):
    def __init__(self, exe, tree, config="", patience=PATIENCE, **options):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.1)
            config += f"control = {listener.getsockname()[1]}\n"
            options = {"stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL} | options
            super().__init__(exe, tree, FOLDER / "services", "subject", config, **options)
            self.control = self._accept(listener, patience)
        self.control.settimeout(None)
        self.answers = {0: queue.Queue()}
        self.alien = []
        self.number = 0
        threading.Thread(target=self._listen, daemon=True).start()
        self.answer(0)
        self.before = self.descriptors()

    def _accept(self, listener, patience):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                return listener.accept()[0]
            except TimeoutError:
                if not self.alive():
                    break
        status = self.process.poll()
        if status is not None and self.process.stdout:
            self.reader.join()
        self.end()
        raise Dead(f"the node has not started, status {status}: {self.log[-3:]}")

    def _listen(self):
        try:
            with self.control.makefile("rb") as lines:
                for line in lines:
                    words = line.decode("utf8", "replace").rstrip("\n").split(" ", 2)
                    if len(words) == 3 and words[0].isdigit() and int(words[0]) in self.answers:
                        self.answers[int(words[0])].put(words[1:])
                    else:
                        self.alien.append(line)
        except OSError:
            pass
        for each in list(self.answers.values()):
            each.put(None)

    def begin(self, *words):
        """Sends a command; its number, for `answer`."""
        self.number += 1
        self.answers[self.number] = queue.Queue()
        try:
            self.control.sendall((" ".join(map(str, (self.number, *words))) + "\n").encode())
        except OSError as problem:
            raise Dead(f"{problem}: {self.log[-3:]}") from problem
        return self.number

    def answered(self, number):
        return not self.answers[number].empty()

    def answer(self, number, patience=PATIENCE):
        """("ok" or "error", text)"""
        try:
            told = self.answers[number].get(timeout=patience)
        except queue.Empty:
            raise Failed(f"no answer in {patience} s: {self.log[-3:]}") from None
        if told is None:
            raise Dead(f"the node has ended, status {self.process.poll()}: {self.log[-3:]}")
        return told

    def ask(self, *words, patience=PATIENCE):
        return self.answer(self.begin(*words), patience)

    def must(self, *words, patience=PATIENCE):
        """The text of an answer that is no error."""
        kind, text = self.ask(*words, patience=patience)
        check(kind == "ok", f"{' '.join(map(str, words))}: {text}")
        return text

    def lives(self):
        check(self.must("ping") == "pong", "no pong")
        check(not self.alien, f"alien bytes in a connection: {self.alien[:2]}")

    def ended(self, patience=PATIENCE):
        """The status of a node that has to end."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise Failed(f"has not ended in {patience} s: {self.log[-3:]}") from None

    def path(self, name):
        return os.path.join(self.folder, name)

    def end(self):
        if hasattr(self, "control"):
            self.control.close()
        super().end()


def until(condition, text, patience=PATIENCE):
    """Asks again and again; something that has to become true by itself."""
    end = time.monotonic() + patience
    while not condition():
        check(time.monotonic() < end, text)
        time.sleep(0.02)


class Scene:
    """What a fault gets: nodes and peers, which end with it, and whether to be short."""

    def __init__(self, exe, tree, short):
        self.exe, self.tree, self.short = exe, tree, short
        self.nodes, self.peers = [], []
        self.sampler = None
        self.peak = 0

    def node(self, config="", **options):
        node = Subject(self.exe, self.tree, config, **options)
        self.nodes.append(node)
        if not self.sampler:
            self.sampler = Sampler(node)
        return node

    def again(self, config="", **options):
        """Instead of the nodes that were: for faults that take one after another."""
        self.close()
        return self.node(config, **options)

    def peer(self, *command):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.peers.append(process)
        process.stdout.readline()
        return process

    def descriptors(self):
        """Before the fault and after it, of the first node."""
        if not self.nodes or not self.nodes[0].alive():
            return "", ""
        node = self.nodes[0]
        end = time.monotonic() + PATIENCE
        while node.descriptors() > node.before + LEFT and time.monotonic() < end:
            time.sleep(0.05)
        after = node.descriptors()
        check(after <= node.before + LEFT, f"{after} descriptors, {node.before} before")
        return node.before, after

    def close(self):
        if self.sampler:
            self.peak = max(self.peak, self.sampler.end())
            self.sampler = None
        for node in self.nodes:
            node.end()
        for process in self.peers:
            process.kill()
            process.wait()
            process.stdout.close()
        self.nodes, self.peers = [], []
