"""The two nodes: the one that is attacked, and the one of the honest client."""

import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "tools"))

from nodes import MEGABYTE, Dead, Node, Sampler, free_ports, size  # noqa: E402, F401


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
        self.server = Node(exe, tree, FOLDER, "node", config)
        self.client = None
        try:
            echo = None
            if more.exists() and name == "harbor":
                echo = self.server.wait("echo ").split()[1]
            self.target = Target(self.server.wait("listener "))
            self.server.wait("ready")
            self.client = Node(exe, tree, FOLDER, "client", f"echo = {echo}\n" if echo else "")
            self.client.wait("ready")
        except BaseException:
            self.end()
            raise

    def end(self):
        for node in (self.server, self.client):
            if node:
                node.end()
