// express-rate-limit with its store in Redis, of several processes.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import { RedisStore } from 'rate-limit-redis';
import { sleep } from '../wait.mjs';

const require = createRequire(import.meta.url);
const { Redis } = require('ioredis5');
const { createClient } = require('redis5');

const WINDOW_MS = 5000;
const LONG_WINDOW_MS = 60_000;

async function serve({ closing }, sendCommand, windowMs = WINDOW_MS) {
  const store = new RedisStore({ sendCommand, prefix: 'rl:' });
  const app = express();
  app.use(rateLimit({
    windowMs,
    limit: 3,
    standardHeaders: 'draft-6',
    legacyHeaders: false,
    keyGenerator: (request) => request.query.user ?? 'nobody',
    validate: false,
    store,
  }));
  app.get('/', (request, response) => response.send('hello'));
  const server = await new Promise((resolve) => { const it = app.listen(0, '127.0.0.1', () => resolve(it)); });
  closing(server, (it) => { it.closeAllConnections(); it.close(); });
  const get = async (user) => {
    const response = await fetch(`http://127.0.0.1:${server.address().port}/?user=${user}`);
    return [response.status, response.headers.get('ratelimit-remaining')];
  };
  return { get, store };
}

function ioredis({ port, closing }) {
  const client = closing(new Redis({ port }), (it) => it.disconnect());
  return (command, ...args) => client.call(command, ...args);
}

async function nodeRedis({ port, closing }) {
  const client = closing(createClient({ socket: { port } }), (it) => it.destroy());
  await client.connect();
  return (...args) => client.sendCommand(args);
}

async function limits(context, sendCommand) {
  const [one, other] = [await serve(context, sendCommand), await serve(context, sendCommand)];
  assert.deepEqual(await one.get('ann'), [200, '2']);
  assert.deepEqual(await other.get('ann'), [200, '1']);
  assert.deepEqual(await one.get('ann'), [200, '0']);
  assert.deepEqual(await other.get('ann'), [429, '0']);
  assert.deepEqual(await one.get('bob'), [200, '2']);
  await sleep(WINDOW_MS + 50);
  assert.deepEqual(await other.get('ann'), [200, '2']);
}

export const flows = {
  async 'a limit holds over two processes, with ioredis'(context) {
    await limits(context, ioredis(context));
  },

  async 'a limit holds over two processes, with node-redis'(context) {
    await limits(context, await nodeRedis(context));
  },

  async 'keys can be read, given back and reset'(context) {
    const { get, store } = await serve(context, ioredis(context));
    await get('ann');
    await get('ann');
    const { totalHits, resetTime } = await store.get('ann');
    assert.equal(totalHits, 2);
    assert.ok(resetTime > new Date() && resetTime <= new Date(Date.now() + WINDOW_MS));
    await store.decrement('ann');
    assert.deepEqual(await get('ann'), [200, '1']);
    await store.resetKey('ann');
    assert.deepEqual(await get('ann'), [200, '2']);
  },

  async 'a script that the server forgot is loaded again'(context) {
    const { get } = await serve(context, ioredis(context));
    assert.deepEqual(await get('ann'), [200, '2']);
    await context.client.script('FLUSH');
    assert.deepEqual(await get('ann'), [200, '1']);
  },

  async 'a hundred requests at once'(context) {
    const { get } = await serve(context, ioredis(context), LONG_WINDOW_MS);
    const replies = await Promise.all(Array.from({ length: 100 }, () => get('crowd')));
    assert.equal(replies.filter(([status]) => status === 200).length, 3);
  },
};
