// What applications do with strings and expiry: caches, sessions, one-time codes, limits, locks.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { until } from '../wait.mjs';

const between = (value, low, high) => assert.ok(value >= low && value <= high, `${value} in ${low}..=${high}`);
const epochSeconds = () => Math.floor(Date.now() / 1000);

export const flows = {
  'cache-aside with EX': async ({ client }) => {
    let loads = 0;
    const load = async (id) => {
      const cached = await client.call('get', `user:${id}`);
      if (cached !== null) return JSON.parse(cached);
      loads += 1;
      const user = { id, name: 'Ærøskøbing' };
      assert.equal(await client.set(`user:${id}`, JSON.stringify(user), { EX: 60 }), 'OK');
      return user;
    };
    for (let round = 0; round < 3; round += 1) assert.deepEqual(await load(7), { id: 7, name: 'Ærøskøbing' });
    assert.equal(loads, 1);
    between(await client.call('ttl', 'user:7'), 58, 60);
    assert.equal(await client.call('del', 'user:7'), 1);
    await load(7);
    assert.equal(loads, 2);
  },

  'a cached value ends with its time': async ({ client }) => {
    await client.set('short', 'x', { PX: 1000 });
    assert.equal(await client.call('get', 'short'), 'x');
    await until('the key has expired', async () => (await client.call('get', 'short')) === null);
    assert.equal(await client.call('exists', 'short'), 0);
    assert.equal(await client.call('ttl', 'short'), -2);
  },

  'sessions that each request prolongs': async ({ client }) => {
    const key = `session:${randomUUID()}`;
    await client.set(key, JSON.stringify({ user: 1 }), { EX: 10 });
    assert.deepEqual(JSON.parse(await client.call('get', key)), { user: 1 });
    assert.equal(await client.call('expire', key, 1800), client.flag(true));
    between(await client.call('ttl', key), 1798, 1800);
    assert.equal(await client.call('del', key), 1);
    assert.equal(await client.call('get', key), null);
    assert.equal(await client.call('expire', key, 1800), client.flag(false));
  },

  'SET keeps or loses the time to live': async ({ client }) => {
    await client.set('key', 'a', { EX: 100 });
    await client.set('key', 'b', { KEEPTTL: true });
    between(await client.call('ttl', 'key'), 98, 100);
    await client.set('key', 'c');
    assert.equal(await client.call('ttl', 'key'), -1);
  },

  'one-time codes': async ({ client }) => {
    await client.set('otp:1', '493201', { EX: 300 });
    const taken = await Promise.all(Array.from({ length: 10 }, () => client.call('getdel', 'otp:1')));
    assert.deepEqual(taken.filter((code) => code !== null), ['493201']);
  },

  'a block-list of tokens with expireAt': async ({ client }) => {
    const expires = epochSeconds() + 3600;
    await client.set('revoked:abc', '1');
    assert.equal(await client.call('expireat', 'revoked:abc', expires), client.flag(true));
    between(await client.call('ttl', 'revoked:abc'), 3598, 3600);
    assert.equal(await client.call('expiretime', 'revoked:abc'), expires);
    assert.equal(await client.call('exists', 'revoked:abc'), 1);
    await client.call('expireat', 'revoked:abc', epochSeconds() - 1);
    assert.equal(await client.call('exists', 'revoked:abc'), 0);
  },

  'a rate limiter': async ({ client }) => {
    const allowed = async (who) => {
      const count = await client.call('incr', `rate:${who}`);
      if (count === 1) await client.call('expire', `rate:${who}`, 60);
      return count <= 5;
    };
    const answers = [];
    for (let request = 0; request < 8; request += 1) answers.push(await allowed('ada'));
    assert.deepEqual(answers, [true, true, true, true, true, false, false, false]);
    between(await client.call('ttl', 'rate:ada'), 58, 60);
    assert.equal(await client.call('get', 'rate:ada'), '8');
  },

  'a lock goes to one of many': async ({ client }) => {
    const owners = Array.from({ length: 20 }, () => randomUUID());
    const replies = await Promise.all(owners.map((owner) => client.set('lock', owner, { NX: true, PX: 30_000 })));
    assert.equal(replies.filter((reply) => reply === 'OK').length, 1);
    assert.equal(replies.filter((reply) => reply === null).length, 19);
    between(await client.call('pttl', 'lock'), 28_000, 30_000);
    assert.equal(await client.call('get', 'lock'), owners[replies.indexOf('OK')]);
  },

  'a lock is released only by its owner': async ({ client }) => {
    const release = async (owner) => {
      await client.watch('lock');
      if (await client.call('get', 'lock') !== owner) {
        await client.unwatch();
        return false;
      }
      return (await client.attempt([['del', 'lock']])) !== null;
    };
    await client.set('lock', 'mine', { NX: true, PX: 30_000 });
    assert.equal(await release('theirs'), false);
    assert.equal(await client.call('get', 'lock'), 'mine');
    assert.equal(await release('mine'), true);
    assert.equal(await client.call('get', 'lock'), null);
  },

  'SET with GET returns what was there': async ({ client }) => {
    assert.equal(await client.set('key', 'new', { GET: true }), null);
    assert.equal(await client.set('key', 'newer', { GET: true }), 'new');
    assert.equal(await client.call('getset', 'key', 'newest'), 'newer');
    assert.equal(await client.set('key', 'x', { NX: true }), null);
    assert.equal(await client.set('other', 'x', { XX: true }), null);
    assert.equal(await client.call('get', 'key'), 'newest');
  },

  'counters': async ({ client }) => {
    const counts = await Promise.all(Array.from({ length: 100 }, () => client.call('incr', 'hits')));
    assert.deepEqual(counts, Array.from({ length: 100 }, (_, index) => index + 1));
    assert.equal(await client.call('incrby', 'hits', 10), 110);
    assert.equal(await client.call('decrby', 'hits', 20), 90);
    assert.equal(await client.call('decr', 'hits'), 89);
    assert.equal(Number(await client.call('incrbyfloat', 'hits', 0.5)), 89.5);
    assert.equal(await client.call('get', 'hits'), '89.5');
  },
};
