# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy between the program and its database that can cut a connection at a given byte."""

import contextlib
import socket
import threading


class Proxy:
    """Forwards to `port` of this machine. What the client sends is looked through for statements."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.is_down = False
        self.connections = []
        self.on_statement = None
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def close(self):
        self.down()
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread: a closed descriptor may be the next test's
        self.thread.join()
        self.listener.close()

    def down(self):
        """From now on nobody gets through, and everybody is cut off."""
        self.is_down = True
        for pair in list(self.connections):
            self._cut(*pair)

    def up(self):
        self.is_down = False

    def silence(self):
        """No client that is connected now hears from the server again."""
        for client, _ in self.connections:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.is_down:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self.connections.append((client, server))
            threading.Thread(target=self._to_server, args=(client, server), daemon=True).start()
            threading.Thread(target=self._to_client, args=(client, server), daemon=True).start()

    @staticmethod
    def _cut(client, server):
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _to_server(self, client, server):
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                # A statement is a packet: three bytes of length, a number, 3 for a query, the text.
                statement = data[5:] if len(data) > 5 and data[4] == 3 and len(data) == 4 + data[0] + (data[1] << 8) else b""
                action = self.on_statement(statement) if self.on_statement and statement else None
                if action is None:
                    server.sendall(data)
                    continue
                send, wait = action
                server.sendall(data[:send] if send is not None else data)
                wait()
                break
        self._cut(client, server)

    def _to_client(self, client, server):
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                client.sendall(data)
        self._cut(client, server)
