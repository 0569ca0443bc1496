// Connections: who they are, which database and protocol they use, how they end and come back.

import assert from 'node:assert/strict';
import { entries } from '../clients.mjs';
import { sleep, until } from '../wait.mjs';

/// The fields of a line of CLIENT LIST or CLIENT INFO, which node-redis turns into objects.
function fields(line) {
  if (typeof line !== 'string') return line;
  return Object.fromEntries(line.trim().split(' ').map((field) => {
    const equals = field.indexOf('=');
    return [field.slice(0, equals), field.slice(equals + 1)];
  }));
}

async function listed(client) {
  const list = await client.call('client list');
  return (typeof list === 'string' ? list.trim().split('\n') : list).map(fields);
}

export const flows = {
  'PING and ECHO': async ({ client }) => {
    assert.equal(await client.call('ping'), 'PONG');
    assert.equal(await client.raw('PING', 'hello'), 'hello');
    assert.equal(await client.call('echo', 'hello ✓'), 'hello ✓');
    const [seconds, micros] = await client.raw('TIME');
    assert.ok(Math.abs(Number(seconds) - Date.now() / 1000) < 5 && Number(micros) < 1e6);
  },

  'HELLO names the server and the protocol': async ({ client }) => {
    const hello = entries(await client.raw('HELLO', String(client.protocol)));
    assert.equal(Number(hello.proto), client.protocol);
    assert.equal(hello.mode, 'standalone');
    assert.equal(hello.role, 'master');
    assert.match(hello.version, /^\d+\.\d+\.\d+$/);
    assert.equal(Number(hello.id), await client.call('client id'));
    assert.deepEqual([...hello.modules], []);
    const info = fields(await client.raw('CLIENT', 'INFO'));
    assert.equal(info.resp ?? String(client.protocol), String(client.protocol));
    await assert.rejects(client.raw('HELLO', '4'), { message: 'NOPROTO unsupported protocol version' });
  },

  'databases': async ({ client, open }) => {
    const [three, zero] = [await open({ db: 3 }), client];
    await three.set('key', 'three');
    await zero.set('key', 'zero');
    assert.equal(await three.call('get', 'key'), 'three');
    await zero.select(3);
    assert.equal(await zero.call('get', 'key'), 'three');
    await zero.select(0);
    assert.equal(await zero.call('get', 'key'), 'zero');
    await assert.rejects(zero.raw('SELECT', '9999'), { message: 'ERR DB index is out of range' });
    assert.equal(await three.call('flushdb'), 'OK');
    assert.equal(await zero.call('dbsize'), 1);
  },

  'names, CLIENT INFO and CLIENT LIST': async ({ client, open }) => {
    const named = await open({ name: 'worker-1', db: 2 });
    assert.equal(await named.call('client getname'), 'worker-1');
    assert.equal(await client.call('client getname'), null);
    assert.equal(await client.call('client setname', 'main'), 'OK');
    assert.equal(await client.call('client getname'), 'main');
    const id = await named.call('client id');
    const info = fields(await named.call('client info'));
    assert.deepEqual([Number(info.id), info.name, Number(info.db)], [id, 'worker-1', 2]);
    assert.match(info.addr, /^127\.0\.0\.1:\d+$/);
    assert.equal(info.user, 'default');
    const list = await listed(client);
    assert.deepEqual(list.map(({ name }) => name).sort(), ['main', 'worker-1']);
    assert.equal(list.find(({ name }) => name === 'worker-1').id, info.id);
    await assert.rejects(client.call('client setname', 'two words'), /ERR Client names cannot contain spaces/);
  },

  'a killed connection comes back': async ({ client, open }) => {
    const admin = await open();
    await client.set('key', 'x');
    const id = await client.call('client id');
    assert.equal(await admin.raw('CLIENT', 'KILL', 'ID', String(id)), 1);
    await until('it is another connection', async () => {
      const current = await client.call('client id').catch(() => id);
      return current !== id;
    });
    assert.equal(await client.call('get', 'key'), 'x');
  },

  'a connection that comes back keeps its database and name': async ({ client, open }) => {
    const named = await open({ name: 'steady', db: 5 });
    await named.set('key', 'five');
    const id = await named.call('client id');
    await client.raw('CLIENT', 'KILL', 'ID', String(id));
    await until('it is back', async () => (await named.call('client id').catch(() => id)) !== id);
    assert.equal(await named.call('get', 'key'), 'five');
    await until('its name is back', async () => (await named.call('client getname')) === 'steady');
  },

  'INFO as the libraries read it': async ({ client }) => {
    await client.set('key', 'x', { EX: 100 });
    const text = await client.call('info');
    const info = Object.fromEntries(text.split('\r\n').filter((line) => line.includes(':')).map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1)];
    }));
    assert.equal(info.loading, '0');
    assert.equal(info.role, 'master');
    assert.equal(info.redis_mode, 'standalone');
    assert.match(info.redis_version, /^\d+\.\d+\.\d+$/);
    assert.ok(Number(info.connected_clients) >= 1);
    assert.ok(Number(info.used_memory) > 0);
    assert.match(info.db0, /^keys=1,expires=1,avg_ttl=\d+/);
    const section = await client.call('info', 'server');
    assert.match(section, /^# Server\r\n/);
    assert.doesNotMatch(section, /# Memory/);
  },

  'CONFIG GET and SET': async ({ client }) => {
    const before = entries(await client.call('config get', 'maxmemory')).maxmemory;
    assert.equal(await client.call('config set', 'maxmemory', '100mb'), 'OK');
    assert.equal(entries(await client.call('config get', 'maxmemory')).maxmemory, '104857600');
    await client.call('config set', 'maxmemory', before);
    const several = entries(await client.call('config get', 'maxmemory*'));
    assert.ok('maxmemory-policy' in several);
  },

  'quit answers what was sent before': async ({ client, open }) => {
    const leaving = await open();
    const replies = Array.from({ length: 100 }, () => leaving.call('incr', 'n'));
    assert.equal(await leaving.quit(), 'OK');
    assert.equal((await Promise.all(replies)).at(-1), 100);
    assert.equal(await client.call('get', 'n'), '100');
    await assert.rejects(leaving.call('get', 'n'));
    await until('the server has noticed', async () => (await listed(client)).length === 1);
  },

  'disconnect ends at once': async ({ client, open }) => {
    const leaving = await open();
    await leaving.set('key', 'x');
    await leaving.disconnect();
    await assert.rejects(leaving.call('get', 'key'));
    await until('the server has noticed', async () => (await listed(client)).length === 1);
    await sleep(50);
    assert.equal((await listed(client)).length, 1, 'it does not come back');
  },

  'a hundred connections': async ({ client, open }) => {
    const clients = await Promise.all(Array.from({ length: 100 }, () => open()));
    await Promise.all(clients.map((own) => own.call('incr', 'n')));
    assert.equal(await client.call('get', 'n'), '100');
    assert.equal((await listed(client)).length, 101);
  },
};
