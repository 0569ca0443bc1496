#!/usr/bin/env python3
"""What durability costs, beside redis-server on the same disk. Needs redis-server and redis-benchmark; nothing else.

    python3 benches/durability.py --server target/release/oxidis [--rounds 3] [--folder /var/tmp] [always|everysec|snapshot ...]

`always` and `everysec` run redis-benchmark against both servers in turns, since disks have moods: figures of one round
belong together. `snapshot` fills both with 5 M keys of 100 bytes (--keys), has redis-benchmark overwrite them all the time,
saves in the background, and tells how long that took, how much memory it took on top, and how long a second client waited
for the slowest of its replies, with the slowest of as long a time without a snapshot beside it.
"""

import argparse
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

KEY = "key:%012d"  # As redis-benchmark names its keys.


class Server:
    """A server in a folder of its own, without files unless options ask for them."""

    def __init__(self, name, command, port, folder, options=()):
        self.name, self.port = name, port
        self.folder = os.path.join(folder, f"{name}-{port}")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        base = ["--port", str(port), "--dir", self.folder, "--save", "", "--loglevel", "warning"]
        command = [command, *base, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(600):
            try:
                self.client = Client(port)
                self.client.call("PING")
                break
            except (OSError, RuntimeError):  # Not yet there, or still loading.
                time.sleep(0.05)
        else:
            raise SystemExit(f"{name} does not answer")

    def info(self, section, field):
        text = self.client.call("INFO", section).decode()
        return re.search(rf"^{field}:(.*?)\r?$", text, re.M)[1]

    def memory(self):
        """Bytes of this process and its children, what they share counted once."""
        total = 0
        for pid in [self.process.pid, *children(self.process.pid)]:
            try:
                with open(f"/proc/{pid}/smaps_rollup") as lines:
                    total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
            except OSError:
                pass  # A child that has just ended.
        return total

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Client:
    """A client that waits for each reply."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def call(self, *words):
        self.socket.sendall(encode(*words))
        return self.reply()

    def reply(self):
        line = self.file.readline()
        if line[:1] == b"-":
            raise RuntimeError(line.decode().strip())
        if line[:1] == b"$" and line != b"$-1\r\n":
            return self.file.read(int(line[1:]) + 2)[:-2]
        return line[1:-2]


def encode(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as text:
            return [int(child) for child in text.read().split()]
    except OSError:
        return []


def benchmark(server, clients, pipeline, requests, *more):
    """SETs a second."""
    command = ["redis-benchmark", "-p", str(server.port), "-t", "set", "-q", "-c", str(clients), "-P", str(pipeline)]
    command += ["-n", str(requests), "-r", "1000000", *more]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(re.findall(r"SET: ([\d.]+) requests per second", text)[-1])


def cpu_seconds(server):
    times = open(f"/proc/{server.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def always(options):
    log = ["--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"]
    redis = Server("redis", options.redis, options.port, options.folder, log)
    own = Server("oxidis", options.server, options.port + 1, options.folder, log)
    # How far the same server gets without a disk is the most that can be hoped for.
    plain = Server("plain", options.server, options.port + 2, options.folder, [])
    shapes = [(50, 1, 100_000), (50, 16, 800_000), (1, 1, 10_000)]
    ratios = {shape: [] for shape in shapes}
    for turn in range(options.rounds):
        for shape in shapes:
            rates, cpu = [], []
            for server in (redis, own, plain):
                before = cpu_seconds(server)
                rates.append(benchmark(server, *shape))
                cpu.append((cpu_seconds(server) - before) / shape[2] * 1e6)
            ratios[shape].append(rates[1] / rates[0])
            print(
                f"always, {shape[0]} clients, P={shape[1]}, round {turn + 1}: redis {rates[0]:,.0f}/s, oxidis {rates[1]:,.0f}/s "
                f"({rates[1] / rates[0]:.2f}), without a log {rates[2]:,.0f}/s; CPU us each: {cpu[0]:.1f}, {cpu[1]:.1f}, {cpu[2]:.1f}",
                flush=True,
            )
    for (clients, pipeline, _), all_ratios in ratios.items():
        middle = sorted(all_ratios)[len(all_ratios) // 2]
        print(f"always, {clients} clients, P={pipeline}: {middle:.2f} of redis (median)", flush=True)
    for server in (redis, own, plain):
        server.stop()


def everysec(options):
    log = ["--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0"]
    logged = Server("oxidis", options.server, options.port, options.folder, log)
    plain = Server("plain", options.server, options.port + 1, options.folder, [])
    ratios = []
    for turn in range(options.rounds):
        rates = [benchmark(server, 50, 16, 2_000_000) for server in (plain, logged)]
        ratios.append(rates[1] / rates[0])
        print(f"everysec, round {turn + 1}: off {rates[0]:,.0f}/s, everysec {rates[1]:,.0f}/s ({ratios[-1]:.2f})", flush=True)
    print(f"everysec: {sorted(ratios)[len(ratios) // 2]:.2f} of off (median)", flush=True)
    logged.stop()
    plain.stop()


class Slowest(threading.Thread):
    """Asks for a key again and again; notes the longest time until a reply came."""

    def __init__(self, server, keys):
        super().__init__(daemon=True)
        self.client, self.keys = Client(server.port), keys
        self.longest, self.asked, self.ends = 0.0, 0, False

    def run(self):
        while not self.ends:
            key = KEY % (self.asked * 7919 % self.keys)
            begun = time.perf_counter()
            self.client.call("GET", key)
            self.longest = max(self.longest, time.perf_counter() - begun)
            self.asked += 1
            time.sleep(0.0005)

    def take(self):
        longest, self.longest = self.longest, 0.0
        return longest * 1000


def fill(server, keys):
    client, ok = Client(server.port), b"+OK\r\n"
    # A command whose key is still to be put in: encoding each by itself takes longer than the server takes to run it.
    command = encode("SET", KEY % 0, b"x" * 100).replace((KEY % 0).encode(), KEY.encode())
    for first in range(0, keys, 1_000):
        last = min(first + 1_000, keys)
        client.socket.sendall(b"".join(command % key for key in range(first, last)))
        replies = client.file.read(len(ok) * (last - first))
        if replies != ok * (last - first):
            raise SystemExit(f"{server.name} did not take the keys: {replies[:80]}")


def snapshot(options):
    for name, command in (("redis", options.redis), ("oxidis", options.server)):
        server = Server(name, command, options.port, options.folder, [])
        fill(server, options.keys)
        load = ["redis-benchmark", "-p", str(server.port), "-t", "set", "-d", "100", "-c", "50", "-P", "16", "-q"]
        load += ["-r", str(options.keys), "-n", "2000000000"]
        load = subprocess.Popen(load, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(3)
        watcher = Slowest(server, options.keys)
        watcher.start()
        time.sleep(10)
        before, slowest_before = server.memory(), watcher.take()
        commands = int(server.info("stats", "total_commands_processed"))
        server.client.call("BGSAVE")
        begun, peak = time.perf_counter(), before
        while server.info("persistence", "rdb_bgsave_in_progress") != "0":
            peak = max(peak, server.memory())
            time.sleep(0.05)
        took, slowest = time.perf_counter() - begun, watcher.take()
        commands = int(server.info("stats", "total_commands_processed")) - commands
        # It must have its last reply before the server goes.
        watcher.ends = True
        watcher.join()
        load.kill()
        load.wait()
        size = os.path.getsize(os.path.join(server.folder, "dump.rdb"))
        print(
            f"snapshot of {options.keys:,} keys, {name}: {took:.1f} s, {size >> 20} MiB file, memory {before >> 20} MiB + "
            f"{(peak - before) >> 20} MiB ({(peak - before) / before:.1%}), slowest reply {slowest:.1f} ms (before: "
            f"{slowest_before:.1f} ms), {commands / took:,.0f} writes/s meanwhile",
            flush=True,
        )
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="always, everysec, snapshot; all without any")
    parser.add_argument("--server", required=True)
    parser.add_argument("--redis", default="redis-server")
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="on the disk that is to be measured")
    parser.add_argument("--port", type=int, default=7410, help="the first of three")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keys", type=int, default=5_000_000)
    options = parser.parse_args()
    known = {"always": always, "everysec": everysec, "snapshot": snapshot}
    for what in options.what or known:
        known[what](options)


if __name__ == "__main__":
    main()
