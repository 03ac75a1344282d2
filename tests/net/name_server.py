"""A name server for the tests: `name_server.py ZONE`. The zone is a file that is read for each question: NAME TYPE TTL DATA a line, with
the types A and SRV (data: PORT TARGET), or the word REFUSED alone. Prints its port."""

import pathlib
import socket
import struct
import sys

TYPES = {"A": 1, "SRV": 33}


def name_bytes(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def read_name(query, place):
    labels = []
    while query[place]:
        labels.append(query[place + 1 : place + 1 + query[place]].decode().lower())
        place += query[place] + 1
    return ".".join(labels), place + 1


def data_of(kind, words):
    if kind == "A":
        return socket.inet_aton(words[0])
    return struct.pack(">HHH", 0, 0, int(words[0])) + name_bytes(words[1])


def answer(query, zone):
    name, end = read_name(query, 12)
    (asked,) = struct.unpack_from(">H", query, end)
    question = query[12 : end + 4]
    known, records = False, []
    for line in zone.splitlines():
        if line == "REFUSED":
            return query[:2] + struct.pack(">HHHHH", 0x8185, 1, 0, 0, 0) + question
        owner, kind, ttl, *words = line.split()
        owner = owner.strip(".")
        known |= owner == name
        if owner == name and TYPES[kind] == asked:
            data = data_of(kind, words)
            records.append(b"\xc0\x0c" + struct.pack(">HHIH", asked, 1, int(ttl), len(data)) + data)
    code = 0 if known else 3
    return query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0) + question + b"".join(records)


def main():
    zone = pathlib.Path(sys.argv[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        print(server.getsockname()[1], flush=True)
        while True:
            query, client = server.recvfrom(4096)
            server.sendto(answer(query, zone.read_text(encoding="utf8")), client)


main()
