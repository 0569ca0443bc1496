// Bull, the older queue.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { sleep, until } from '../wait.mjs';

const Queue = createRequire(import.meta.url)('bull');

function setUp({ port, closing }, settings = {}) {
  return closing(new Queue('old work', { redis: { host: '127.0.0.1', port }, ...settings }), (it) => it.close(true));
}

export const flows = {
  async 'jobs are processed and return results'(context) {
    const queue = setUp(context);
    queue.process(3, async (job) => job.data.n * 2);
    const jobs = await Promise.all(Array.from({ length: 20 }, (_, n) => queue.add({ n })));
    assert.deepEqual(await Promise.all(jobs.map((job) => job.finished())), Array.from({ length: 20 }, (_, n) => n * 2));
    assert.equal(await queue.getCompletedCount(), 20);
  },

  async 'named jobs, attempts and backoff'(context) {
    const queue = setUp(context);
    const attempts = [];
    queue.process('shaky', async (job) => {
      attempts.push(Date.now());
      if (job.attemptsMade < 2) throw new Error(`attempt ${job.attemptsMade}`);
      return 'done';
    });
    const job = await queue.add('shaky', {}, { attempts: 3, backoff: 60 });
    assert.equal(await job.finished(), 'done');
    assert.equal(attempts.length, 3);
    assert.ok(attempts[2] - attempts[0] >= 115);
    const failing = await queue.add('shaky', {}, { attempts: 1 });
    await assert.rejects(failing.finished(), /attempt 0/);
    assert.equal(await queue.getFailedCount(), 1);
    await (await queue.getJob(failing.id)).retry();
    await until('it failed again', async () => await queue.getFailedCount() === 1);
  },

  async 'delays and priorities'(context) {
    const queue = setUp(context);
    const order = [];
    await queue.pause();
    for (const priority of [3, 1, 2]) await queue.add({ name: `p${priority}` }, { priority });
    const started = Date.now();
    await queue.add({ name: 'late' }, { delay: 2000 });
    queue.process(async (job) => { order.push([job.data.name, Date.now() - started]); });
    await queue.resume();
    await until('all are done', () => order.length === 4);
    assert.deepEqual(order.map(([name]) => name), ['p1', 'p2', 'p3', 'late']);
    assert.ok(order[3][1] >= 1995);
  },

  async 'repeats'(context) {
    const queue = setUp(context);
    let runs = 0;
    queue.process(async () => { runs += 1; });
    await queue.add({}, { repeat: { every: 100 }, jobId: 'again' });
    await until('three runs', () => runs >= 3);
    const [repeated] = await queue.getRepeatableJobs();
    assert.equal(repeated.every, 100);
    await queue.removeRepeatableByKey(repeated.key);
    assert.deepEqual(await queue.getRepeatableJobs(), []);
  },

  async 'a rate limit spreads the work'(context) {
    const queue = setUp(context, { limiter: { max: 2, duration: 200 } });
    const started = Date.now();
    const times = [];
    queue.process(async () => { times.push(Date.now()); });
    await queue.addBulk(Array.from({ length: 5 }, (_, n) => ({ data: { n } })));
    await until('all are done', () => times.length === 5);
    assert.ok(times[4] - started >= 350, `${times[4] - started} ms`);
  },

  async 'events reach other processes, progress is kept'(context) {
    const [queue, observer] = [setUp(context), setUp(context)];
    const seen = [];
    observer.on('global:progress', (id, progress) => seen.push(progress));
    observer.on('global:completed', (id, result) => seen.push(result));
    await observer.isReady();
    await sleep(50);
    queue.process(async (job) => {
      await job.progress(50);
      return 'end';
    });
    const job = await queue.add({});
    await until('both events', () => seen.length === 2);
    assert.deepEqual(seen, [50, '"end"']);
    assert.equal((await queue.getJob(job.id)).progress(), 50);
  },

  async 'a job of a queue that died is taken up'(context) {
    const settings = { settings: { lockDuration: 200, lockRenewTime: 60_000, stalledInterval: 150 } };
    const dying = setUp(context, settings);
    dying.process(() => new Promise(() => {}));
    const job = await dying.add({});
    await until('it is active', () => job.isActive());
    await dying.close(true);
    const queue = setUp(context, settings);
    queue.process(async () => 'saved');
    await until('it is done', async () => (await queue.getJob(job.id)).isCompleted());
  },

  async 'cleaning and emptying'(context) {
    const queue = setUp(context);
    for (let n = 0; n < 10; n += 1) await queue.add({ n }, { delay: n % 2 ? 10_000 : 0 });
    assert.deepEqual(await queue.getJobCounts(), { waiting: 5, active: 0, completed: 0, failed: 0, delayed: 5, paused: 0 });
    await queue.empty();
    assert.equal(await queue.count(), 0);
    queue.process(async () => {});
    await (await queue.add({})).finished();
    await sleep(20);
    assert.equal((await queue.clean(5)).length, 1);
    await queue.obliterate({ force: true });
    assert.equal((await queue.getJobs(['completed', 'waiting', 'delayed'])).length, 0);
  },
};
