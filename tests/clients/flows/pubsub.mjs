// Channels, patterns and sharded channels; a subscriber has a connection of its own.

import assert from 'node:assert/strict';
import { entries } from '../clients.mjs';
import { until } from '../wait.mjs';

const numbered = (count) => Array.from({ length: count }, (_, index) => `message ${index}`);

function collector() {
  const received = [];
  return { received, listener: (message, channel) => received.push([channel, message]) };
}

export const flows = {
  'a channel': async ({ client, open }) => {
    const subscriber = await open();
    const { received, listener } = collector();
    await subscriber.subscribe('news', listener);
    assert.equal(await client.call('publish', 'news', 'first'), 1);
    assert.equal(await client.call('publish', 'other', 'nobody hears'), 0);
    assert.equal(await client.call('publish', 'news', 'zweite ✓'), 1);
    await until('two messages', () => received.length === 2);
    assert.deepEqual(received, [['news', 'first'], ['news', 'zweite ✓']]);
  },

  'a pattern': async ({ client, open }) => {
    const subscriber = await open();
    const { received, listener } = collector();
    await subscriber.psubscribe('user:*:login', listener);
    assert.equal(await client.call('publish', 'user:1:login', 'a'), 1);
    assert.equal(await client.call('publish', 'user:1:logout', 'b'), 0);
    assert.equal(await client.call('publish', 'user:2:login', 'c'), 1);
    await until('two messages', () => received.length === 2);
    assert.deepEqual(received, [['user:1:login', 'a'], ['user:2:login', 'c']]);
  },

  'a channel and a pattern both deliver': async ({ client, open }) => {
    const subscriber = await open();
    const [exact, pattern] = [collector(), collector()];
    await subscriber.subscribe('news', exact.listener);
    await subscriber.psubscribe('n*', pattern.listener);
    assert.equal(await client.call('publish', 'news', 'x'), 2);
    await until('both have it', () => exact.received.length + pattern.received.length === 2);
    assert.deepEqual(exact.received, pattern.received);
  },

  'sharded channels': async ({ client, open }) => {
    const subscriber = await open();
    const { received, listener } = collector();
    await subscriber.ssubscribe('orders', listener);
    assert.equal(await client.call('spublish', 'orders', 'one'), 1);
    assert.equal(await client.call('publish', 'orders', 'not for shards'), 0);
    await until('the message', () => received.length === 1);
    assert.deepEqual(received, [['orders', 'one']]);
    await subscriber.sunsubscribe('orders');
    assert.equal(await client.call('spublish', 'orders', 'two'), 0);
  },

  'messages keep their order': async ({ client, open }) => {
    const subscriber = await open();
    const { received, listener } = collector();
    await subscriber.subscribe('many', listener);
    await client.pipeline(numbered(2_000).map((message) => ['publish', 'many', message]));
    await until('all of them', () => received.length === 2_000);
    assert.deepEqual(received.map(([, message]) => message), numbered(2_000));
  },

  'binary messages': async ({ client, open }) => {
    const subscriber = await open();
    const { received, listener } = collector();
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await subscriber.subscribeBuffer('bytes', listener);
    await client.call('publish', 'bytes', bytes);
    await until('the message', () => received.length === 1);
    assert.deepEqual(received[0][1], bytes);
  },

  'many subscribers': async ({ client, open }) => {
    const all = await Promise.all(Array.from({ length: 20 }, async () => {
      const subscriber = await open();
      const collected = collector();
      await subscriber.subscribe('room', collected.listener);
      return collected;
    }));
    assert.equal(await client.call('publish', 'room', 'hello'), 20);
    await until('everyone has it', () => all.every(({ received }) => received.length === 1));
  },

  'PUBSUB tells who listens': async ({ client, open }) => {
    // Connections of the flows before may still be on their way out.
    await until('nobody listens', async () => (await client.call('pubsub channels')).length === 0
      && await client.call('pubsub numpat') === 0);
    const subscriber = await open();
    await subscriber.subscribe('a', () => {});
    await subscriber.subscribe('b', () => {});
    await subscriber.psubscribe('p*', () => {});
    assert.deepEqual((await client.call('pubsub channels')).sort(), ['a', 'b']);
    const counts = entries(await client.call('pubsub numsub', ['a', 'nobody']));
    assert.deepEqual({ a: Number(counts.a), nobody: Number(counts.nobody) }, { a: 1, nobody: 0 });
    assert.equal(await client.call('pubsub numpat'), 1);
    assert.equal(await client.call('pubsub channels', 'z*').then((found) => found.length), 0);
  },

  'a connection without subscriptions is an ordinary one again': async ({ client, open }) => {
    const subscriber = await open();
    const { received, listener } = collector();
    await subscriber.subscribe('news', listener);
    await subscriber.psubscribe('n*', listener);
    await subscriber.unsubscribe('news');
    await subscriber.punsubscribe('n*');
    assert.equal(await client.call('publish', 'news', 'late'), 0);
    // node-redis 5 and 6 over RESP2 go on returning buffers here.
    assert.equal(String(await subscriber.set('key', 'x')), 'OK');
    assert.equal(String(await subscriber.call('get', 'key')), 'x');
    assert.deepEqual(received, []);
  },

  'a subscriber can still ask to be answered': async ({ client, open }) => {
    const subscriber = await open();
    const { received, listener } = collector();
    await subscriber.subscribe('news', listener);
    await client.set('key', 'x');
    await subscriber.call('ping');
    if (subscriber.protocol === 3) {
      await Promise.all(Array.from({ length: 50 }, async (_, index) => {
        await client.call('publish', 'news', String(index));
        assert.equal(await subscriber.raw('GET', 'key'), 'x');
      }));
      await until('all messages', () => received.length === 50);
    }
  },

  'subscriptions survive a lost connection': async ({ client, open }) => {
    const subscriber = await open({ name: 'listener' });
    const { received, listener } = collector();
    await subscriber.subscribe('news', listener);
    await subscriber.psubscribe('n*', listener);
    await client.raw('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until('it listens again', async () => (await client.call('publish', 'news', 'again')) === 2);
    // A message that came between its two subscriptions was heard once already.
    await until('it hears', () => received.length >= 2);
  },
};
