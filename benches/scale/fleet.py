"""Many nodes of one cluster: processes that are started, killed, ended and frozen, and what each of them has said it sees."""

import collections
import re
import signal
import threading
import time

from scripted import Scripted

LOG_LINES = 60
ITS_ENGINE = re.compile(r"cluster discovery.*(lost:|again after|lease has ended|another one|not reached)")


def ticked(text):
    return {key: int(value) for key, value in (word.split("=") for word in text.split())}


class Life(Scripted):
    """One process of a node: from its start to its end."""

    def __init__(self, fleet, name, number):
        self.fleet, self.name, self.number = fleet, name, number
        self.boot = None
        self.ready = self.died = self.asked_to_end = None
        self.freezes = []  # [from, to]; to: None while it lasts
        self.told = {}  # of the last tick
        self.recent = collections.deque(maxlen=LOG_LINES)
        self.answers = {}
        self.started = time.time()
        super().__init__(fleet.given, "fleet_node", fleet.config(name, number))

    def take(self, line):
        self.fleet.take(self, line)

    def is_frozen(self):
        return bool(self.freezes) and self.freezes[-1][1] is None

    def well(self, begin, end):
        """Whether it has lived through that time, ready and not frozen."""
        if self.ready is None or self.ready > begin or (self.died or end) < end:
            return False
        if self.asked_to_end and self.asked_to_end < end:
            return False
        return all(stop is not None and stop < begin or start > end for start, stop in self.freezes)

    def signal(self, number):
        self.process.send_signal(number)


class Fleet:
    def __init__(self, engine, given):
        self.engine, self.given = engine, given
        self.lock = threading.RLock()
        self.lives = []  # all that there have been
        self.present = {}  # name -> the one that lives
        self.by_boot = {}
        self.changes = collections.defaultdict(list)  # (observer, "NODE BOOT") -> [(time, is it seen)]
        self.failures = []  # (life, begin, end, kind, target, text)
        self.wrong = []
        self.complaints = collections.Counter()  # kinds of lines of the log
        self.worst = {"limited": 0, "node": 0}  # seconds

    def config(self, name, number):
        given = self.given
        lines = {
            "thread": 1, "cluster_name": f'"{name}"', "cluster_discovery": f'"{self.engine.url()}"', "cluster_lease": given.lease,
            "cluster_advertise": '"127.0.0.1"', "fleet_number": number, "fleet_seed": given.seed, "fleet_limit": given.limit * 100,
            "fleet_pause": given.pause, "fleet_load_period": given.load_period * 100,
        }
        return "".join(f"{key} = {value}\n" for key, value in lines.items())

    def start(self, name, number):
        life = Life(self, name, number)
        with self.lock:
            self.lives.append(life)
            self.present[name] = life
        return life

    def take(self, life, line):
        """A line that a node has printed."""
        word, _, rest = line.partition(" ")
        if word == "tick":
            _, _, counts = rest.partition(" ")
            self._tick(life, ticked(counts))
        elif word in ("seen", "gone"):
            moment, _, key = rest.partition(" ")
            with self.lock:
                self.changes[life, key].append((float(moment), word == "seen"))
        elif word == "failed":
            begin, end, kind, target, text = rest.split(" ", 4)
            with self.lock:
                self.failures.append((life, float(begin), float(end), kind, target, text))
        elif word == "wrong":
            self.wrong.append(f"{life.name}: {rest}")
        elif word.startswith("ready"):
            life.boot, life.ready = line.split()[1], time.time()
            with self.lock:
                self.by_boot[life.boot] = life
            if life.fleet.given.calls:
                life.say("go")
        elif word.split("\t")[0] in ("stopped", "everyone"):
            what, *numbers = line.split("\t")
            life.answers[what] = [int(number) for number in numbers]
        elif line.startswith("[:"):
            life.recent.append(line)
            if "stack traceback" in line or "lua call [" in line or ITS_ENGINE.search(line):
                with self.lock:
                    self.complaints[re.sub(r"[:\d][0-9a-f]{1,8}\b|\d+", "N", re.sub(r"\x1b\[[\d;]*m|/\S*/", "", line))[:150]] += 1
        else:
            life.recent.append(line)

    def _tick(self, life, counts):
        now = time.time()
        before = life.told
        life.told = counts | {"time": now}
        if life.freezes and (life.freezes[-1][1] or now) > now - 20:
            return  # its clock has jumped
        for sort in ("limited", "node"):
            worst = counts[f"oldest_{sort}"]
            if not life.freezes and before:
                worst = max(worst, counts[f"longest_{sort}"])
            self.worst[sort] = max(self.worst[sort], worst / 100)

    def kill_all(self):
        lives = self.running()
        for life in lives:
            life.process.kill()
        when = time.time()
        for life in lives:
            life.process.wait()
            self.ended(life, when)

    def ended(self, life, when):
        with self.lock:
            life.died = when
            if self.present.get(life.name) is life:
                del self.present[life.name]

    def kill(self, life):
        life.process.kill()
        when = time.time()
        life.process.wait()
        self.ended(life, when)

    def ask_to_end(self, life):
        """SIGTERM; `reap` notices the end."""
        life.asked_to_end = time.time()
        life.signal(signal.SIGTERM)

    def freeze(self, life):
        life.freezes.append([time.time(), None])
        life.signal(signal.SIGSTOP)

    def thaw(self, life):
        life.freezes[-1][1] = time.time()
        life.signal(signal.SIGCONT)

    def reap(self):
        """Those that have ended by themselves; the names of those that nobody had asked to."""
        crashed = []
        for life in list(self.present.values()):
            if life.process.poll() is not None:
                self.ended(life, time.time())
                if not life.asked_to_end:
                    crashed.append(life)
        return crashed

    def running(self):
        with self.lock:
            return list(self.present.values())

    def alive_boots(self):
        return {f"{life.name} {life.boot}" for life in self.running() if life.ready}

    def sees(self, life):
        """What it sees of the name "shop"."""
        with self.lock:
            return {key for (observer, key), list_ in self.changes.items() if observer is life and list_[-1][1]}

    def all_see_all(self):
        lives = self.running()
        if not all(life.ready for life in lives):
            return False
        wanted = self.alive_boots()
        with self.lock:
            seen = collections.defaultdict(set)
            for (observer, key), list_ in self.changes.items():
                if list_[-1][1]:
                    seen[observer].add(key)
        return all(seen[life] == wanted for life in lives)

    def await_all(self, patience):
        """Seconds until everybody sees everybody and nobody else; None: not in that time."""
        begin = time.monotonic()
        while time.monotonic() - begin < patience:
            self.reap()
            if self.all_see_all():
                return time.monotonic() - begin
            time.sleep(0.1)
        return None

    def end(self):
        for life in self.lives:
            life.end()
