// Error replies, as each library surfaces them.

import assert from 'node:assert/strict';

/// The error that a library throws for an error reply: its class, its name, its text.
async function thrown(client, promise) {
  const error = await promise.then(() => assert.fail('no error'), (error) => error);
  const expected = client.library.startsWith('io') ? client.lib.ReplyError : client.lib.ErrorReply;
  assert.ok(error instanceof expected, `${error.constructor.name} is the library's class of replies`);
  return error.message;
}

export const flows = {
  'not an integer': async ({ client }) => {
    await client.set('text', 'abc');
    for (const [command, ...args] of [['incr'], ['decr'], ['incrby', 5], ['decrby', 5]]) {
      const message = await thrown(client, client.call(command, 'text', ...args));
      assert.equal(message, 'ERR value is not an integer or out of range');
    }
    assert.equal(await thrown(client, client.call('incrbyfloat', 'text', 1)), 'ERR value is not a valid float');
    assert.equal(await client.call('get', 'text'), 'abc');
  },

  'unknown commands and wrong arity': async ({ client }) => {
    assert.match(await thrown(client, client.raw('NOSUCHCOMMAND', 'a b')),
      /^ERR unknown command 'NOSUCHCOMMAND', with args beginning with: 'a b' ?$/);
    assert.equal(await thrown(client, client.raw('GET')), "ERR wrong number of arguments for 'get' command");
    assert.equal(await thrown(client, client.raw('SET', 'key', 'x', 'EX')), 'ERR syntax error');
    assert.equal(await thrown(client, client.raw('SET', 'key', 'x', 'NX', 'XX')), 'ERR syntax error');
    assert.equal(await thrown(client, client.raw('SET', 'key', 'x', 'EX', '0')),
      "ERR invalid expire time in 'set' command");
    assert.match(await thrown(client, client.raw('CLIENT', 'NOSUCH')), /^ERR unknown subcommand 'NOSUCH'\. Try CLIENT/);
  },

  'an error amid others hurts nobody': async ({ client }) => {
    await client.set('text', 'abc');
    const settled = await Promise.allSettled([
      client.set('a', '1'), client.call('incr', 'text'), client.call('get', 'a'), client.raw('NOSUCH'),
      client.call('incr', 'a'),
    ]);
    assert.deepEqual(settled.map(({ status, value }) => [status, value]), [
      ['fulfilled', 'OK'], ['rejected', undefined], ['fulfilled', '1'], ['rejected', undefined], ['fulfilled', 2],
    ]);
  },

  'line breaks in arguments do not break the reply': async ({ client }) => {
    const message = await thrown(client, client.raw('NO\r\nSUCH', 'a\r\n+OK\r\n'));
    assert.match(message, /^ERR unknown command 'NO {2}SUCH'/);
    assert.equal(await client.call('ping'), 'PONG');
  },

  'EXEC and DISCARD without MULTI': async ({ client }) => {
    assert.equal(await thrown(client, client.raw('EXEC')), 'ERR EXEC without MULTI');
    assert.equal(await thrown(client, client.raw('DISCARD')), 'ERR DISCARD without MULTI');
  },
};
