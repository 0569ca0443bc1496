"""Client-side caching of redis-py:  python3 caching.py <port>

Exits with 0 when all is well, with 64 when the library is missing or too old, else with a traceback.
"""

import sys
import time

try:
    import redis
    from redis.cache import CacheConfig
except ImportError:
    sys.exit(64)

PORT = int(sys.argv[1])


def until(what, condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"still not true: {what}"
        time.sleep(0.005)


def calls(client):
    return client.info("commandstats").get("cmdstat_get", {}).get("calls", 0)


writer = redis.Redis(port=PORT, decode_responses=True)
reader = redis.Redis(port=PORT, protocol=3, decode_responses=True, cache_config=CacheConfig())

writer.flushall()
writer.set("key", "one")
before = calls(writer)
for _ in range(10):
    assert reader.get("key") == "one"
assert calls(writer) - before == 1, "a cached value is not asked for again"
assert reader.get_cache().size == 1

writer.set("key", "two")
until("the new value", lambda: reader.get("key") == "two")
writer.delete("key")
until("no value", lambda: reader.get("key") is None)

writer.set("key", "three", px=80)
assert reader.get("key") in ("three", None)
until("no value after its time", lambda: reader.get("key") is None)

writer.mset({"a": "1", "b": "2"})
assert reader.mget("a", "b") == ["1", "2"]
writer.flushall()
until("no values", lambda: reader.mget("a", "b") == [None, None])

# What the reader itself changes is not kept either.
assert reader.set("own", "1") and reader.get("own") == "1"
reader.set("own", "2")
until("its own change", lambda: reader.get("own") == "2")
print("ok")
