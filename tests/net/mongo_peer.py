"""A MongoDB server for the tests, as far as they need one: OP_MSG, SCRAM, and the commands below on
collections in memory. BSON is pymongo's. Prints its port, then serves until it is killed.

Users: "one" (SCRAM-SHA-1) and "two" (SCRAM-SHA-256), both with the password "secret"."""
import base64
import hashlib
import hmac
import os
import socketserver
import struct
import threading

import bson
from bson import Int64
from bson.binary import Binary
from bson.objectid import ObjectId

OP_MSG, MORE_TO_COME = 2013, 2
BATCH = 101


class Refusal(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


# ---------------------------------------------------------------- documents


def field(document, path):
    for part in path.split("."):
        if not isinstance(document, dict) or part not in document:
            return None
        document = document[part]
    return document


OPERATORS = {
    "$gt": lambda a, b: a is not None and a > b,
    "$gte": lambda a, b: a is not None and a >= b,
    "$lt": lambda a, b: a is not None and a < b,
    "$ne": lambda a, b: a != b,
    "$in": lambda a, b: a in b,
}


def matches(document, query):
    for path, wanted in query.items():
        value = field(document, path)
        if isinstance(wanted, dict) and any(key.startswith("$") for key in wanted):
            if not all(OPERATORS[name](value, operand) for name, operand in wanted.items()):
                return False
        elif value != wanted:
            return False
    return True


def project(document, projection):
    if not projection:
        return document
    kept = {name: document[name] for name in projection if projection[name] and name in document}
    if projection.get("_id", 1):
        kept["_id"] = document["_id"]
    return kept


def ordered(documents, sort):
    for path, direction in reversed(list((sort or {}).items())):
        documents = sorted(documents, key=lambda one: field(one, path), reverse=direction < 0)
    return documents


def changed(document, update):
    result = dict(document)
    for operator, changes in update.items():
        if operator == "$set":
            result.update(changes)
        elif operator == "$inc":
            for name, amount in changes.items():
                result[name] = result.get(name, 0) + amount
        else:
            return {"_id": document.get("_id", ObjectId()), **update}
    return result


# ---------------------------------------------------------------- collections


class Store:
    def __init__(self):
        self.lock = threading.RLock()
        self.collections = {}
        self.unique = {}
        self.cursors = {}
        self.log = []

    def get(self, name):
        return self.collections.setdefault(name, [])

    def check_unique(self, name, document, instead=None):
        for keys in self.unique.get(name, {}).values():
            for other in self.get(name):
                if other is not instead and all(field(other, key) == field(document, key) for key in keys):
                    raise Refusal(11000, f"E11000 duplicate key error collection: {name}")

    def insert(self, name, document):
        document = {"_id": document.get("_id", ObjectId()), **document}
        self.check_unique(name, document)
        self.get(name).append(document)

    def update(self, name, query, update, upsert=False, multi=False):
        found = [one for one in self.get(name) if matches(one, query)]
        if not found and upsert:
            plain = {key: value for key, value in query.items() if not isinstance(value, dict)}
            new = changed({"_id": ObjectId(), **plain}, update)
            self.insert(name, new)
            return 0, new["_id"]
        found = found if multi else found[:1]
        for one in found:
            after = changed(one, update)
            self.check_unique(name, after, one)
            one.clear()
            one.update(after)
        return len(found), None

    def delete(self, name, query, limit=0):
        found = [one for one in self.get(name) if matches(one, query)]
        found = found[:1] if limit else found
        self.collections[name] = [one for one in self.get(name) if not any(one is gone for gone in found)]
        return len(found)

    def cursor(self, name, documents, size):
        first, rest = documents[:size], documents[size:]
        number = 0
        if rest:
            number = int.from_bytes(os.urandom(7), "big") | 1 << 40
            self.cursors[number] = rest
        return {"ok": 1.0, "cursor": {"id": Int64(number), "ns": name, "firstBatch": first}}


STORE = Store()


def several(count, items, do):
    """A write of several items, some of which may fail."""
    errors = []
    for index, item in enumerate(items):
        try:
            count += do(item)
        except Refusal as refusal:
            errors.append({"index": index, "code": refusal.code, "errmsg": str(refusal)})
            break
    answer = {"ok": 1.0, "n": count}
    if errors:
        answer["writeErrors"] = errors
    return answer


def pipeline(name, stages):
    documents = list(STORE.get(name))
    for stage in stages:
        (operator, value), = stage.items()
        if operator == "$match":
            documents = [one for one in documents if matches(one, value)]
        elif operator == "$sort":
            documents = ordered(documents, value)
        elif operator == "$skip":
            documents = documents[value:]
        elif operator == "$limit":
            documents = documents[:value]
        elif operator == "$project":
            documents = [project(one, value) for one in documents]
        elif operator == "$count":
            documents = [{value: len(documents)}] if documents else []
        elif operator == "$group":
            groups = {}
            for one in documents:
                key = field(one, value["_id"][1:]) if value["_id"] else None
                group = groups.setdefault(key, {"_id": key})
                for target, what in value.items():
                    if target != "_id":
                        amount = what["$sum"]
                        amount = field(one, amount[1:]) if isinstance(amount, str) else amount
                        group[target] = group.get(target, 0) + amount
            documents = list(groups.values())
        else:
            raise Refusal(40324, f"Unrecognized pipeline stage name: '{operator}'")
    return documents


class Commands:
    """The commands by name; each gets the whole command and returns the answer."""

    def __init__(self):
        self.session = None

    def ismaster(self, _):
        return {"ok": 1.0, "ismaster": True, "maxWireVersion": 21}

    def ping(self, _):
        return {"ok": 1.0}

    logout = ping

    def insert(self, command):
        name = command["insert"]
        return several(0, command["documents"], lambda one: STORE.insert(name, one) or 1)

    def update(self, command):
        upserted = []

        def do(one):
            count, new = STORE.update(command["update"], one["q"], one["u"], one.get("upsert"), one.get("multi"))
            if new is not None:
                upserted.append({"index": 0, "_id": new})
            return count + (new is not None)

        answer = several(0, command["updates"], do)
        if upserted:
            answer["upserted"] = upserted
        return answer

    def delete(self, command):
        return several(0, command["deletes"], lambda one: STORE.delete(command["delete"], one["q"], one["limit"]))

    def find(self, command):
        found = [one for one in STORE.get(command["find"]) if matches(one, command.get("filter", {}))]
        found = ordered(found, command.get("sort"))[command.get("skip", 0):]
        if command.get("limit"):
            found = found[: command["limit"]]
        found = [project(one, command.get("projection")) for one in found]
        return STORE.cursor(command["find"], found, command.get("batchSize", BATCH))

    def getMore(self, command):
        assert isinstance(command["getMore"], Int64)
        rest = STORE.cursors.pop(command["getMore"], None)
        if rest is None:
            raise Refusal(43, f"cursor id {command['getMore']} not found")
        size = command.get("batchSize", BATCH)
        if rest[size:]:
            STORE.cursors[command["getMore"]] = rest[size:]
        number = command["getMore"] if rest[size:] else 0
        return {"ok": 1.0, "cursor": {"id": Int64(number), "nextBatch": rest[:size]}}

    def killCursors(self, command):
        for number in command["cursors"]:
            STORE.cursors.pop(number, None)
        return {"ok": 1.0}

    def count(self, command):
        found = [one for one in STORE.get(command["count"]) if matches(one, command.get("query", {}))]
        found = found[command.get("skip", 0):]
        return {"ok": 1.0, "n": min(len(found), command.get("limit", len(found)))}

    def aggregate(self, command):
        if "cursor" not in command:
            raise Refusal(9, "The 'cursor' option is required")
        documents = pipeline(command["aggregate"], command["pipeline"])
        return STORE.cursor(command["aggregate"], documents, command["cursor"].get("batchSize", BATCH))

    def createIndexes(self, command):
        for index in command["indexes"]:
            if index.get("unique"):
                STORE.unique.setdefault(command["createIndexes"], {})[index["name"]] = list(index["key"])
        return {"ok": 1.0, "names": [[index["name"], list(index["key"].items())] for index in command["indexes"]]}

    def dropIndexes(self, command):
        indexes = STORE.unique.get(command["dropIndexes"], {})
        if command["index"] == "*":
            indexes.clear()
        elif not indexes.pop(command["index"], None):
            raise Refusal(27, f"index not found with name [{command['index']}]")
        return {"ok": 1.0}

    def drop(self, command):
        STORE.unique.pop(command["drop"], None)
        if STORE.collections.pop(command["drop"], None) is None:
            raise Refusal(26, "ns not found")
        return {"ok": 1.0}

    def findAndModify(self, command):
        name, query = command["findAndModify"], command["query"]
        found = ordered([one for one in STORE.get(name) if matches(one, query)], command.get("sort"))
        before = dict(found[0]) if found else None
        if command.get("remove"):
            if found:
                STORE.delete(name, {"_id": before["_id"]}, 1)
        elif found:
            STORE.update(name, {"_id": before["_id"]}, command["update"])
        elif command.get("upsert"):
            STORE.update(name, query, command["update"], upsert=True)
            found = [one for one in STORE.get(name) if matches(one, query)]
        after = found[0] if found else None
        return {"ok": 1.0, "value": after if command.get("new") else before}

    def bulkWrite(self, command):
        spaces = [space["ns"].split(".", 1)[1] for space in command["nsInfo"]]
        results, counts = [], {"nInserted": 0, "nModified": 0, "nDeleted": 0, "nErrors": 0}
        for index, operation in enumerate(command["ops"]):
            (kind, number), *_ = operation.items()
            result = {"ok": 1.0, "idx": index, "n": 1}
            try:
                if kind == "insert":
                    STORE.insert(spaces[number], operation["document"])
                    counts["nInserted"] += 1
                elif kind == "update":
                    counts["nModified"] += STORE.update(
                        spaces[number], operation["filter"], operation["updateMods"], operation["upsert"], operation["multi"]
                    )[0]
                else:
                    counts["nDeleted"] += STORE.delete(spaces[number], operation["filter"], not operation["multi"])
            except Refusal as refusal:
                result = {"ok": 0.0, "idx": index, "n": 0, "code": refusal.code, "errmsg": str(refusal)}
                counts["nErrors"] += 1
            results.append(result)
            if not result["ok"] and command.get("ordered", True):
                break
        return {"ok": 1.0, "cursor": {"id": Int64(0), "ns": "admin.$cmd.bulkWrite", "firstBatch": results}, **counts}

    # -------- sessions: what is written in a transaction is copied back when it is aborted

    def startSession(self, _):
        return {"ok": 1.0, "id": {"id": Binary(os.urandom(16), 4)}, "timeoutMinutes": 30}

    def endSessions(self, _):
        return {"ok": 1.0}

    def begin(self, command):
        assert isinstance(command["txnNumber"], Int64) and command["autocommit"] is False
        assert isinstance(command["lsid"]["id"], Binary)
        if command.get("startTransaction"):
            self.session = {name: [dict(one) for one in documents] for name, documents in STORE.collections.items()}
        elif self.session is None:
            raise Refusal(251, "Given transaction number does not match any in-progress transactions.")

    def commitTransaction(self, _):
        self.session = None
        return {"ok": 1.0}

    def abortTransaction(self, _):
        STORE.collections = self.session
        self.session = None
        return {"ok": 1.0}

    # -------- log-in

    def saslStart(self, command):
        users = {("one", "SCRAM-SHA-1"): "sha1", ("two", "SCRAM-SHA-256"): "sha256"}
        first = command["payload"].decode()  # binary, as all drivers send it
        assert first.startswith("n,,")
        self.first = first[3:]
        name = self.first.split(",")[0][2:]
        self.hash = users.get((name, command["mechanism"]))
        if self.hash is None:
            known = any(name == user for user, _ in users)
            raise Refusal(334 if known else 18, "Unable to use the mechanism" if known else "Authentication failed.")
        password = b"secret"
        if self.hash == "sha1":
            password = hashlib.md5(b"one:mongo:secret").hexdigest().encode()
        salt = b"salt of the test"
        self.salted = hashlib.pbkdf2_hmac(self.hash, password, salt, 5000)
        nonce = self.first.split("r=")[1] + "server"
        self.challenge = f"r={nonce},s={base64.b64encode(salt).decode()},i=5000"
        return {"ok": 1.0, "conversationId": 7, "done": False, "payload": self.challenge.encode()}

    def digest(self, key, text):
        return hmac.digest(key, text.encode() if isinstance(text, str) else text, self.hash)

    def saslContinue(self, command):
        assert command["conversationId"] == 7
        if not command["payload"]:
            return {"ok": 1.0, "conversationId": 7, "done": True, "payload": b""}
        final, proof = command["payload"].decode().rsplit(",p=", 1)
        message = f"{self.first},{self.challenge},{final}"
        client = self.digest(self.salted, "Client Key")
        signature = self.digest(hashlib.new(self.hash, client).digest(), message)
        if base64.b64decode(proof) != bytes(a ^ b for a, b in zip(client, signature)):
            raise Refusal(18, "Authentication failed.")
        server = base64.b64encode(self.digest(self.digest(self.salted, "Server Key"), message)).decode()
        return {"ok": 1.0, "conversationId": 7, "done": False, "payload": f"v={server}".encode()}

    # -------- for the tests

    def hangup(self, _):
        raise ConnectionAbortedError

    def cursors(self, _):
        return {"ok": 1.0, "n": len(STORE.cursors)}

    def echo(self, command):
        return {"ok": 1.0, **command}

    def run(self, command):
        name = next(iter(command))
        handler = getattr(self, name, None)
        with STORE.lock:
            try:
                if handler is None:
                    raise Refusal(59, f"no such command: '{name}'")
                if "lsid" in command:
                    self.begin(command)
                return handler(command)
            except Refusal as refusal:
                return {"ok": 0.0, "errmsg": str(refusal), "code": refusal.code}


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            self.serve(Commands())
        except ConnectionError:
            pass

    def serve(self, commands):
        while True:
            header = self.rfile.read(16)
            if len(header) < 16:
                return
            size, request, _, code = struct.unpack("<iiii", header)
            body = self.rfile.read(size - 16)
            flags, kind = struct.unpack_from("<IB", body)
            assert code == OP_MSG and kind == 0, (code, kind)
            command = bson.decode(body[5:])
            assert "$db" in command
            answer = commands.run(command)
            if flags & MORE_TO_COME:
                assert command.get("writeConcern") == {"w": 0}
                continue
            document = bson.encode(answer)
            self.wfile.write(struct.pack("<iiiiIB", 21 + len(document), 99, request, OP_MSG, 0, 0) + document)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


with Server(("127.0.0.1", 0), Connection) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
