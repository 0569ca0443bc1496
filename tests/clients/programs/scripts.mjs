// Scripts of one's own: ioredis' defineCommand, node-redis' defineScript.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

const LIMITED = `
  local count = tonumber(redis.call('GET', KEYS[1]) or '0')
  if count + tonumber(ARGV[1]) > tonumber(ARGV[2]) then
    return redis.error_reply('LIMIT reached at ' .. count)
  end
  return redis.call('INCRBY', KEYS[1], ARGV[1])`;

const SHAPES = "return {1, 'two', 3.9, true, false, {4, {'five'}}, nil, 'cut off'}";

async function ioredis(name, { port, closing, client: admin }) {
  const { Redis } = require(name);
  const client = closing(new Redis({ port, scripts: { shapes: { numberOfKeys: 0, lua: SHAPES } } }), (it) => it.disconnect());
  client.defineCommand('limited', { numberOfKeys: 1, lua: LIMITED });
  client.defineCommand('gather', { lua: "local all = {} for i, key in ipairs(KEYS) do all[i] = redis.call('GET', key) end return all" });
  client.defineCommand('peek', { numberOfKeys: 1, readOnly: true, lua: "return redis.call('STRLEN', KEYS[1])" });
  client.defineCommand('raw', { numberOfKeys: 1, lua: "return redis.call('GET', KEYS[1])" });
  assert.equal(await client.limited('counter', 2, 5), 2);
  assert.equal(await client.limited('counter', 3, 5), 5);
  await assert.rejects(client.limited('counter', 1, 5), /LIMIT reached at 5/);
  assert.deepEqual(await client.shapes(), [1, 'two', 3, 1, null, [4, ['five']]]);
  await client.mset('a', '1', 'b', '2');
  assert.deepEqual(await client.gather(3, 'a', 'missing', 'b'), ['1', null, '2']);
  assert.equal(await client.peek('counter'), 1);
  const bytes = Buffer.from([0, 255, 128, 10, 13]);
  await client.set('bytes', bytes);
  assert.deepEqual(await client.rawBuffer('bytes'), bytes);

  await admin.script('FLUSH');
  assert.equal(await client.limited('other', 1, 5), 1);
  const results = await client.pipeline().limited('other', 1, 5).set('x', 'y').limited('other', 9, 5).raw('x').exec();
  assert.deepEqual(results.map(([error, value]) => error?.message ?? value), [2, 'OK', 'LIMIT reached at 2', 'y']);
  const outcome = await client.multi().limited('third', 1, 5).limited('third', 1, 5).exec();
  assert.deepEqual(outcome, [[null, 1], [null, 2]]);
  const many = await Promise.all(Array.from({ length: 500 }, () => client.limited('crowd', 1, 1000)));
  assert.equal(new Set(many).size, 500);
}

async function nodeRedis(name, { port, closing, client: admin }) {
  const { createClient, defineScript } = require(name);
  const limited = defineScript({
    NUMBER_OF_KEYS: 1,
    SCRIPT: LIMITED,
    FIRST_KEY_INDEX: 1,
    ...(name === 'redis4'
      ? { transformArguments: (key, by, most) => [key, String(by), String(most)] }
      : {
        parseCommand(parser, key, by, most) {
          parser.pushKey(key);
          parser.push(String(by), String(most));
        },
      }),
    transformReply: name === 'redis4' ? (reply) => Number(reply) : (reply) => Number(reply),
  });
  const client = closing(createClient({ socket: { port }, scripts: { limited } }), (it) => it.disconnect?.() ?? it.destroy());
  await client.connect();
  assert.equal(await client.limited('counter', 2, 5), 2);
  await assert.rejects(client.limited('counter', 4, 5), /LIMIT reached at 2/);
  await admin.script('FLUSH');
  assert.equal(await client.limited('counter', 1, 5), 3);
  assert.deepEqual(await client.multi().limited('m', 1, 5).limited('m', 1, 5).exec(), [1, 2]);
  assert.deepEqual(await client.eval(SHAPES), [1, 'two', 3, 1, null, [4, ['five']]]);
  assert.deepEqual(await client.eval('return {KEYS, ARGV}', { keys: ['k'], arguments: ['a', 'b'] }), [['k'], ['a', 'b']]);
  const sha = await client.scriptLoad('return ARGV[1]');
  assert.equal(await client.evalSha(sha, { arguments: ['echo'] }), 'echo');
  assert.deepEqual((await client.scriptExists([sha, 'f'.repeat(40)])).map(Number), [1, 0]);
}

async function functions({ client }) {
  const code = "#!lua name=counters\nredis.register_function('bump', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)\n"
    + "redis.register_function{function_name='peek', callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}}";
  assert.equal(await client.function('LOAD', code), 'counters');
  assert.equal(await client.fcall('bump', 1, 'n', 5), 5);
  assert.equal(await client.fcall_ro('peek', 1, 'n'), '5');
  await assert.rejects(client.fcall_ro('bump', 1, 'n', 1), /Can not execute a script with write flag using \*_ro command/);
  const [library] = await client.function('LIST');
  assert.equal(library[library.indexOf('library_name') + 1], 'counters');
  const dump = await client.functionBuffer('DUMP');
  await client.function('FLUSH');
  await assert.rejects(client.fcall('bump', 1, 'n', 1), /Function not found/);
  await client.function('RESTORE', dump);
  assert.equal(await client.fcall('bump', 1, 'n', 1), 6);
  await client.function('DELETE', 'counters');
}

export const flows = {
  'ioredis 5 defines commands': (context) => ioredis('ioredis5', context),
  'ioredis 6 defines commands': (context) => ioredis('ioredis6', context),
  'node-redis 4 defines scripts': (context) => nodeRedis('redis4', context),
  'node-redis 5 defines scripts': (context) => nodeRedis('redis5', context),
  'node-redis 6 defines scripts': (context) => nodeRedis('redis6', context),
  'functions are loaded, called, dumped and restored': functions,
};
