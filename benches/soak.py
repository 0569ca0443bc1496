#!/usr/bin/env python3
"""A server under mixed load and faults for minutes: does its memory stay flat, does it answer everything, and how late?

    python3 benches/soak.py --server target/release/oxidis [--minutes 30] [--maxmemory 512] [--port 7890] [--folder /var/tmp]
                             [--rate 0]

All types are written and read in pipelines, within bounded sets of keys. Counters and texts that only one client writes are
compared with what it wrote. Meanwhile clients are killed, leave in the middle of a command, ask and do not read; values of
megabytes come and go; a million keys expire within one second; directives are set at random; snapshots are saved.
Every ten seconds it prints what the process occupies, what it uses and the slowest of a prober's replies; at the end the
quantiles, the growth of memory from the second quarter of the time to the last, and every kind of error that is not the
client's own. The exit status is 1 if there was such an error, or if memory grew by more than a tenth.
"""

import argparse
import collections
import multiprocessing
import os
import queue
import random
import re
import shutil
import socket
import struct
import subprocess
import time

KEYS = 20_000  # Of each type.
STORM = 1_000_000
CONFIG = {
    "maxmemory-samples": [3, 5, 10],
    "maxmemory-policy": ["allkeys-lru", "allkeys-lfu", "allkeys-random"],
    "lfu-log-factor": [5, 10],
    "hash-max-listpack-entries": [16, 128, 512],
    "list-max-listpack-size": [-2, 32, 128],
    "set-max-intset-entries": [64, 512],
    "zset-max-listpack-entries": [16, 128],
    "slowlog-log-slower-than": [-1, 0, 10_000],
    "latency-tracking": ["yes", "no"],
    "latency-monitor-threshold": [0, 1, 100],
    "notify-keyspace-events": ["", "KEA"],
    "lazyfree-lazy-user-del": ["yes", "no"],
    "lazyfree-lazy-eviction": ["yes", "no"],
    "tracking-table-max-keys": [100, 1_000_000],
    "client-query-buffer-limit": ["64mb", "1gb"],
    "proto-max-bulk-len": ["64mb", "512mb"],
    "maxmemory-clients": ["5%", "20%"],
    "activedefrag": ["yes", "no"],
    "hz": [10, 100],
}


class Gone(Exception):
    """The connection has ended."""


