"""The benchmark's other side: starts bench-peer and talks to it."""

import json
import subprocess
import urllib.request

from harness.process import BenchError, Child


class Peer:
    def __init__(self, program, series, max_s, rotate, folder):
        argv = [program, "--series", str(series), "--max-seconds", str(max_s)]
        self.child = Child(argv + (["--rotate"] if rotate else []), folder / "peer.log", folder,
                           stdout=subprocess.PIPE)
        words = self.child.process.stdout.readline().split()
        if len(words) != 2:
            self.child.stop()
            raise BenchError(f"bench-peer did not start:\n{self.child.log_tail()}")
        self.url = f"http://127.0.0.1:{int(words[1])}"

    def stats(self):
        with urllib.request.urlopen(self.url + "/stats", timeout=30) as answer:
            return json.load(answer)

    def control(self, **settings):
        args = "&".join(f"{name}={value}" for name, value in settings.items())
        urllib.request.urlopen(f"{self.url}/control?{args}", timeout=30).close()

    def stop(self):
        self.child.stop(5)
