// Redlock 4 and 5: locks that a script takes, prolongs and gives back.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { sleep } from '../wait.mjs';

const require = createRequire(import.meta.url);
const { Redis } = require('ioredis5');
const Redlock4 = require('redlock4');
const { default: Redlock5, ResourceLockedError, ExecutionError } = require('redlock5');

const PATIENT = { retryCount: 1000, retryDelay: 10, retryJitter: 5 };
const HASTY = { retryCount: 0 };

function clients({ port, closing }, count) {
  return Array.from({ length: count }, (_, db) => closing(new Redis({ port, db }), (it) => it.disconnect()));
}

export const flows = {
  async 'version 4: a lock excludes, is prolonged and released'(context) {
    const servers = clients(context, 3);
    const [first, second] = [new Redlock4(servers, HASTY), new Redlock4(servers, HASTY)];
    let lock = await first.lock('resource', 5000);
    await assert.rejects(second.lock('resource', 5000), { name: 'LockError' });
    assert.equal(await servers[1].get('resource'), lock.value);
    lock = await lock.extend(20000);
    assert.ok(await servers[2].pttl('resource') > 10000);
    await lock.unlock();
    assert.equal(await servers[0].exists('resource'), 0);
    const next = await second.lock('resource', 5000);
    await next.unlock();
    await assert.rejects(lock.unlock(), { name: 'LockError' });
  },

  async 'version 4: several resources at once, and waiting for them'(context) {
    const servers = clients(context, 1);
    const redlock = new Redlock4(servers, PATIENT);
    const lock = await redlock.lock(['a', 'b'], 1000);
    const started = Date.now();
    const next = await redlock.lock(['b', 'c'], 20000);
    assert.ok(Date.now() - started >= 500);
    assert.deepEqual(await servers[0].mget('a', 'b', 'c'), [null, next.value, next.value]);
    await next.unlock();
    await assert.rejects(lock.extend(100), { name: 'LockError' });
  },

  async 'version 5: a lock excludes, is prolonged and released'(context) {
    const servers = clients(context, 3);
    const [first, second] = [new Redlock5(servers, HASTY), new Redlock5(servers, HASTY)];
    let lock = await first.acquire(['x', 'y'], 5000);
    const error = await second.acquire(['y'], 5000).catch((refusal) => refusal);
    assert.ok(error instanceof ExecutionError);
    const { votesAgainst } = await error.attempts[0];
    assert.ok(votesAgainst.size >= 2);
    assert.ok([...votesAgainst.values()].every((cause) => cause instanceof ResourceLockedError));
    lock = await lock.extend(20000);
    assert.ok(await servers[0].pttl('x') > 10000);
    await lock.release();
    assert.equal(await servers[0].exists('x', 'y'), 0);
    await (await second.acquire(['y'], 5000)).release();
  },

  // A waiting lock's time runs from when it began to wait: it must last longer than the whole queue.
  async 'version 5: using prolongs by itself, and nobody gets in between'(context) {
    const servers = clients(context, 1);
    const redlocks = Array.from({ length: 4 }, () => new Redlock5(servers, { ...PATIENT, retryCount: -1, automaticExtensionThreshold: 4800 }));
    let [inside, passed, collisions] = [0, 0, 0];
    await Promise.all(redlocks.flatMap((redlock) => [1, 2, 3].map(() => redlock.using(['door'], 5000, async (signal) => {
      inside += 1;
      if (inside > 1) collisions += 1;
      await sleep(passed === 0 ? 800 : 5);
      assert.equal(signal.aborted, false);
      inside -= 1;
      passed += 1;
    }))));
    assert.deepEqual([passed, collisions], [12, 0]);
    assert.equal(await servers[0].exists('door'), 0);
  },
};
