// Passwords. Each flow sets one on the running server and removes it in the end.

import assert from 'node:assert/strict';

const PASSWORD = 'correct horse battery staple';

async function protectedServer(client, body) {
  await client.raw('CONFIG', 'SET', 'requirepass', PASSWORD);
  try {
    await body();
  } finally {
    await client.raw('CONFIG', 'SET', 'requirepass', '');
  }
}

/// What a client with these options reports, whether it does so when it connects or at its first command.
async function complaint(open, options) {
  const client = await open({ ...options, reconnect: false, lazy: true });
  const reasons = [];
  await client.open().catch((error) => reasons.push(error.message));
  await client.call('get', 'key').catch((error) => reasons.push(error.message));
  reasons.push(...client.errors.map((error) => error.message));
  assert.notDeepEqual(reasons, []);
  return reasons.join('\n');
}

export const flows = {
  'the right password': ({ client, open }) => protectedServer(client, async () => {
    const member = await open({ password: PASSWORD });
    assert.equal(await member.set('key', 'x'), 'OK');
    const named = await open({ username: 'default', password: PASSWORD });
    assert.equal(await named.call('get', 'key'), 'x');
  }),

  'the wrong password': ({ client, open }) => protectedServer(client, async () => {
    assert.match(await complaint(open, { password: 'guess' }), /WRONGPASS invalid username-password pair/);
    assert.match(await complaint(open, { username: 'nobody', password: PASSWORD }), /WRONGPASS/);
  }),

  'no password': ({ client, open }) => protectedServer(client, async () => {
    assert.match(await complaint(open, {}), /NOAUTH/);
  }),

  'a password changes under way': ({ client, open }) => protectedServer(client, async () => {
    const member = await open({ password: PASSWORD });
    await client.raw('CONFIG', 'SET', 'requirepass', 'another');
    assert.equal(await member.set('key', 'x'), 'OK', 'who is in stays in');
    assert.match(await complaint(open, { password: PASSWORD }), /WRONGPASS/);
    const newcomer = await open({ password: 'another' });
    assert.equal(await newcomer.call('get', 'key'), 'x');
  }),

  'a user with few rights': async ({ client, open }) => {
    await client.raw('ACL', 'SETUSER', 'ann', 'reset', 'on', `>${PASSWORD}`, '~own:*', '+@all', '-@dangerous', '&news');
    try {
      const ann = await open({ username: 'ann', password: PASSWORD });
      assert.equal(await ann.raw('ACL', 'WHOAMI'), 'ann');
      assert.equal(await ann.set('own:key', 'x'), 'OK');
      const refused = (...words) => ann.raw(...words).then(() => 'allowed', (error) => error.message);
      assert.match(await refused('GET', 'key'), /^NOPERM No permissions to access a key/);
      assert.match(await refused('FLUSHALL'), /^NOPERM User ann has no permissions to run the 'flushall' command/);
      assert.match(await refused('PUBLISH', 'other', 'x'), /^NOPERM No permissions to access a channel/);
      assert.equal(await client.raw('ACL', 'SETUSER', 'ann', 'allkeys'), 'OK');
      assert.equal(await refused('GET', 'key'), 'allowed');
      assert.match(await complaint(open, { username: 'ann', password: 'guess' }), /WRONGPASS/);
    } finally {
      await client.raw('ACL', 'DELUSER', 'ann');
    }
  },

  'a password nobody asked for': async ({ client }) => {
    await assert.rejects(client.raw('AUTH', 'x'), /ERR AUTH <password> called without any password configured/);
    assert.equal(await client.raw('AUTH', 'default', 'x').catch((error) => error.message), 'OK');
  },
};
