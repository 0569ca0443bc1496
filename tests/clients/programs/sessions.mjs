// express-session with connect-redis: a login that outlives the process.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { sleep } from '../wait.mjs';

const { createClient } = createRequire(import.meta.url)('redis6');

async function serve({ port, closing }, options = {}) {
  const client = closing(createClient({ socket: { port } }), (it) => it.destroy());
  await client.connect();
  const store = new RedisStore({ client, prefix: 'sess:', ...options });
  const app = express();
  app.use(session({ store, secret: 'secret', resave: false, saveUninitialized: false, cookie: { maxAge: 60_000 } }));
  app.get('/login', (request, response) => { request.session.user = request.query.user; response.send('in'); });
  app.get('/count', (request, response) => {
    request.session.count = (request.session.count ?? 0) + 1;
    response.json({ user: request.session.user ?? null, count: request.session.count });
  });
  app.get('/logout', (request, response) => request.session.destroy(() => response.send('out')));
  const server = await new Promise((resolve) => { const it = app.listen(0, '127.0.0.1', () => resolve(it)); });
  closing(server, (it) => { it.closeAllConnections(); it.close(); });
  const get = async (path, browser) => {
    const headers = browser.cookie ? { cookie: browser.cookie } : {};
    const response = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { headers });
    browser.cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? browser.cookie;
    const text = await response.text();
    return text.startsWith('{') ? JSON.parse(text) : text;
  };
  return { get, store };
}

export const flows = {
  async 'a session lives on another server, and ends at logout'(context) {
    const [one, other] = [await serve(context), await serve(context)];
    const [ann, bob] = [{}, {}];
    await one.get('/login?user=ann', ann);
    await one.get('/login?user=bob', bob);
    assert.deepEqual(await other.get('/count', ann), { user: 'ann', count: 1 });
    assert.deepEqual(await one.get('/count', ann), { user: 'ann', count: 2 });
    assert.deepEqual(await one.get('/count', bob), { user: 'bob', count: 1 });
    const [key] = await context.client.keys('sess:*');
    const ttl = await context.client.ttl(key);
    assert.ok(ttl > 50 && ttl <= 60, `ttl ${ttl}`);
    await other.get('/logout', ann);
    assert.deepEqual(await one.get('/count', ann), { user: null, count: 1 });
    assert.deepEqual(await one.get('/count', bob), { user: 'bob', count: 2 });
  },

  async 'a session ends by itself'(context) {
    const { get } = await serve(context, { ttl: () => 4 });
    const ann = {};
    await get('/login?user=ann', ann);
    assert.equal((await get('/count', ann)).user, 'ann');
    await sleep(4150);
    assert.equal((await get('/count', ann)).user, null);
  },

  async 'the store lists, counts and clears'(context) {
    const { get, store } = await serve(context);
    for (let n = 0; n < 25; n += 1) await get(`/login?user=u${n}`, {});
    await context.client.set('other', 'stays');
    assert.equal(await store.length(), 25);
    assert.deepEqual((await store.all()).map((found) => found.user).sort(), Array.from({ length: 25 }, (_, n) => `u${n}`).sort());
    assert.equal((await store.ids()).length, 25);
    await store.clear();
    assert.equal(await store.length(), 0);
    assert.equal(await context.client.get('other'), 'stays');
  },
};
