"""Object stores on loopback, and a proxy that fails in the ways of networks."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

BUCKET = "team"
KEYS = ("AKIDTESTTESTTEST", "secretsecret")
BIN = Path(sys.executable).parent


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def environment(port):
    """Give what names a server to a process."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": KEYS[0],
        "AWS_SECRET_ACCESS_KEY": KEYS[1],
        "AWS_REGION": "us-east-1",
    }


@contextmanager
def started(command, port):
    process = subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "RCLONE_CONFIG": "/dev/null"},
    )
    try:
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, "the server did not start"
                assert time.monotonic() < until, "the server did not answer"
                time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def moto():
    """A server that keeps conditions of writes."""
    port = free_port()
    with started((BIN / "moto_server", "-H", "127.0.0.1", "-p", port), port):
        address = f"http://127.0.0.1:{port}/{BUCKET}"
        request = urllib.request.Request(address, method="PUT")
        urllib.request.urlopen(request, timeout=30).close()
        yield port


@contextmanager
def rclone(folder):
    """A server that accepts conditions of writes and ignores them."""
    (folder / BUCKET).mkdir(parents=True)
    port = free_port()
    command = (
        *(BIN / "rclone", "serve", "s3", "--addr", f"127.0.0.1:{port}"),
        *("--auth-key", ",".join(KEYS), "--vfs-cache-mode", "writes"),
        *("--cache-dir", folder / "cache", folder),
    )
    with started(command, port):
        yield port


class Proxy:
    """Passes connections on, and fails the next ``count`` requests of a method.

    ``lost``: the server does it, the answer is dropped.  ``cut``: the answer ends after
    so many bytes.  ``hang``: nothing is passed on, nothing closed.
    """

    def __init__(self, upstream):
        self._upstream = upstream
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._open = []
        self.pass_on()
        self.requests = self.answered = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def pass_on(self):
        """Fail nothing more."""
        self.kind, self.method, self.count, self.bytes, self.failed = "", b"", 0, 0, 0

    def fail(self, kind, method=b"", count=10**9, bytes=0):
        """Fail the next requests."""
        self.kind, self.method, self.count, self.bytes = kind, method, count, bytes
        self.failed = 0

    def close(self):
        """End all connections."""
        self._server.close()
        for one in self._open:
            with suppress(OSError):
                one.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        state = {"fails": "", "sent": 0}
        server = socket.create_connection(("127.0.0.1", self._upstream))
        self._open.append(server)
        there = threading.Thread(
            target=self._forward, args=(client, server, state), daemon=True
        )
        there.start()
        with suppress(OSError):
            while data := server.recv(65536):
                if state["fails"] == "lost":
                    break
                if state["fails"] == "cut":
                    client.sendall(data[: max(0, self.bytes - state["sent"])])
                    state["sent"] += len(data)
                    if state["sent"] >= self.bytes:
                        break
                    continue
                client.sendall(data)
                self.answered += len(data)
        for one in (client, server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _forward(self, client, server, state):
        with suppress(OSError):
            while data := client.recv(65536):
                verb = data.split(b" ", 1)[0]
                if verb in (b"GET", b"PUT", b"HEAD", b"DELETE", b"POST"):
                    self.requests += 1
                    meant = not self.method or verb == self.method
                    if self.kind and meant and self.failed < self.count:
                        self.failed += 1
                        state["fails"] = self.kind
                if state["fails"] == "hang":
                    continue
                server.sendall(data)
