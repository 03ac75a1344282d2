"""What an attack has cost, and what has to hold."""

import time

import attacks
from pair import MEGABYTE, Dead, Sampler, size

# What has to hold after each attack. None of these is a time.
MOST_PEAK = 96 * MEGABYTE      # memory that an attack may take while it lasts
# What the kernel still has of clients that leave is read at once, and in Lua each small packet of it takes many times its bytes.
PEAKS = {"gateserver": 192 * MEGABYTE}
MOST_KEPT = 64 * MEGABYTE      # ... and that may still be there when all strangers have left
LINES_EACH = 6                 # log messages for a connection, an honest one too, with those that the C core writes
LINES_BESIDE = 40
SETTLE = 30                    # seconds for which a node that does not let go of its sockets has nothing else to do: it is stuck
LONGEST_SETTLE = 300           # ... and in all

HEADINGS = ("listener", "attack", "connections", "sent", "CPU", "CPU/MB", "peak", "kept", "lines", "asked", "failed", "worst")


def settle(node, descriptors, memory):
    """Waits until the sockets of the strangers and the memory that they took are gone; how many sockets are left. A node that
    works off what they have sent has as much time as the machine takes for that."""
    began = worked = time.monotonic()
    cpu = node.cpu()
    while True:
        left, now = node.descriptors() - descriptors, time.monotonic()
        if node.cpu() - cpu > 0.1:
            cpu, worked = node.cpu(), now
        if left <= 0 and node.memory() - memory < MOST_KEPT or now > worked + SETTLE or now > began + LONGEST_SETTLE:
            return max(left, 0)
        time.sleep(0.05)


def honest(line):
    words = dict(pair.split("=", 1) for pair in line.split(" ", 4)[1:])
    return {key: int(words[key]) for key in ("asked", "failed", "worst_ms")} | {"problem": words["problem"]}


def measure(pair, listener, name, short):
    """Runs one attack; a dictionary of what it has cost, with "problems"."""
    node = pair.server
    seconds = 0.3 if short else 6
    descriptors = node.descriptors()
    pair.client.say(f"begin {listener} {pair.target.port}")
    time.sleep(0.15 if short else 1)  # the honest client has a connection before the strangers come
    before = node.memory(), node.cpu(), len(node.log)
    sampler = Sampler(node)
    strangers = attacks.Strangers(node, pair.target, seconds, short)
    try:
        attacks.ATTACKS[name](strangers)
    finally:
        strangers.close_all()
    pair.client.say("end")
    asked = honest(pair.client.wait("honest "))
    left = settle(node, descriptors, before[0])
    if not node.alive():
        raise Dead(f"the node has ended: {node.log[-5:]}")
    result = {
        "listener": listener,
        "attack": name,
        "connections": strangers.connections,
        "sent": strangers.bytes,
        "cpu": node.cpu() - before[1],
        "peak": sampler.end() - before[0],
        "kept": node.memory() - before[0],
        # The trace of an error is part of its message.
        "lines": sum(line.startswith("[:") for line in node.log[before[2]:]),
        "left": left,
        "stranger": strangers.problem,
        "log": node.log[before[2]:],
        **asked,
    }
    result["problems"] = problems(result)
    return result


def problems(result):
    found = []
    if result["failed"] or not result["asked"]:
        found.append(f"the honest client: {result['failed']} of {result['asked']} failed: {result['problem']}")
    if result["stranger"]:
        found.append(result["stranger"])
    if result["peak"] > PEAKS.get(result["listener"], MOST_PEAK):
        found.append(f"memory grew by {result['peak'] / MEGABYTE:.0f} MB")
    if result["kept"] > MOST_KEPT:
        found.append(f"{result['kept'] / MEGABYTE:.0f} MB are kept")
    if result["lines"] > (result["connections"] + result["asked"]) * LINES_EACH + LINES_BESIDE:
        found.append(f"{result['lines']} log messages for {result['connections']} connections: {result['log'][-3:]}")
    if result["left"] > 0:
        found.append(f"{result['left']} descriptors are left")
    return found


class Table:
    """Prints a line of Markdown for each attack as soon as it is over."""

    def __init__(self):
        self.failures = []
        print("| " + " | ".join(HEADINGS) + " |")
        print("|" + "---|" * len(HEADINGS), flush=True)

    def add(self, result):
        cost = result["cpu"] * MEGABYTE / result["sent"] if result["sent"] > 100_000 else None
        cells = (result["listener"], result["attack"], result["connections"], size(result["sent"]),
                 f"{result['cpu']:.2f} s", "" if cost is None else f"{cost:.3f} s", size(result["peak"]),
                 size(result["kept"]), result["lines"], result["asked"], result["failed"], f"{result['worst_ms']} ms")
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
        for problem in result["problems"]:
            self.failures.append(f"{result['listener']}, {result['attack']}: {problem}")

    def dead(self, listener, attack, problem):
        print(f"| {listener} | {attack} | {problem} |", flush=True)
        self.failures.append(f"{listener}, {attack}: {problem}")

    def end(self):
        print()
        for failure in self.failures:
            print(f"FAILED {failure}")
        print(f"{len(self.failures)} failures")
