// Runs programs that live on scripts against a server:  node run-programs.mjs <port> [program ...]
//
// A program is a file in programs/; all of them run when none is named. Prints a line per flow; the exit code is the
// number of those that failed. The server's data is erased before each flow.

import { EventEmitter } from 'node:events';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const { Redis } = createRequire(import.meta.url)('ioredis5');
const LIMIT_MS = 60_000;

// The programs share connections between many queues on purpose.
EventEmitter.defaultMaxListeners = 100;

const port = Number(process.argv[2]);
const chosen = process.argv.slice(3);
if (!port) {
  console.error('usage: node run-programs.mjs <port> [program ...]');
  process.exit(64);
}

const files = readdirSync(new URL('programs/', import.meta.url)).filter((file) => file.endsWith('.mjs')).sort();
const programs = chosen.length > 0 ? chosen : files.map((file) => file.slice(0, -'.mjs'.length));

let failures = 0;
for (const program of programs) {
  const { flows } = await import(`./programs/${program}.mjs`);
  for (const [name, flow] of Object.entries(flows)) {
    failures += await runs(`${program}: ${name}`, flow) ? 0 : 1;
  }
}
process.exit(Math.min(failures, 63));

/// A flow gets the port, a client of its own, and `closing`, which takes what must be closed at the end, last one first.
async function runs(label, flow) {
  const started = Date.now();
  const opened = [];
  const closing = (thing, close = (it) => it.close()) => {
    opened.unshift(() => close(thing));
    return thing;
  };
  const client = closing(new Redis({ host: '127.0.0.1', port, lazyConnect: true }), (it) => it.disconnect());
  try {
    await within(LIMIT_MS, async () => {
      await client.connect();
      await client.flushall();
      await flow({ port, client, closing });
    });
    console.log(`ok    ${label} (${Date.now() - started} ms)`);
    return true;
  } catch (error) {
    console.log(`FAIL  ${label}\n${String(error?.stack ?? error).replaceAll(/^/gm, '      ')}`);
    return false;
  } finally {
    await within(LIMIT_MS, async () => {
      for (const close of opened) await close();
    }).catch((error) => console.log(`      while closing: ${error}`));
  }
}

function within(limit, body) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${limit} ms`)), limit);
  });
  return Promise.race([body(), late]).finally(() => clearTimeout(timer));
}
