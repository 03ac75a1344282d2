"""A MySQL server for the tests of accounts with caching_sha2_password, which MariaDB does not have: it accepts log-ins
and answers each query with what it knows of the connection: "fast", "key" or "tls", how the password came. Prints its
port, then serves until it is killed.

User "me", password "secret", remembered after the first log-in; user "new" likewise and never remembered; user "none"
has no password. Arguments: certificate and key for TLS, private key and public key for passwords without it."""
import hashlib
import os
import socketserver
import ssl
import struct
import subprocess
import sys

CERTIFICATE, CERTIFICATE_KEY, PRIVATE_KEY, PUBLIC_KEY = sys.argv[1:5]
SSL, PLUGIN_AUTH, CONNECT_WITH_DB = 0x800, 0x80000, 0x8
CAPABILITIES = 0x1 | 0x200 | 0x2000 | 0x8000 | SSL | PLUGIN_AUTH | CONNECT_WITH_DB | 0x10000 | 0x20000 | 0x40000
PASSWORD = b"secret"
remembered = set()


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def xor(a, b):
    return bytes(x ^ b[i % len(b)] for i, x in enumerate(a))


def decrypted(sealed):
    """By the program openssl: RSAES-OAEP with its defaults, SHA-1."""
    command = ["openssl", "pkeyutl", "-decrypt", "-inkey", PRIVATE_KEY, "-pkeyopt", "rsa_padding_mode:oaep"]
    return subprocess.run(command, input=sealed, capture_output=True, check=True).stdout


def text(value):
    return bytes([len(value)]) + value


class Connection(socketserver.BaseRequestHandler):
    def receive(self):
        head = self.exactly(4)
        size = int.from_bytes(head[:3], "little")
        assert head[3] == self.sequence & 0xFF, f"packet {head[3]}, not {self.sequence}"
        self.sequence += 1
        return self.exactly(size)

    def exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.request.recv(size - len(data))
            if not part:
                raise ConnectionError
            data += part
        return data

    def send(self, payload):
        self.request.sendall(len(payload).to_bytes(3, "little") + bytes([self.sequence & 0xFF]) + payload)
        self.sequence += 1

    def refuse(self, reason):
        self.send(b"\xff" + struct.pack("<H", 1045) + b"#28000" + reason)
        raise ConnectionError

    def handle(self):
        try:
            self.log_in()
            while True:
                self.sequence = 0
                self.answer(self.receive())
        except (ConnectionError, ssl.SSLError):
            pass

    def log_in(self):
        self.sequence = 0
        salt = bytes(1 + byte % 127 for byte in os.urandom(20))
        self.send(
            b"\x0a8.4.0-test\0" + struct.pack("<I", 1) + salt[:8] + b"\0" + struct.pack("<H", CAPABILITIES & 0xFFFF)
            + b"\x2d\x02\0" + struct.pack("<HB", CAPABILITIES >> 16, 21) + bytes(10) + salt[8:] + b"\0"
            + b"caching_sha2_password\0"
        )
        packet = self.receive()
        secure = len(packet) == 32
        if secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE, CERTIFICATE_KEY)
            self.request = context.wrap_socket(self.request, server_side=True)
            assert packet == (packet := self.receive())[:32], "the log-in begins otherwise than before TLS"
        user, rest = packet[32:].split(b"\0", 1)
        proof = rest[1 : 1 + rest[0]]
        self.way = b"fast"
        if user == b"none":
            if proof:
                self.refuse(b"a proof without a password")
        else:
            self.check_password(user, proof, salt, secure)
        self.send(b"\0\0\0\2\0\0\0")

    def check_password(self, user, proof, salt, secure):
        once = sha256(PASSWORD)
        if user in remembered:
            if proof != xor(once, sha256(sha256(once), salt)):
                self.refuse(b"Access denied: proof")
            self.send(b"\x01\x03")
            return
        self.send(b"\x01\x04")
        answer = self.receive()
        if secure:
            self.way, password = b"tls", answer
        else:
            self.way = b"pinned"
            if answer == b"\2":
                self.way = b"key"
                with open(PUBLIC_KEY, "rb") as file:
                    self.send(b"\x01" + file.read())
                answer = self.receive()
            try:
                password = xor(decrypted(answer), salt)
            except subprocess.CalledProcessError:
                self.refuse(b"Access denied: encrypted for somebody else")
        if password != PASSWORD + b"\0":
            self.refuse(b"Access denied: password")
        if user == b"me":
            remembered.add(user)

    def answer(self, command):
        if command[:1] != b"\x03":
            self.send(b"\0\0\0\2\0\0\0")
            return
        self.send(b"\1")
        self.send(text(b"def") + text(b"") * 3 + text(b"way") + text(b"") + b"\x0c" + struct.pack("<HIBHB", 45, 99, 253, 0, 0) + b"\0\0")
        self.send(b"\xfe\0\0\2\0")
        self.send(text(self.way))
        self.send(b"\xfe\0\0\2\0")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


with Server(("127.0.0.1", 0), Connection) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
