"""More than a node has on most days."""

from subject import MEGABYTE, PATIENCE, check, until

LONG = 10 * PATIENCE


def services(scene):
    """Very many services: each answers; when they are gone, so is their memory."""
    number = 500 if scene.short else 100_000
    node = scene.node()
    before = node.memory()
    node.must("launch", number, patience=LONG)
    check(node.must("ask_all", patience=LONG) == str(number), "not all answer")
    full = node.memory()
    check(int(node.must("services", patience=LONG)) >= number, "the launcher knows fewer")
    node.must("kill_all", patience=LONG)
    until(lambda: int(node.must("services", patience=LONG)) < 50, "services are left", LONG)
    until(lambda: node.memory() < before + (full - before) / 10 + 32 * MEGABYTE, "the memory is not given back")
    node.lives()
    each = (full - before) / number / 1024
    return f"{number} answer, {each:.0f} KB each; then all are gone, {(node.memory() - before) / MEGABYTE:.0f} MB left"


def messages(scene):
    """Very many messages: each is handled once."""
    number = 100_000 if scene.short else 10_000_000
    node = scene.node()
    check(node.must("messages", number, patience=LONG) == str(number), "messages are lost")
    node.lives()
    return f"{number} handled"


def launch_and_kill(scene):
    """Services are killed while they are called: every call raises, nothing is left."""
    rounds = 10 if scene.short else 1000
    node = scene.node()
    node.lives()
    before = int(node.must("services"))
    check(node.must("launch_and_kill", rounds, patience=LONG) == str(rounds * 20), "calls were answered by nobody")
    until(lambda: int(node.must("services")) <= before, "services are left")
    node.lives()
    return f"{rounds * 20} services killed, {rounds * 20} calls raised"


FAULTS = {"services": services, "messages": messages, "launch-and-kill": launch_and_kill}
