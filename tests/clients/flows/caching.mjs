// Client-side caching, where the library has it: node-redis from version 5 on, over RESP3.

import assert from 'node:assert/strict';
import { until } from '../wait.mjs';

const CACHE = { ttl: 0, maxEntries: 100, evictPolicy: 'LRU' };

/// Runs a body with a client that caches; does nothing where there is no such client.
function cached(body) {
  return async ({ client, open }) => {
    if (!client.library.startsWith('redis') || client.library === 'redis4' || client.protocol !== 3) return;
    await body({ client, reader: await open({ cache: CACHE }) });
  };
}

/// How often GET has been called on the server.
async function gets(client) {
  const stats = await client.raw('INFO', 'commandstats');
  return Number(/cmdstat_get:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

export const flows = {
  'a cached value is not asked for again': cached(async ({ client, reader }) => {
    await client.set('key', 'one');
    const before = await gets(client);
    for (let count = 0; count < 10; count += 1) assert.equal(await reader.call('get', 'key'), 'one');
    assert.equal(await gets(client) - before, 1);
  }),

  'a change by somebody else is seen': cached(async ({ client, reader }) => {
    await client.set('key', 'one');
    assert.equal(await reader.call('get', 'key'), 'one');
    await client.set('key', 'two');
    await until('the new value', async () => await reader.call('get', 'key') === 'two');
    await client.call('del', 'key');
    await until('no value', async () => await reader.call('get', 'key') === null);
  }),

  'a value that runs out is seen to be gone': cached(async ({ client, reader }) => {
    await client.raw('SET', 'key', 'one', 'PX', '1000');
    assert.equal(await reader.call('get', 'key'), 'one');
    await until('no value', async () => await reader.call('get', 'key') === null);
  }),

  'flushing empties the cache': cached(async ({ client, reader }) => {
    await client.call('mset', { a: '1', b: '2' });
    assert.deepEqual(await reader.call('mget', ['a', 'b']), ['1', '2']);
    await client.raw('FLUSHALL');
    await until('no values', async () => (await reader.call('mget', ['a', 'b'])).every((value) => value === null));
  }),
};
