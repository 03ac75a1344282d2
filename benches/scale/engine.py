"""An etcd of the loopback, or of a network namespace: its process, its figures, and requests by its JSON gateway."""

import base64
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1] / "tests/tools"))
sys.dont_write_bytecode = True

from nodes import TICKS, Dead  # noqa: E402

PREFIX = "fleet"

# Name here -> name of etcd's figure.
FIGURES = {
    "sent": "etcd_network_client_grpc_sent_bytes_total",
    "received": "etcd_network_client_grpc_received_bytes_total",
    "events": "etcd_debugging_mvcc_events_total",
    "puts": "etcd_debugging_mvcc_put_total",
    "deletes": "etcd_debugging_mvcc_delete_total",
    "watchers": "etcd_debugging_mvcc_watcher_total",
    "renewals": "etcd_debugging_lease_renewed_total",
    "leases_ended": "etcd_server_lease_expired_total",
    "database": "etcd_mvcc_db_total_size_in_bytes",
    "memory": "process_resident_memory_bytes",
}


def encode(text):
    return base64.b64encode(text.encode()).decode()


class Engine:
    def __init__(self, port, host="127.0.0.1", prefix_command=()):
        program = shutil.which("etcd")
        if not program:
            sys.exit("etcd is not here: apt-get install etcd-server")
        self.folder = tempfile.mkdtemp(prefix="skynet-etcd-")
        self.host, self.port = host, port
        url = f"http://{host}:{port}"
        self.command = [*prefix_command, program, "--data-dir", f"{self.folder}/data", "--listen-client-urls", url,
                        "--advertise-client-urls", url, "--listen-peer-urls", "http://127.0.0.1:0",
                        "--logger", "zap", "--log-level", "error"]
        self.link = None
        self.start()

    def start(self):
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)

    def url(self):
        return f"etcd://{self.host}:{self.port}/{PREFIX}"

    def ask(self, path, body):
        """By one connection, as a node asks."""
        if not self.link:
            self.link = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            self.link.request("POST", f"/v3/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
            answer = self.link.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as problem:
            self.link = None
            raise OSError(str(problem)) from None
        if answer.status != 200:
            raise Dead(f"etcd refuses {path}: {text[:200]}")
        return json.loads(text)

    def wait(self):
        end = time.monotonic() + 30
        while True:
            try:
                return self.ask("kv/range", {"key": encode("x")})
            except OSError as problem:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise Dead(f"etcd does not answer: {problem}; see {self.folder}/log") from None
                time.sleep(0.05)

    def put(self, key, value, lease=None):
        body = {"key": encode(f"{PREFIX}/{key}"), "value": encode(value)}
        if lease:
            body["lease"] = lease
        return self.ask("kv/put", body)

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="utf8") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def figures(self):
        """See FIGURES; and seconds of CPU time."""
        with urllib.request.urlopen(f"http://{self.host}:{self.port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        told = {name: float(values.get(key, 0)) for name, key in FIGURES.items()}
        return told | {"cpu": self.cpu()}

    def end(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
