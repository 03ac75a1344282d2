"""A server that speaks as much of redis' protocol as a fault needs: GET answers with the key, "GET wait" never.

redis_peer.py PORT
"""

import socketserver
import sys


class Client(socketserver.StreamRequestHandler):
    def handle(self):
        while head := self.rfile.readline():
            words = []
            for _ in range(int(head[1:])):
                length = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(length + 2)[:-2])
            if words[0].upper() != b"GET":
                self.wfile.write(b"+OK\r\n")
            elif words[1] != b"wait":
                self.wfile.write(b"$%d\r\n%s\r\n" % (len(words[1]), words[1]))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


with Server(("127.0.0.1", int(sys.argv[1])), Client) as server:
    print("ready", flush=True)
    server.serve_forever()
