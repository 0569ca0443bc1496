// Keys as such: finding, deleting, renaming, their time to live, their encoding.

import assert from 'node:assert/strict';
import { until } from '../wait.mjs';

const numbered = (prefix, count) => Array.from({ length: count }, (_, index) => `${prefix}:${index}`);

async function fill(client, keys) {
  await client.call('mset', Object.fromEntries(keys.map((key) => [key, 'x'])));
}

async function scanned(client, options) {
  const found = [];
  for await (const batch of client.scan(options)) found.push(...batch);
  return [...new Set(found)].sort();
}

export const flows = {
  'KEYS with patterns': async ({ client }) => {
    await fill(client, [...numbered('user', 20), ...numbered('order', 5), 'hello', 'hallo', 'h[llo']);
    assert.equal((await client.call('keys', 'user:*')).length, 20);
    assert.deepEqual(await client.call('keys', 'order:[2-3]').then((keys) => keys.sort()), ['order:2', 'order:3']);
    assert.deepEqual(await client.call('keys', 'h[ae]llo').then((keys) => keys.sort()), ['hallo', 'hello']);
    assert.deepEqual(await client.call('keys', 'h\\[llo'), ['h[llo']);
    assert.deepEqual(await client.call('keys', 'nothing*'), []);
    assert.equal((await client.call('keys', '*')).length, 28);
  },

  'DEL, UNLINK and EXISTS of many': async ({ client }) => {
    const keys = numbered('key', 2_000);
    await fill(client, keys);
    assert.equal(await client.call('dbsize'), 2_000);
    assert.equal(await client.call('exists', keys), 2_000);
    assert.equal(await client.call('exists', ['key:1', 'key:1', 'nothing']), 2);
    assert.equal(await client.call('del', keys.slice(0, 1_500)), 1_500);
    assert.equal(await client.call('unlink', keys), 500);
    assert.equal(await client.call('dbsize'), 0);
  },

  'SCAN returns every key': async ({ client }) => {
    const keys = numbered('scan', 5_000);
    await fill(client, keys);
    assert.deepEqual(await scanned(client, {}), [...keys].sort());
    assert.deepEqual(await scanned(client, { count: 1_000 }), [...keys].sort());
    assert.deepEqual(await scanned(client, { match: 'scan:12??', count: 100 }), keys.slice(1200, 1300).sort());
    assert.deepEqual(await scanned(client, { match: 'other:*' }), []);
  },

  'SCAN while keys come and go': async ({ client, open }) => {
    const keys = numbered('stays', 2_000);
    await fill(client, keys);
    const other = await open();
    const found = [];
    let round = 0;
    for await (const batch of client.scan({ count: 50 })) {
      found.push(...batch);
      await fill(other, numbered(`comes:${round}`, 200));
      if (round > 0) await other.call('del', numbered(`comes:${round - 1}`, 200));
      round += 1;
    }
    const seen = new Set(found);
    assert.deepEqual(keys.filter((key) => !seen.has(key)), []);
  },

  'SCAN with TYPE': async ({ client }) => {
    await fill(client, numbered('text', 30));
    assert.deepEqual(await scanned(client, { type: 'string' }), numbered('text', 30).sort());
    assert.deepEqual(await scanned(client, { type: 'list' }), []);
  },

  'cache invalidation by pattern': async ({ client }) => {
    await fill(client, [...numbered('page:home', 100), ...numbered('page:about', 50)]);
    let deleted = 0;
    for await (const batch of client.scan({ match: 'page:home:*', count: 20 })) {
      if (batch.length > 0) deleted += await client.call('del', batch);
    }
    assert.equal(deleted, 100);
    assert.equal(await client.call('dbsize'), 50);
  },

  'TYPE, RENAME, COPY, RANDOMKEY': async ({ client }) => {
    await client.set('a', '1');
    assert.equal(await client.call('type', 'a'), 'string');
    assert.equal(await client.call('type', 'nothing'), 'none');
    assert.equal(await client.call('rename', 'a', 'b'), 'OK');
    await assert.rejects(client.call('rename', 'a', 'b'), { message: 'ERR no such key' });
    await client.set('c', '2');
    assert.equal(await client.call('renamenx', 'b', 'c'), client.flag(false));
    assert.equal(await client.call('renamenx', 'b', 'd'), client.flag(true));
    assert.equal(Number(await client.call('copy', 'd', 'e')), 1);
    assert.deepEqual(await client.call('mget', ['c', 'd', 'e']), ['2', '1', '1']);
    assert.ok(['c', 'd', 'e'].includes(await client.call('randomkey')));
    await client.call('flushall');
    assert.equal(await client.call('randomkey'), null);
  },

  'TTL, PTTL, EXPIRETIME and PERSIST': async ({ client }) => {
    await client.set('key', 'x');
    const at = Date.now() + 100_000;
    assert.equal(await client.call('ttl', 'key'), -1);
    assert.equal(await client.call('expiretime', 'key'), -1);
    assert.equal(await client.call('pexpireat', 'key', at), client.flag(true));
    assert.equal(await client.call('pexpiretime', 'key'), at);
    assert.equal(await client.call('expiretime', 'key'), Math.floor((at + 500) / 1000));
    const left = await client.call('pttl', 'key');
    assert.ok(left > 95_000 && left <= 100_000, `${left} ms left`);
    assert.equal(await client.call('persist', 'key'), client.flag(true));
    assert.equal(await client.call('persist', 'key'), client.flag(false));
    assert.equal(await client.call('pttl', 'key'), -1);
    assert.equal(await client.call('pttl', 'nothing'), -2);
  },

  'conditions of EXPIRE': async ({ client }) => {
    await client.set('key', 'x');
    const expire = (seconds, condition) => client.call('expire', 'key', seconds, condition);
    assert.equal(Number(await expire(100, 'XX')), 0);
    assert.equal(Number(await expire(100, 'NX')), 1);
    assert.equal(Number(await expire(50, 'GT')), 0);
    assert.equal(Number(await expire(50, 'LT')), 1);
    assert.equal(Number(await expire(200, 'NX')), 0);
    assert.equal(Number(await expire(200, 'GT')), 1);
    assert.equal(await client.call('ttl', 'key'), 200);
  },

  'GETEX and SETEX': async ({ client }) => {
    assert.equal(await client.call('setex', 'key', 100, 'x'), 'OK');
    assert.equal(await client.call('psetex', 'key', 50_000, 'y'), 'OK');
    assert.equal(await client.call('ttl', 'key'), 50);
    assert.equal(await client.raw('GETEX', 'key', 'EX', '70'), 'y');
    assert.equal(await client.call('ttl', 'key'), 70);
    assert.equal(await client.raw('GETEX', 'key', 'PERSIST'), 'y');
    assert.equal(await client.call('ttl', 'key'), -1);
  },

  'a thousand keys expire': async ({ client }) => {
    await client.pipeline(numbered('brief', 1_000).map((key) => ['psetex', key, 50, 'x']));
    await client.set('stays', 'x');
    await until('only one key is left', async () => (await client.call('dbsize')) === 1);
  },

  'OBJECT ENCODING': async ({ client }) => {
    await client.call('mset', { number: '12345', short: 'text', long: 'x'.repeat(45), signed: '-7', padded: '007' });
    const encodings = {};
    for (const key of ['number', 'short', 'long', 'signed', 'padded']) {
      encodings[key] = await client.call('object encoding', key);
    }
    assert.deepEqual(encodings, { number: 'int', short: 'embstr', long: 'raw', signed: 'int', padded: 'embstr' });
    assert.equal(await client.call('append', 'short', '!').then(() => client.call('object encoding', 'short')), 'raw');
    assert.equal(await client.call('object encoding', 'nothing').catch((error) => error.message), null);
  },
};
