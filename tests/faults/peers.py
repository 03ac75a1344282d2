"""Other nodes and servers die, or stand still."""

import pathlib
import signal
import sys
import time

from subject import check, free_ports, until

REDIS = str(pathlib.Path(__file__).resolve().parent / "redis_peer.py")
STILL = 0.5  # seconds in which a peer that stands still does not answer


def raises(node, *words):
    kind, text = node.ask(*words)
    check(kind == "error", f"{' '.join(map(str, words))}: an answer of a dead peer: {text}")
    return text


def cluster_pair(scene, *options):
    port, = free_ports(1)
    node, peer = scene.node(), scene.node()
    peer.must("cluster_open", port)
    node.must("cluster_peer", port, *options)
    check(node.must("cluster_call", "first") == "first", "another answer")
    return node, peer, port


def killed_cluster(scene):
    """kill -9 of a node while a call to it waits: the call raises, so do others, and a node that is back answers."""
    node, peer, port = cluster_pair(scene)
    waiting = node.begin("cluster_call", "sleep")
    time.sleep(0.1)
    peer.process.kill()
    peer.process.wait()
    kind, _ = node.answer(waiting)
    check(kind == "error", "a call is answered by nobody")
    text = raises(node, "cluster_call", "second")
    node.lives()
    scene.node().must("cluster_open", port)
    until(lambda: node.ask("cluster_call", "third") == ["ok", "third"], "the peer that is back is not called")
    return f"calls raise ({text[-60:]}), and work when it is back"


def frozen_cluster(scene):
    """SIGSTOP of a node: calls to it wait, everything else goes on; SIGCONT: they are answered."""
    node, peer, _ = cluster_pair(scene)
    stands_still(node, peer.process, "cluster_call")
    return "calls to it wait and are answered later, the rest goes on"


def frozen_heartbeat(scene):
    """The same with a heartbeat: calls raise."""
    node, peer, _ = cluster_pair(scene, 1)
    freeze(peer.process)
    text = raises(node, "cluster_call", "frozen")
    node.lives()
    peer.process.send_signal(signal.SIGCONT)
    until(lambda: node.ask("cluster_call", "later") == ["ok", "later"], "the peer that goes on is not called")
    return f"calls raise ({text[-60:]}), and work when it goes on"


def freeze(process):
    """A process with several threads stands still a moment after the signal."""
    process.send_signal(signal.SIGSTOP)

    def stopped():
        with open(f"/proc/{process.pid}/stat", encoding="utf8") as file:
            return file.read().rpartition(")")[2].split()[0] == "T"
    until(stopped, "the peer does not stop")


def stands_still(node, process, command):
    freeze(process)
    waiting = node.begin(command, "frozen")
    node.lives()
    time.sleep(STILL)
    check(not node.answered(waiting), "a frozen peer answers")
    process.send_signal(signal.SIGCONT)
    check(node.answer(waiting) == ["ok", "frozen"], "another answer")
    node.lives()


def redis(scene):
    port, = free_ports(1)
    peer = scene.peer(sys.executable, REDIS, str(port))
    node = scene.node()
    node.must("redis_connect", port)
    check(node.must("redis_get", "key") == "key", "another answer")
    return node, peer, port


def killed_server(scene):
    """kill -9 of a redis server while a command waits: it raises, and a server that is back is asked again."""
    node, peer, port = redis(scene)
    waiting = node.begin("redis_get", "wait")
    time.sleep(0.1)
    peer.kill()
    peer.wait()
    kind, text = node.answer(waiting)
    check(kind == "error", "a command is answered by nobody")
    node.lives()
    scene.peer(sys.executable, REDIS, str(port))
    until(lambda: node.ask("redis_get", "key") == ["ok", "key"], "the server that is back is not asked")
    return f"commands raise ({text[-60:]}), and work when it is back"


def frozen_server(scene):
    """SIGSTOP of a redis server: commands wait, everything else goes on; SIGCONT: they are answered."""
    node, peer, _ = redis(scene)
    stands_still(node, peer, "redis_get")
    return "commands wait and are answered later, the rest goes on"


def harbor_node(scene, number, master, own):
    """A node of a network of harbors; the first one is the master too."""
    config = f'harbor = {number}\nmaster = "127.0.0.1:{master}"\naddress = "127.0.0.1:{own}"\n'
    if number == 1:
        config += f'standalone = "127.0.0.1:{master}"\n'
    return scene.node(config)


def lost_master(scene):
    """kill -9 of the harbor master: the others go on, and their services still call each other."""
    ports = free_ports(4)
    master = harbor_node(scene, 1, ports[0], ports[1])
    second = harbor_node(scene, 2, ports[0], ports[2])
    third = harbor_node(scene, 3, ports[0], ports[3])
    second.must("harbor_register", "SECOND")
    third.must("harbor_register", "THIRD")
    check(second.must("harbor_call", "THIRD") == "here", "another answer")
    check(third.must("harbor_call", "SECOND") == "here", "another answer")
    master.process.kill()
    master.process.wait()
    for node, name in ((second, "THIRD"), (third, "SECOND")) * 3:
        node.lives()
        check(node.must("harbor_call", name) == "here", "another answer")
    return "the others go on and call each other"


FAULTS = {
    "killed-cluster": killed_cluster, "frozen-cluster": frozen_cluster, "frozen-heartbeat": frozen_heartbeat,
    "killed-server": killed_server, "frozen-server": frozen_server, "lost-master": lost_master,
}
