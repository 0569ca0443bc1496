// MULTI, EXEC and WATCH, and commands sent together without them.

import assert from 'node:assert/strict';

export const flows = {
  'typed results': async ({ client }) => {
    const results = await client.transaction([
      ['set', 'text', 'a'], ['get', 'text'], ['incr', 'n'], ['get', 'nothing'], ['mget', ['text', 'nothing']],
      ['expire', 'text', 100], ['ttl', 'text'], ['exists', 'text'], ['object encoding', 'n'], ['keys', 'te*'],
    ]);
    assert.deepEqual(results, ['OK', 'a', 1, null, ['a', null], client.flag(true), 100, 1, 'int', ['text']]);
  },

  'a transaction of 1,000 commands': async ({ client }) => {
    const rows = Array.from({ length: 500 }, (_, index) => [['set', `k:${index}`, `v${index}`], ['incr', 'n']]).flat();
    const results = await client.transaction(rows);
    assert.equal(results.length, 1_000);
    assert.deepEqual(results, Array.from({ length: 500 }, (_, index) => ['OK', index + 1]).flat());
    assert.equal(await client.call('get', 'k:499'), 'v499');
  },

  'one error does not undo the others': async ({ client }) => {
    await client.set('text', 'abc');
    const [first, second, third] = await client.outcomes([['set', 'a', '1'], ['incr', 'text'], ['incr', 'a']]);
    assert.equal(first, 'OK');
    assert.equal(second.message, 'ERR value is not an integer or out of range');
    assert.equal(third, 2);
  },

  'a command refused when queued discards all': async ({ client }) => {
    // Most report what EXEC answered, node-redis 5 and 6 the first error on the way there.
    const reason = ['redis5', 'redis6'].includes(client.library)
      ? "ERR wrong number of arguments for 'set' command"
      : 'EXECABORT Transaction discarded because of previous errors.';
    await assert.rejects(client.transaction([['set', 'a', '1'], ['raw', 'SET', 'a']]), { message: reason });
    assert.equal(await client.call('get', 'a'), null);
    assert.deepEqual(await client.transaction([['set', 'a', '2'], ['get', 'a']]), ['OK', '2']);
  },

  'WATCH: a conflict': async ({ client, open }) => {
    const other = await open();
    await client.set('balance', '10');
    await client.watch('balance');
    await other.set('balance', '11');
    assert.equal(await client.attempt([['set', 'balance', '0']]), null);
    assert.equal(await client.call('get', 'balance'), '11');
  },

  'WATCH: no conflict': async ({ client, open }) => {
    const other = await open();
    await client.set('balance', '10');
    await client.watch('balance', 'nothing');
    await other.set('unrelated', '11');
    assert.deepEqual(await client.attempt([['incrby', 'balance', 5]]), [15]);
  },

  'WATCH: a key that appears, one that goes': async ({ client, open }) => {
    const other = await open();
    await client.watch('new');
    await other.set('new', '1');
    assert.equal(await client.attempt([['get', 'new']]), null);
    await client.watch('new');
    await other.call('del', 'new');
    assert.equal(await client.attempt([['get', 'new']]), null);
  },

  'UNWATCH forgets': async ({ client, open }) => {
    const other = await open();
    await client.watch('key');
    await other.set('key', '1');
    assert.equal(await client.unwatch(), 'OK');
    assert.deepEqual(await client.attempt([['get', 'key']]), ['1']);
  },

  'increments under WATCH lose nothing': async ({ client, open }) => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => open()));
    const increment = async (own) => {
      for (;;) {
        await own.watch('count');
        const count = Number(await own.call('get', 'count'));
        if (await own.attempt([['set', 'count', String(count + 1)]])) return;
      }
    };
    await Promise.all(clients.map(async (own) => {
      for (let round = 0; round < 25; round += 1) await increment(own);
    }));
    assert.equal(await client.call('get', 'count'), '100');
  },

  'a pipeline of 1,000': async ({ client }) => {
    const keys = Array.from({ length: 1_000 }, (_, index) => `k:${index}`);
    const written = await client.pipeline(keys.map((key, index) => ['set', key, `value ${index}`]));
    assert.ok(written.every((reply) => reply === 'OK'));
    const read = await client.pipeline(keys.map((key) => ['get', key]));
    assert.deepEqual(read, keys.map((_, index) => `value ${index}`));
  },

  'many connections send pipelines at once': async ({ client, open }) => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => open()));
    await Promise.all(clients.map(async (own) => {
      const replies = await own.pipeline(Array.from({ length: 1_000 }, () => ['incr', 'total']));
      assert.ok(replies.every((reply, index) => index === 0 || reply > replies[index - 1]), 'replies rise');
    }));
    assert.equal(await client.call('get', 'total'), '8000');
  },
};
