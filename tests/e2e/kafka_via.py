"""Between Telex and a broker: answers to commits of transactions can be kept back."""

import socket
import struct
import threading

import net

END_TXN = 26


class Via:
    """Listens on `port` for the broker at `target`. While `holds` is set, a commit reaches the broker, its answer nobody: `held`
    is set then."""

    def __init__(self, target):
        self.target, self.port = target, net.free_port()
        self.holds, self.held = threading.Event(), threading.Event()
        self.listener = socket.create_server((net.HOST, self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection((net.HOST, self.target))
            except OSError:
                return
            commits = set()
            threading.Thread(target=self._carry, args=(client, server, commits, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(server, client, commits, False), daemon=True).start()

    def _carry(self, source, sink, commits, asks):
        try:
            while True:
                message = self._read(source)
                if asks:
                    api, _, number = struct.unpack_from(">hhi", message, 4)
                    if api == END_TXN:
                        commits.add(number)
                elif self.holds.is_set() and struct.unpack_from(">i", message, 4)[0] in commits:
                    self.held.set()
                    continue
                sink.sendall(message)
        except OSError:
            source.close()
            sink.close()

    @staticmethod
    def _read(source):
        def exactly(count):
            data = b""
            while len(data) < count:
                part = source.recv(count - len(data))
                if not part:
                    raise OSError("closed")
                data += part
            return data
        head = exactly(4)
        return head + exactly(struct.unpack(">i", head)[0])

    def close(self):
        self.listener.close()
