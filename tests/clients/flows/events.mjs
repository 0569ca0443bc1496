// Keyspace notifications.

import assert from 'node:assert/strict';
import { until } from '../wait.mjs';

async function listening(client, open, flags, pattern) {
  await client.raw('CONFIG', 'SET', 'notify-keyspace-events', flags);
  const subscriber = await open();
  const received = [];
  await subscriber.psubscribe(pattern, (message, channel) => received.push([channel, message]));
  return received;
}

export const flows = {
  'events by name': async ({ client, open }) => {
    const received = await listening(client, open, 'EA', '__key*__:*');
    await client.set('key', '1', { EX: 100 });
    await client.call('incr', 'key');
    await client.call('persist', 'key');
    await client.call('rename', 'key', 'other');
    await client.call('del', 'other');
    await client.call('del', 'nothing');
    await client.set('end', 'x');
    await until('the last one', () => received.some(([, key]) => key === 'end'));
    assert.deepEqual(received.map(([channel, key]) => [channel.replace('__keyevent@0__:', ''), key]), [
      ['set', 'key'], ['expire', 'key'], ['incrby', 'key'], ['persist', 'key'], ['rename_from', 'key'],
      ['rename_to', 'other'], ['del', 'other'], ['set', 'end'],
    ]);
  },

  'events of one key': async ({ client, open }) => {
    const received = await listening(client, open, 'K$g', '__keyspace@0__:mine');
    await client.set('mine', '1');
    await client.set('theirs', '1');
    await client.call('append', 'mine', '2');
    await client.call('expire', 'mine', 100);
    await client.call('del', 'mine');
    await until('four events', () => received.length === 4);
    assert.deepEqual(received.map(([, event]) => event), ['set', 'append', 'expire', 'del']);
  },

  'a key that expires is announced': async ({ client, open }) => {
    const received = await listening(client, open, 'Ex', '__keyevent@0__:expired');
    await client.set('brief', 'x', { PX: 30 });
    await until('the event', () => received.length === 1);
    assert.deepEqual(received, [['__keyevent@0__:expired', 'brief']]);
    assert.equal(await client.call('exists', 'brief'), 0);
  },

  'nothing is announced unless asked for': async ({ client, open }) => {
    const received = await listening(client, open, '', '*');
    await client.set('key', 'x');
    await client.call('publish', 'end', 'x');
    await until('the last message', () => received.length > 0);
    assert.deepEqual(received, [['end', 'x']]);
  },
};
