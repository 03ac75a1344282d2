"""What has to hold of a fleet that was killed at random, and the figures of it."""

import collections
import re
import statistics

SETTLE = 8  # seconds that a node which has come, or goes on, needs until calls to it are to go well
HEARTBEAT = 5  # seconds; a node that is silent for three of these fails what waits for it


def spread(values):
    """Median, of 99 in 100, and most."""
    if not values:
        return "-"
    values = sorted(values)
    return f"{statistics.median(values):.2f}, {values[min(len(values) - 1, len(values) * 99 // 100)]:.2f}, {values[-1]:.2f}"


def kind_of(text):
    for words, kind in (("call timeout", "the time is over"), ("has the name", "nobody has the name"),
                        ("is absent", "the node is unknown"), ("is down", "the node is down"),
                        ("no way to node", "no way to the node"), ("ends or cannot be reached", "no node takes it"), ("call failed", "broken off")):
        if words in text:
            return kind
    said = re.sub(r"^\S+\.lua:\d+: ", "", text)
    return re.sub(r"\[n[-\d]+\]|~?[0-9a-f]{16}\.\d+|[\d.:]*\d+", "N", said)[:60]


def deaths(fleet):
    """(life, when, how) of all that have died or stood still: what others are to notice."""
    for life in fleet.lives:
        if life.ready and life.asked_to_end:
            yield life, life.asked_to_end, "told to end"
        elif life.ready and life.died:
            yield life, life.died, "killed"
        for begin, end in life.freezes:
            if (end or life.died or begin) - begin > fleet.given.lease + fleet.given.slack:
                yield life, begin, "frozen"


def staleness(fleet, until):
    """How long after a node's end others saw its name: how -> seconds; and what is not as it should be."""
    times, problems = collections.defaultdict(list), []
    bound = fleet.given.lease + fleet.given.slack
    by_key = collections.defaultdict(list)
    for (observer, key), changes in fleet.changes.items():
        by_key[key].append((observer, changes))
    for life, when, how in deaths(fleet):
        key = f"{life.name} {life.boot}"
        for observer, changes in by_key[key]:
            if observer is life or not observer.well(when - 0.1, min(when + bound, until)):
                if how != "frozen" and observer.well(observer.ready or 0, until):
                    late = [at for at, is_seen in changes if is_seen and at > when + bound]
                    problems += [f"{observer.name} has seen {key} {at - when:.1f} s after it was {how}" for at in late]
                continue
            before = [is_seen for at, is_seen in changes if at <= when]
            gone = next((at for at, is_seen in changes if at > when and not is_seen), None)
            if not before or not before[-1]:
                continue
            if gone is not None and gone - when <= bound:
                times[how].append(gone - when)
            elif when + bound < until:
                problems.append(f"{observer.name} saw {key} {f'{gone - when:.1f} s' if gone else 'for good'} after it was {how}")
    return times, problems


def joining(fleet):
    """Seconds from the moment at which a node knew its own name until each other one, that was there, knew it."""
    times = []
    for (observer, key), changes in fleet.changes.items():
        life = fleet.by_boot.get(key.split()[1])
        at = changes[0][0]
        if life and life is not observer and observer.well(life.ready - 1, max(at, life.ready)):
            times.append(max(0, at - life.ready))
    return times


def unexplained(fleet):
    """Failures of calls to a node that was well all the time, by callers that were well."""
    found = []
    lives_of = collections.defaultdict(list)
    for life in fleet.lives:
        lives_of[life.name].append(life)
    for life, begin, end, kind, target, text in fleet.failures:
        if target == "-" or not life.well(begin - SETTLE, end):
            continue
        if any(other.well(begin - SETTLE, end) for other in lives_of[target]):
            found.append((life, begin, end, kind, target, text))
    return found


def failures(fleet):
    """Kind of failure -> kind of call -> count."""
    table = collections.defaultdict(collections.Counter)
    for _, _, _, kind, _, text in fleet.failures:
        table[kind_of(text)][kind] += 1
    return table


def hangs(fleet):
    limits = {"limited": fleet.given.limit + fleet.given.late, "node": 3 * HEARTBEAT + fleet.given.late}
    return [f"a call {'with a limit of ' + str(fleet.given.limit) + ' s' if sort == 'limited' else 'without a limit'} took "
            f"{fleet.worst[sort]:.1f} s" for sort, limit in limits.items() if fleet.worst[sort] > limit]
