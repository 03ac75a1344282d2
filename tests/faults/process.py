"""What surrounds the process: its standard descriptors, its log, its signals."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import threading
import time

from subject import MEGABYTE, check, free_ports, until


def closed_descriptors(scene):
    """Started without some of the descriptors 0, 1, 2: what is written to them reaches nobody else."""
    cases = [some for number in (1, 2, 3) for some in itertools.combinations((0, 1, 2), number)]
    for some in cases:
        def close(some=some):
            for each in some:
                os.close(each)
        node = scene.again(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=close)
        node.must("log", 100, "line")
        node.lives()
    return f"lives in each of {len(cases)} cases, nothing written to a connection"


def no_reader(scene):
    """Nobody reads the standard output any more (EPIPE)."""
    reading, writing = os.pipe()
    node = scene.node(stdout=writing, stderr=writing)
    os.close(writing)
    os.close(reading)
    node.must("log", 1000, "line")
    node.lives()
    return "lives"


def stalled_log(scene):
    """Who reads the standard output stands still: what waits for that is bounded, and told when reading goes on."""
    number, size = (20, 2000) if scene.short else (1000, 2000)
    reading, writing = os.pipe()
    node = scene.node('log_limit = "8m"\n', stdout=writing, stderr=subprocess.DEVNULL)
    os.close(writing)
    before = node.memory()
    for _ in range(number):
        node.must("log", 1000, size * "x")
    grown = node.memory() - before
    check(grown < 48 * MEGABYTE, f"memory grew by {grown // MEGABYTE} MB")
    node.lives()
    log = []

    def read():
        with open(reading, encoding="utf8", errors="replace") as pipe:
            log.extend(pipe)

    def lost():
        node.must("log", 1, "later")
        return sum(int(each) for each in re.findall(r"read too slowly: (\d+) messages lost", "".join(log)))
    threading.Thread(target=read, daemon=True).start()
    until(lost, "no line tells what was lost")
    missing = lost()
    written = sum("xxxx" in line for line in log)
    check(written + missing >= number * 1000, f"{written} lines, {missing} lost, of {number * 1000}")
    node.lives()
    return f"lives, {missing} of {number * 1000} lines of {size} bytes lost, {grown / MEGABYTE:.0f} MB, then the log goes on"


def lines(node, name, text):
    try:
        with open(node.path(name), encoding="utf8") as file:
            return [line.rsplit(text)[1].strip(" .\n") for line in file if text in line]
    except FileNotFoundError:
        return []


def log_folder_gone(scene):
    """The folder of the log is removed, and the log is to be opened anew; then the folder is back."""
    node = scene.node('logger = "logs/node.log"\n', preexec_fn=lambda: os.mkdir("logs"))
    shutil.rmtree(node.path("logs"))
    node.must("log", 100, "gone")
    node.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    node.must("log", 100, "still")
    node.lives()
    os.mkdir(node.path("logs"))

    def written():
        node.process.send_signal(signal.SIGHUP)
        node.must("log", 1, "back")
        return lines(node, "logs/node.log", "back ")
    until(written, "no log when the folder is back")
    node.lives()
    return "lives, and a log when the folder is back and SIGHUP has come"


def hangups(scene):
    """SIGHUP again and again while lines are written, the file moved away meanwhile: no line is lost or doubled."""
    node = scene.node('logger = "node.log"\n')
    number = 500 if scene.short else 20000
    asked = node.begin("log", number, "line")
    sent = 0
    while not node.answered(asked):
        node.process.send_signal(signal.SIGHUP)
        sent += 1
        if sent == 20:
            os.rename(node.path("node.log"), node.path("old.log"))
        time.sleep(0.001)
    node.answer(asked)
    wanted = [str(i) for i in range(1, number + 1)]

    def written():
        return lines(node, "old.log", "line ") + lines(node, "node.log", "line ")
    until(lambda: len(written()) >= number, f"only {len(written())} of {number} lines")
    check(sorted(written(), key=int) == wanted, "lines are lost or doubled")
    node.lives()
    return f"lives, {number} lines once each through {'hundreds of' if sent > 99 else 'many'} signals"


def aborts(scene):
    """skynet.abort while everything works."""
    number = 12 if scene.short else 200
    for turn in range(number):
        port, = free_ports(1)
        node = scene.again()
        node.must("load", port)
        node.begin("abort")
        status = node.ended()
        check(status == 0, f"turn {turn}: status {status}: {node.log[-3:]}")
    return f"status 0, {number} times"


def terminations(scene):
    """SIGTERM to a node that has to save: everything is saved, status 0."""
    number, savers = (4, 20) if scene.short else (100, 200)
    for turn in range(number):
        node = scene.again()
        node.must("savers", savers)
        node.process.send_signal(signal.SIGTERM)
        status = node.ended()
        check(status == 0, f"turn {turn}: status {status}: {node.log[-3:]}")
        with open(node.path("saved"), encoding="utf8") as file:
            saved = sorted(map(int, file.read().split()))
        check(saved == list(range(1, savers + 1)), f"turn {turn}: {len(saved)} of {savers} are saved")
    return f"all of {savers} saved and status 0, {number} times"


FAULTS = {
    "closed-descriptors": closed_descriptors, "no-reader": no_reader, "stalled-log": stalled_log,
    "log-folder-gone": log_folder_gone,
    "hangups": hangups, "aborts": aborts, "terminations": terminations,
}
