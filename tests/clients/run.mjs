// Runs flows with one client against a server:  node run.mjs <client> <port> [family ...]
//
// A client is one of those in clients.mjs, for instance redis6 or redis6@2 (the protocol, where it can be chosen). A
// family is a file in flows/; all of them run when none is named. Prints a line per flow; the exit code is the number
// of those that failed. The server's data is erased before each flow.

import { readdirSync } from 'node:fs';
import { connect, variants } from './clients.mjs';

const LIMIT_MS = 60_000;

const [variant, port, ...chosen] = process.argv.slice(2);
if (!variants.includes(variant) || !Number(port)) {
  console.error(`usage: node run.mjs <${variants.join('|')}> <port> [family ...]`);
  process.exit(64);
}

const files = readdirSync(new URL('flows/', import.meta.url)).filter((file) => file.endsWith('.mjs')).sort();
const families = chosen.length > 0 ? chosen : files.map((file) => file.slice(0, -'.mjs'.length));

let failures = 0;
for (const family of families) {
  const { flows } = await import(`./flows/${family}.mjs`);
  for (const [name, flow] of Object.entries(flows)) {
    failures += await runs(family, name, flow) ? 0 : 1;
  }
}
process.exit(Math.min(failures, 63));

async function runs(family, name, flow) {
  const label = `${variant} ${family}: ${name}`;
  const started = Date.now();
  const opened = [];
  const open = async (options = {}) => {
    const client = await connect(variant, Number(port), options);
    opened.push(client);
    return client;
  };
  try {
    await within(LIMIT_MS, async () => {
      const client = await open();
      await client.raw('FLUSHALL');
      await flow({ client, open });
    });
    console.log(`ok    ${label} (${Date.now() - started} ms)`);
    return true;
  } catch (error) {
    console.log(`FAIL  ${label}\n${indent(error?.stack ?? String(error))}`);
    return false;
  } finally {
    for (const client of opened) client.drop();
  }
}

function within(limit, body) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${limit} ms`)), limit);
  });
  return Promise.race([body(), late]).finally(() => clearTimeout(timer));
}

function indent(text) {
  return text.split('\n').map((line) => `      ${line}`).join('\n');
}
