// Values as bytes: nothing is lost or changed on the way, whatever their size and content.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const MIB = 1024 * 1024;

export const flows = {
  'MGET and MSET': async ({ client }) => {
    assert.equal(await client.call('mset', { a: '1', b: '2', c: '3' }), 'OK');
    assert.deepEqual(await client.call('mget', ['a', 'nothing', 'c']), ['1', null, '3']);
    assert.equal(await client.call('msetnx', { c: 'x', d: 'x' }), client.flag(false));
    assert.equal(await client.call('msetnx', { d: '4', e: '5' }), client.flag(true));
    assert.deepEqual(await client.call('mget', ['c', 'd', 'e']), ['3', '4', '5']);
  },

  'a value of all 256 bytes': async ({ client }) => {
    await client.set('bytes', ALL_BYTES);
    assert.deepEqual(await client.getBuffer('bytes'), ALL_BYTES);
    assert.equal(await client.call('strlen', 'bytes'), 256);
    assert.deepEqual(await client.mgetBuffer(['bytes', 'nothing']), [ALL_BYTES, null]);
    assert.equal(await client.call('append', 'bytes', ALL_BYTES), 512);
    assert.deepEqual(await client.getBuffer('bytes'), Buffer.concat([ALL_BYTES, ALL_BYTES]));
  },

  'a key of all 256 bytes': async ({ client }) => {
    await client.set(ALL_BYTES, 'found');
    assert.equal(await client.call('get', ALL_BYTES), 'found');
    assert.equal(await client.call('exists', ALL_BYTES), 1);
    assert.equal(await client.call('del', ALL_BYTES), 1);
    assert.equal(await client.call('dbsize'), 0);
  },

  'a value of 8 MiB': async ({ client }) => {
    const value = randomBytes(8 * MIB);
    await client.set('big', value);
    assert.equal(await client.call('strlen', 'big'), value.length);
    assert.ok((await client.getBuffer('big')).equals(value), 'what comes back is what was stored');
    assert.equal(await client.call('append', 'big', 'x'), value.length + 1);
    assert.equal(await client.call('getrange', 'big', -1, -1), 'x');
  },

  'many big values at once': async ({ client }) => {
    const values = Array.from({ length: 16 }, () => randomBytes(MIB / 4));
    await Promise.all(values.map((value, index) => client.set(`big:${index}`, value)));
    const found = await client.mgetBuffer(values.map((_, index) => `big:${index}`));
    assert.ok(found.every((value, index) => value.equals(values[index])));
  },

  'unicode': async ({ client }) => {
    const text = 'Grüße, 世界, 👩‍👩‍👧‍👦, \u0000, \u2028, e\u0301';
    await client.set(`ключ:${text}`, text);
    assert.equal(await client.call('get', `ключ:${text}`), text);
    assert.equal(await client.call('strlen', `ключ:${text}`), Buffer.byteLength(text));
    assert.deepEqual(await client.call('keys', 'ключ:*'), [`ключ:${text}`]);
  },

  'the empty value is not no value': async ({ client }) => {
    await client.set('empty', '');
    assert.equal(await client.call('get', 'empty'), '');
    assert.equal(await client.call('strlen', 'empty'), 0);
    assert.equal(await client.call('exists', 'empty'), 1);
    await client.set('', 'the empty key');
    assert.equal(await client.call('get', ''), 'the empty key');
  },

  'parts of a value': async ({ client }) => {
    await client.set('text', 'Hello World');
    assert.equal(await client.call('getrange', 'text', 0, 4), 'Hello');
    assert.equal(await client.call('getrange', 'text', -5, -1), 'World');
    assert.equal(await client.call('setrange', 'text', 6, 'Redis'), 11);
    assert.equal(await client.call('get', 'text'), 'Hello Redis');
    assert.equal(await client.call('setrange', 'padded', 3, 'x'), 4);
    assert.deepEqual(await client.getBuffer('padded'), Buffer.from('\0\0\0x'));
  },

  'numbers at the edge of what JavaScript holds': async ({ client }) => {
    // The clients' own parsers round a little below Number.MAX_SAFE_INTEGER.
    await client.set('n', '9007199254740900');
    assert.equal(await client.call('incr', 'n'), 9007199254740901);
    await client.set('n', '9223372036854775807');
    assert.equal(await client.call('get', 'n'), '9223372036854775807');
    await assert.rejects(client.call('incr', 'n'), /^\w*Error: ERR increment or decrement would overflow$/);
  },
};