class Client:
    """A client that sends commands together and reads as many replies."""

    def __init__(self, port, name, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", 1 << 16)
        self.call("CLIENT", "SETNAME", name)

    def call(self, *words):
        return self.calls([words])[0]

    def calls(self, commands):
        self.send(b"".join(encode(*words) for words in commands))
        return [self.reply() for _ in commands]

    def send(self, frames):
        try:
            self.socket.sendall(frames)
        except TimeoutError:
            raise
        except OSError as error:
            raise Gone from error

    def reply(self):
        try:
            line = self.file.readline()
            if not line.endswith(b"\r\n"):
                raise Gone
            kind, rest = line[:1], line[1:-2]
            if kind == b"$":
                return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
            if kind == b"*":
                return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        except TimeoutError:
            raise
        except OSError as error:
            raise Gone from error
        return RuntimeError(rest.decode()) if kind == b"-" else int(rest) if kind == b":" else rest

    def close(self, abruptly=False):
        if abruptly:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.file.close()
        self.socket.close()


def encode(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


# ---- Load


def mixed(rng, noise):
    """A command on one of the bounded sets of keys, and whether its reply may be an error of the client's own."""
    n = rng.randrange(KEYS)
    start = rng.randrange(len(noise) // 2)
    text = noise[start : start + int(10 * 1000 ** rng.random())]
    if rng.random() < 0.0005:
        text = noise[: rng.randrange(1 << 20, 4 << 20)]
    return rng.choice(
        [
            lambda: ("SET", f"string:{n}", text),
            lambda: ("SET", f"string:{n}", text, "PX", rng.randrange(1, 20_000)),
            lambda: ("GET", f"string:{n}"),
            lambda: ("GETRANGE", f"string:{n}", 0, 100),
            lambda: ("HSET", f"hash:{n}", rng.randrange(200), text[:200], rng.randrange(200), "x"),
            lambda: ("HGETALL", f"hash:{n}"),
            lambda: ("HDEL", f"hash:{n}", *range(rng.randrange(1, 50))),
            lambda: ("LPUSH", f"list:{n}", text[:100], "b", "c"),
            lambda: ("LTRIM", f"list:{n}", 0, 100),
            lambda: ("LRANGE", f"list:{n}", 0, 20),
            lambda: ("SADD", f"set:{n}", rng.randrange(1000), rng.randrange(10**9), text[:20] or "x"),
            lambda: ("SPOP", f"set:{n}", rng.randrange(1, 8)),
            lambda: ("SINTER", f"set:{n}", f"set:{(n * 7) % KEYS}"),
            lambda: ("ZADD", f"zset:{n}", rng.random(), rng.randrange(1000), rng.random(), text[:30]),
            lambda: ("ZRANGE", f"zset:{n}", 0, 10, "WITHSCORES"),
            lambda: ("ZREMRANGEBYRANK", f"zset:{n}", 0, -200),
            lambda: ("XADD", f"stream:{n}", "MAXLEN", "~", 100, "*", "field", text[:100]),
            lambda: ("XRANGE", f"stream:{n}", "-", "+", "COUNT", 5),
            lambda: ("SETBIT", f"bits:{n % 100}", rng.randrange(1 << 20), 1),
            lambda: ("PFADD", f"hll:{n % 1000}", rng.randrange(10**9)),
            lambda: ("EXPIRE", f"{rng.choice(['hash', 'list', 'set', 'zset', 'stream'])}:{n}", rng.randrange(1, 60)),
            lambda: ("UNLINK", f"{rng.choice(['hash', 'list', 'set', 'zset', 'string'])}:{n}"),
        ]
    )()


def fill(port):
    """Every key that the load has, so that what memory does later is not the data's own growth."""
    client, text = Client(port, "fill"), "x" * 500
    for n in range(KEYS):
        client.calls(
            [
                ("SET", f"string:{n}", text * 3),
                ("HSET", f"hash:{n}", *[word for field in range(20) for word in (field, text[:50])]),
                ("RPUSH", f"list:{n}", *[text[:50]] * 30),
                ("SADD", f"set:{n}", *range(50)),
                ("ZADD", f"zset:{n}", *[word for member in range(30) for word in (member, member)]),
                ("XADD", f"stream:{n}", "*", "field", text[:100]),
            ]
        )
    client.close()


def load(port, number, rate, stop, reports):
    """Mixed pipelines, and keys of its own that must hold what was written, or nothing once they were evicted."""
    rng, noise = random.Random(number), os.urandom(8 << 20)
    own, done, client, begun = {}, 0, None, time.time()
    while time.time() < stop:
        try:
            client = client or Client(port, f"load-{number}")
            commands = [mixed(rng, noise) for _ in range(rng.choice([1, 16, 16, 100]))]
            key = f"own:{number}:{rng.randrange(1000)}"
            value = b"%d" % rng.randrange(10**12)
            known = own.pop(key, None)
            replies = client.calls([("GET", key), ("SET", key, value), *commands])
            own[key] = value
            done += len(replies)
            if rate:
                # What was lost while the server was busy elsewhere is not made up for.
                begun = max(begun, time.time() - 1)
                begun += len(replies) / rate
                time.sleep(max(0, begun - time.time()))
            if known is not None and replies[0] not in (known, None):
                reports.put(("error", f"{key} was {known} and is {replies[0]}"))
            for words, reply in zip(commands, replies[2:]):
                if isinstance(reply, RuntimeError) and not str(reply).startswith("OOM"):
                    reports.put(("error", f"{words[0]}: {reply}"))
        except Gone:
            client = None
            reports.put(("closed", 1))
        except (ConnectionError, TimeoutError) as error:
            client = None
            reports.put(("error", f"connection: {error!r}"))
            time.sleep(0.5)
    reports.put(("commands", done))


def probe(port, stop, reports):
    """One command at a time, as a web server would; tells how long each took."""
    rng, client = random.Random(0), Client(port, "probe")
    while time.time() < stop:
        # Whoever asks for megabytes may be the largest client when memory for clients is short, and is closed rightly.
        read = ("GETRANGE", f"string:{rng.randrange(KEYS)}", 0, 1000)
        words = rng.choice([read, ("SET", "probe", "x" * 100), ("INCR", "probed")])
        begun = time.perf_counter()
        try:
            client.call(*words)
        except Gone:
            reports.put(("error", f"the prober was cut off: {words[0]}"))
            client = Client(port, "probe")
        reports.put(("latency", time.perf_counter() - begun))
        time.sleep(0.002)


# ---- Faults


def kill_some(port, rng):
    admin = Client(port, "faults")
    lines = admin.call("CLIENT", "LIST").decode().splitlines()
    fields = [dict(field.split("=", 1) for field in line.split(" ")) for line in lines]
    victims = [one["id"] for one in fields if one["name"].startswith(("load", "slow"))]
    for victim in rng.sample(victims, min(3, len(victims))):
        admin.call("CLIENT", "KILL", "ID", victim)
    admin.close()


def leave_in_the_middle(port, rng):
    for _ in range(20):
        client = Client(port, "leaves")
        frame = encode("SET", "string:1", "x" * rng.randrange(1, 200_000))
        client.send(frame[: rng.randrange(1, len(frame))])
        client.close(abruptly=rng.random() < 0.5)


def read_slowly(port, rng):
    """Ask for much and read nothing for a while."""
    readers = [Client(port, "slow") for _ in range(rng.choice([50, 200]))]
    ask = b"".join(encode("GET", f"string:{rng.randrange(KEYS)}") for _ in range(200))
    until = time.time() + 5
    while time.time() < until:
        for reader in readers:
            reader.socket.setblocking(False)
            try:
                reader.socket.send(ask)
            except OSError:
                pass
        time.sleep(0.2)
    for reader in readers:
        reader.close(abruptly=rng.random() < 0.5)


def big_values(port, rng):
    client = Client(port, "big")
    client.call("SET", "big:string", b"x" * rng.randrange(20 << 20))
    for kind, first, pair in [("RPUSH", "big:list", False), ("SADD", "big:set", False), ("HSET", "big:hash", True), ("ZADD", "big:zset", True)]:
        for start in range(0, 200_000, 10_000):
            words = [word for n in range(start, start + 10_000) for word in ((n, n) if pair else (n,))]
            client.call(kind, first, *words)
    for key in ["big:string", "big:list", "big:set", "big:hash", "big:zset"]:
        client.call(rng.choice(["DEL", "UNLINK"]), key)
    client.close()


def storm(port, rng):
    """A million keys that expire within one second, in a database of their own."""
    client = Client(port, "storm")
    client.call("SELECT", 1)
    at = int(time.time() * 1000) + 20_000
    for start in range(0, STORM, 10_000):
        client.calls([("SET", f"storm:{n}", n, "PXAT", at + n % 1000) for n in range(start, start + 10_000)])
    time.sleep(max(0, at / 1000 + 3 - time.time()))
    left = client.call("DBSIZE")
    client.close()
    if left:
        return f"{left} keys are left two seconds after their time"


def configure(port, rng):
    client = Client(port, "faults")
    for name in rng.sample(sorted(CONFIG), 4):
        value = rng.choice(CONFIG[name])
        reply = client.call("CONFIG", "SET", name, value)
        if reply != b"OK":
            return f"CONFIG SET {name} {value}: {reply}"
    client.close()


def save(port, rng):
    client = Client(port, "faults")
    client.call("BGSAVE", "SCHEDULE")
    client.close()


FAULTS = [(kill_some, 2), (leave_in_the_middle, 3), (read_slowly, 15), (big_values, 20), (storm, 60), (configure, 1), (save, 45)]


def fault(port, number, stop, reports):
    what, pause = FAULTS[number]
    rng = random.Random(number)
    while time.time() < stop:
        time.sleep(min(pause * rng.uniform(0.5, 1.5), max(0, stop - time.time())))
        try:
            complaint = what(port, rng)
            reports.put(("fault", what.__name__))
            if complaint:
                reports.put(("error", complaint))
        except Gone:
            reports.put(("closed", 1))
        except (ConnectionError, TimeoutError) as error:
            reports.put(("error", f"{what.__name__}: {error!r}"))


# ---- The report


class Tally:
    def __init__(self):
        self.errors, self.faults = collections.Counter(), collections.Counter()
        self.latencies, self.recent = [], []
        self.closed = self.commands = 0

    def take(self, kind, what):
        if kind == "latency":
            self.latencies.append(what)
            self.recent.append(what)
        elif kind == "error":
            self.errors[re.sub(r"\d{4,}", "N", what)] += 1
        elif kind == "fault":
            self.faults[what] += 1
        elif kind == "closed":
            self.closed += what
        else:
            self.commands += what

    def drain(self, reports, seconds):
        until = time.time() + seconds
        while time.time() < until:
            try:
                self.take(*reports.get(timeout=max(0.01, until - time.time())))
            except queue.Empty:
                pass


def quantile(numbers, share):
    return sorted(numbers)[min(len(numbers) - 1, int(len(numbers) * share))] * 1000 if numbers else 0.0


def resident(process):
    with open(f"/proc/{process.pid}/statm") as text:
        return int(text.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def watch(options, process, tally, reports, stop):
    """Prints a line every ten seconds; what the process occupied, second by second."""
    admin, samples, next_line, begun = Client(options.port, "admin"), [], 0, time.time()
    admin.call("CLIENT", "NO-EVICT", "ON")
    print("seconds  RSS MiB  used MiB     keys  clients   ops/s  evicted keys/clients  p99.9 ms    max ms  errors", flush=True)
    while time.time() < stop and process.poll() is None:
        tally.drain(reports, 1)
        samples.append(resident(process))
        if time.time() - begun < next_line:
            continue
        next_line += 10
        info = dict(line.split(":", 1) for line in admin.call("INFO", "everything").decode().split("\r\n") if ":" in line)
        keys = sum(int(value.split("=")[1].split(",")[0]) for name, value in info.items() if re.fullmatch(r"db\d+", name))
        evicted = f"{info['evicted_keys']}/{info.get('evicted_clients', 0)}"
        print(
            f"{time.time() - begun:7.0f} {max(samples[-10:]):8.0f} {int(info['used_memory']) / 2**20:9.0f} {keys:8}"
            f" {info['connected_clients']:>8} {info['instantaneous_ops_per_sec']:>7} {evicted:>21}"
            f" {quantile(tally.recent, 0.999):9.1f} {quantile(tally.recent, 1):9.1f} {sum(tally.errors.values()):7}",
            flush=True,
        )
        tally.recent.clear()
    return samples


def start(options, folder):
    base = ["--port", str(options.port), "--dir", folder, "--save", "", "--enable-debug-command", "yes"]
    if options.maxmemory:
        base += ["--maxmemory", f"{options.maxmemory}mb", "--maxmemory-policy", "allkeys-lru", "--maxmemory-clients", "20%"]
    process = subprocess.Popen([options.server, *base], stdout=open(os.path.join(folder, "log"), "w"))
    for _ in range(200):
        try:
            Client(options.port, "start").close()
            return process
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server does not answer")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--maxmemory", type=int, default=512, help="in MiB; 0 for no limit")
    parser.add_argument("--port", type=int, default=7890)
    parser.add_argument("--folder", default="/var/tmp")
    parser.add_argument("--rate", type=float, default=0, help="commands of the mixed load per second; 0 for no limit")
    options = parser.parse_args()
    folder = os.path.join(options.folder, f"soak-{options.port}")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    process = start(options, folder)
    fill(options.port)
    stop, reports, tally = time.time() + options.minutes * 60, multiprocessing.Queue(), Tally()
    jobs = [(load, (options.port, n, options.rate / 2, stop, reports)) for n in range(2)] + [(probe, (options.port, stop, reports))]
    jobs += [(fault, (options.port, n, stop, reports)) for n in range(len(FAULTS))]
    running = [multiprocessing.Process(target=what, args=args, daemon=True) for what, args in jobs]
    for job in running:
        job.start()
    samples = watch(options, process, tally, reports, stop)
    # What is under way may take a while; an expiry storm waits for its time.
    until = time.time() + 60
    while time.time() < until and any(job.is_alive() for job in running):
        tally.drain(reports, 0.2)
    raise SystemExit(conclude(options, process, folder, tally, samples))


def conclude(options, process, folder, tally, samples):
    alive = process.poll() is None
    process.kill()
    process.wait()
    with open(os.path.join(folder, "log"), errors="replace") as log:
        crashes = [line.strip() for line in log if re.search(r"panic|internal error|crash", line, re.I)]
    if not samples:
        raise SystemExit("the server ended at once")
    quarter = max(1, len(samples) // 4)
    early, late = max(samples[quarter : 2 * quarter] or samples), max(samples[-quarter:])
    print(f"\nfaults: {dict(tally.faults)}; connections ended by them: {tally.closed}; commands of the load: {tally.commands}")
    print(f"latency ms: p50 {quantile(tally.latencies, 0.5):.2f}, p99 {quantile(tally.latencies, 0.99):.2f}, "
          f"p99.9 {quantile(tally.latencies, 0.999):.2f}, max {quantile(tally.latencies, 1):.2f}")
    of_limit = f", {max(samples) / options.maxmemory:.3f} of maxmemory" if options.maxmemory else ""
    print(f"RSS MiB: most {max(samples):.0f}{of_limit}; second quarter {early:.0f}, last quarter {late:.0f}: {late / early - 1:+.1%}")
    for line in crashes[:20]:
        print(f"log: {line}")
    for text, count in tally.errors.most_common(20):
        print(f"error, {count} times: {text}")
    print(f"errors that are not the client's own: {sum(tally.errors.values())}; the server {'lives' if alive else 'DIED'}")
    if tally.errors or crashes or not alive:
        print(f"the server's log: {folder}/log")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return int(bool(tally.errors) or bool(crashes) or not alive or late > early * 1.1)


if __name__ == "__main__":
    main()
