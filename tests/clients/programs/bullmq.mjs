// BullMQ: a queue whose every step is a script.

import assert from 'node:assert/strict';
import { FlowProducer, Queue, QueueEvents, UnrecoverableError, Worker } from 'bullmq';
import { sleep, until } from '../wait.mjs';

/// A queue with its events and workers, all closed at the end of the flow.
async function setUp({ port, closing }, name = 'work') {
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
  const queue = closing(new Queue(name, { connection }));
  const events = closing(new QueueEvents(name, { connection }));
  await events.waitUntilReady();
  const work = (process, options = {}) => {
    const worker = closing(new Worker(name, process, { connection, ...options }), (it) => it.close(true));
    worker.on('error', () => {});
    return worker;
  };
  return { connection, queue, events, work };
}

export const flows = {
  async 'jobs are processed and return results'(context) {
    const { queue, events, work } = await setUp(context);
    work(async (job) => ({ sum: job.data.a + job.data.b, name: job.name }));
    const jobs = await Promise.all([1, 2, 3, 4, 5].map((n) => queue.add(`add-${n}`, { a: n, b: 10 * n })));
    const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(events)));
    assert.deepEqual(results, [1, 2, 3, 4, 5].map((n) => ({ sum: 11 * n, name: `add-${n}` })));
    assert.deepEqual(await queue.getJobCounts('completed', 'waiting', 'active', 'failed'),
      { completed: 5, waiting: 0, active: 0, failed: 0 });
    const job = await queue.getJob(jobs[2].id);
    assert.deepEqual(job.returnvalue, { sum: 33, name: 'add-3' });
    assert.ok(job.finishedOn >= job.processedOn);
  },

  async 'data of every kind comes through'(context) {
    const { queue, events, work } = await setUp(context);
    work(async (job) => job.data);
    const data = { text: 'ünïcödé € 😀\n"\\', numbers: [0, -1, 1.5, 1e21, 123456789012], nested: { a: [[], {}, null, true] } };
    const job = await queue.add('echo', data);
    assert.deepEqual(await job.waitUntilFinished(events), data);
  },

  async 'a failing job is tried again with backoff, then fails'(context) {
    const { queue, events, work } = await setUp(context);
    const attempts = [];
    work(async (job) => {
      attempts.push([job.name, job.attemptsMade, Date.now()]);
      if (job.name === 'never' || job.attemptsMade < 2) throw new Error(`attempt ${job.attemptsMade}`);
      return 'at last';
    });
    const settings = { attempts: 3, backoff: { type: 'exponential', delay: 50 } };
    const third = await queue.add('third', {}, settings);
    assert.equal(await third.waitUntilFinished(events), 'at last');
    const tries = attempts.map(([, , at]) => at);
    assert.ok(tries[1] - tries[0] >= 45 && tries[2] - tries[1] >= 90, String(tries));
    const never = await queue.add('never', {}, settings);
    await assert.rejects(never.waitUntilFinished(events), /attempt 2/);
    const failed = await queue.getJob(never.id);
    assert.equal(failed.attemptsMade, 3);
    assert.equal(failed.failedReason, 'attempt 2');
    assert.equal(failed.stacktrace.length, 3);
    assert.equal(await queue.getFailedCount(), 1);
  },

  async 'an unrecoverable error ends the attempts, a retry by hand begins anew'(context) {
    const { queue, events, work } = await setUp(context);
    let isBroken = true;
    work(async () => {
      if (isBroken) throw new UnrecoverableError('hopeless');
      return 'mended';
    });
    const job = await queue.add('job', {}, { attempts: 5 });
    await assert.rejects(job.waitUntilFinished(events), /hopeless/);
    const failed = await queue.getJob(job.id);
    assert.equal(failed.attemptsMade, 1);
    isBroken = false;
    await failed.retry();
    assert.equal(await failed.waitUntilFinished(events), 'mended');
  },

  async 'a delayed job waits, and can be promoted'(context) {
    const { queue, events, work } = await setUp(context);
    work(async () => Date.now());
    const added = Date.now();
    const job = await queue.add('later', {}, { delay: 1500 });
    assert.equal(await job.getState(), 'delayed');
    const done = await job.waitUntilFinished(events);
    assert.ok(done - added >= 1495, `${done - added} ms`);
    const distant = await queue.add('much later', {}, { delay: 3_600_000 });
    await distant.promote();
    await distant.waitUntilFinished(events);
    const moved = await queue.add('moved', {}, { delay: 3_600_000 });
    await moved.changeDelay(20);
    await moved.waitUntilFinished(events);
  },

  async 'priorities decide the order'(context) {
    const { queue, work } = await setUp(context);
    const priorities = [5, 1, 0, 3, 2, 1, 100, 0];
    for (const [n, priority] of priorities.entries()) await queue.add(`p${priority}`, { n }, { priority });
    assert.deepEqual(await queue.getCountsPerPriority([0, 1, 2, 3]), { 0: 2, 1: 2, 2: 1, 3: 1 });
    const last = await queue.add('raised', { n: 8 }, { priority: 50 });
    await last.changePriority({ priority: 1 });
    const order = [];
    work(async (job) => { order.push([job.name, job.data.n]); });
    await until('all are done', () => order.length === 9);
    assert.deepEqual(order.map(([name]) => name), ['p0', 'p0', 'p1', 'p1', 'raised', 'p2', 'p3', 'p5', 'p100']);
    assert.deepEqual(order.slice(0, 4).map(([, n]) => n), [2, 7, 1, 5]);
  },

  async 'last in first out, and bulk'(context) {
    const { queue, work } = await setUp(context);
    await queue.addBulk([1, 2, 3].map((n) => ({ name: `f${n}`, data: {} })));
    await queue.addBulk([4, 5].map((n) => ({ name: `l${n}`, data: {}, opts: { lifo: true } })));
    const order = [];
    work(async (job) => { order.push(job.name); });
    await until('all are done', () => order.length === 5);
    assert.deepEqual(order, ['l5', 'l4', 'f1', 'f2', 'f3']);
  },

  async 'a flow runs children before their parent'(context) {
    const { connection, queue, events, work } = await setUp(context);
    const producer = context.closing(new FlowProducer({ connection }));
    const order = [];
    work(async (job) => {
      order.push(job.name);
      if (job.name.startsWith('leaf')) return job.data.value;
      const values = Object.values(await job.getChildrenValues());
      return values.reduce((sum, value) => sum + value, 0);
    }, { concurrency: 3 });
    const leaf = (n) => ({ name: `leaf${n}`, queueName: 'work', data: { value: n } });
    const tree = await producer.add({
      name: 'root',
      queueName: 'work',
      children: [
        { name: 'left', queueName: 'work', children: [leaf(1), leaf(2)] },
        { name: 'right', queueName: 'work', children: [leaf(3), leaf(4), leaf(5)] },
      ],
    });
    assert.equal(await tree.job.waitUntilFinished(events), 15);
    assert.equal(order.length, 8);
    assert.equal(order.at(-1), 'root');
    assert.ok(order.indexOf('left') > order.indexOf('leaf2'));
    const loaded = await producer.getFlow({ id: tree.job.id, queueName: 'work' });
    assert.equal(loaded.children.length, 2);
    assert.equal(await queue.getCompletedCount(), 8);
  },

  async 'a failed child fails its parent if asked to'(context) {
    const { connection, events, work } = await setUp(context);
    const producer = context.closing(new FlowProducer({ connection }));
    work(async (job) => {
      if (job.name === 'broken') throw new Error('no');
    });
    const tree = await producer.add({
      name: 'parent',
      queueName: 'work',
      children: [{ name: 'broken', queueName: 'work', opts: { failParentOnFailure: true } }, { name: 'fine', queueName: 'work' }],
    });
    await assert.rejects(tree.job.waitUntilFinished(events), /child .* failed/);
    assert.equal(await tree.job.getState(), 'failed');
  },

  async 'a rate limit spreads the work'(context) {
    const { queue, work } = await setUp(context);
    const times = [];
    const started = Date.now();
    await queue.addBulk(Array.from({ length: 7 }, (_, n) => ({ name: `j${n}`, data: {} })));
    work(async () => { times.push(Date.now()); }, { limiter: { max: 2, duration: 200 }, concurrency: 5 });
    await until('all are done', () => times.length === 7);
    assert.ok(times[6] - started >= 580, `${times[6] - started} ms`);
  },

  async 'a scheduler repeats, and stops when removed'(context) {
    const { queue, work } = await setUp(context);
    const runs = [];
    work(async (job) => { runs.push([job.name, job.data.n]); });
    await queue.upsertJobScheduler('tick', { every: 100 }, { name: 'ticking', data: { n: 1 } });
    await until('three runs', () => runs.length >= 3);
    assert.deepEqual(runs[0], ['ticking', 1]);
    const [scheduler] = await queue.getJobSchedulers();
    assert.equal(scheduler.key, 'tick');
    assert.equal(Number(scheduler.every), 100);
    await queue.upsertJobScheduler('tick', { every: 100 }, { name: 'ticking', data: { n: 2 } });
    await until('the new data', () => runs.some(([, n]) => n === 2));
    assert.equal(await queue.removeJobScheduler('tick'), true);
    await sleep(150);
    const count = runs.length;
    await sleep(300);
    assert.equal(runs.length, count);
    await queue.upsertJobScheduler('cron', { pattern: '* * * * * *', limit: 1 }, { name: 'cron', data: { n: 3 } });
    await until('the second comes', () => runs.some(([name]) => name === 'cron'));
  },

  async 'many workers share the jobs, each job runs once'(context) {
    const { queue, work } = await setUp(context);
    const seen = new Map();
    for (let n = 0; n < 4; n += 1) {
      work(async (job) => {
        await sleep(1);
        seen.set(job.data.n, (seen.get(job.data.n) ?? 0) + 1);
      }, { concurrency: 10 });
    }
    await queue.addBulk(Array.from({ length: 400 }, (_, n) => ({ name: 'job', data: { n } })));
    await until('all are done', async () => await queue.getCompletedCount() === 400);
    assert.equal(seen.size, 400);
    assert.ok([...seen.values()].every((count) => count === 1));
  },

  async 'a job of a worker that died is taken up by another'(context) {
    const { queue, events, work } = await setUp(context);
    let release;
    const hangs = work(() => new Promise((resolve) => { release = resolve; }), { lockDuration: 300, skipLockRenewal: true, stalledInterval: 200 });
    const job = await queue.add('orphan', {});
    await until('it is active', () => job.isActive());
    await hangs.close(true);
    work(async () => 'saved', { stalledInterval: 200, maxStalledCount: 2 });
    assert.equal(await job.waitUntilFinished(events), 'saved');
    release();
  },

  async 'a paused queue keeps its jobs'(context) {
    const { queue, events, work } = await setUp(context);
    let count = 0;
    work(async () => { count += 1; });
    await queue.pause();
    const job = await queue.add('job', {});
    await sleep(100);
    assert.equal(count, 0);
    assert.equal(await queue.isPaused(), true);
    await queue.resume();
    await job.waitUntilFinished(events);
    assert.equal(count, 1);
  },

  async 'duplicates are dropped, jobs can be removed, cleaned and obliterated'(context) {
    const { queue, work } = await setUp(context);
    const first = await queue.add('once', {}, { deduplication: { id: 'x' } });
    const second = await queue.add('once', {}, { deduplication: { id: 'x' } });
    assert.equal(second.id, first.id);
    const own = await queue.add('own', { v: 1 }, { jobId: 'mine' });
    await queue.add('own', { v: 2 }, { jobId: 'mine' });
    assert.deepEqual((await queue.getJob('mine')).data, { v: 1 });
    await own.updateData({ v: 3 });
    assert.deepEqual((await queue.getJob('mine')).data, { v: 3 });
    await own.remove();
    assert.equal(await queue.getJob('mine'), undefined);
    await queue.addBulk(Array.from({ length: 30 }, (_, n) => ({ name: `j${n}`, data: {}, opts: { removeOnComplete: 10 } })));
    assert.equal(await queue.getWaitingCount(), 31);
    assert.deepEqual((await queue.getWaiting(0, 2)).map((job) => job.name), ['once', 'j0', 'j1']);
    const worker = work(async () => {});
    await until('all are done', async () => await queue.count() === 0 && await queue.getActiveCount() === 0);
    await worker.close();
    assert.equal(await queue.getCompletedCount(), 10);
    assert.equal((await queue.clean(0, 100, 'completed')).length, 10);
    await queue.addBulk(Array.from({ length: 20 }, (_, n) => ({ name: `j${n}`, data: {}, opts: { delay: n % 2 ? 1000 : 0 } })));
    await queue.drain(true);
    assert.equal(await queue.count(), 0);
    await queue.obliterate({ force: true });
    assert.deepEqual(await context.client.keys('bull:work:*'), []);
  },

  async 'progress, logs and events'(context) {
    const { queue, events, work } = await setUp(context);
    await sleep(50);
    const seen = [];
    for (const name of ['active', 'progress', 'completed']) {
      events.on(name, (event) => seen.push([name, event.data]));
    }
    work(async (job) => {
      await job.updateProgress(42);
      await job.updateProgress({ step: 'two' });
      await job.log('first line');
      await job.log('second line');
    });
    const job = await queue.add('job', {});
    await job.waitUntilFinished(events);
    await until('the last event', () => seen.some(([name]) => name === 'completed'));
    assert.deepEqual(seen.filter(([name]) => name === 'progress').map(([, data]) => data), [42, { step: 'two' }]);
    assert.deepEqual(seen.map(([name]) => name), ['active', 'progress', 'progress', 'completed']);
    assert.deepEqual(await queue.getJobLogs(job.id), { logs: ['first line', 'second line'], count: 2 });
  },
};
