// One interface over the clients, as thin as it can be: it calls each library's own typed methods, so that what the
// libraries make of the replies is tested too. Where they differ on purpose, a member says how (`flag`, `conflict`).
//
// Rows are commands written [name, ...args], the name being the command's in lower case ('object encoding').

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/// Each library, and each protocol that it can be told to speak; without one it speaks its default.
export const variants = ['redis4', 'redis5', 'redis5@3', 'redis6', 'redis6@2', 'ioredis5', 'ioredis6', 'ioredis6@2'];

const DEFAULT_PROTOCOL = { redis4: 2, redis5: 2, redis6: 3, ioredis5: 2, ioredis6: 3 };

/// Where the environment names a folder with certificates, connections are encrypted.
const folder = process.env.TLS_FOLDER;
const read = (name) => readFileSync(`${folder}/${name}`);
const tls = folder && { ca: read('ca.crt'), cert: read('client.crt'), key: read('client.key') };

/// Options: password, username, db, name (of the connection), lazy (return before it is connected).
export async function connect(variant, port, options = {}) {
  const [library, chosen] = variant.split('@');
  const identity = { variant, library, chosen: chosen && Number(chosen), port };
  const client = library.startsWith('io') ? new IoRedis(identity, options) : new NodeRedis(identity, options);
  if (!options.lazy) await client.open();
  return client;
}

class Client {
  constructor({ variant, library, chosen, port }) {
    this.variant = variant;
    this.library = library;
    this.chosen = chosen;
    this.port = port;
    this.protocol = chosen ?? DEFAULT_PROTOCOL[library];
    this.errors = [];
  }

  /// Erroneous events must have a listener, else they end the process.
  collectErrors() {
    this.native.on('error', (error) => this.errors.push(error));
  }
}

const CAMEL_CASE = Object.fromEntries([
  'bitCount', 'clientGetName', 'clientId', 'clientInfo', 'clientList', 'clientSetName', 'configGet', 'configSet',
  'dbSize', 'decrBy', 'expireAt', 'expireTime', 'flushAll', 'flushDb', 'getBit', 'getDel', 'getEx', 'getRange',
  'getSet', 'incrBy', 'incrByFloat', 'mGet', 'mSet', 'mSetNX', 'objectEncoding', 'pExpire', 'pExpireAt',
  'pExpireTime', 'pSetEx', 'pTTL', 'pubSubChannels', 'pubSubNumPat', 'pubSubNumSub', 'randomKey', 'renameNX',
  'sPublish', 'setBit', 'setEx', 'setNX', 'setRange', 'strLen',
].map((method) => [method.toLowerCase(), method]));

class NodeRedis extends Client {
  constructor(identity, options) {
    super(identity);
    this.lib = require(this.library);
    this.native = this.lib.createClient({
      url: `${tls ? 'rediss' : 'redis'}://127.0.0.1:${this.port}`,
      socket: { ...tls, reconnectStrategy: options.reconnect === false ? false : 20 },
      ...(this.chosen && { RESP: this.chosen }),
      ...(options.password !== undefined && { password: options.password }),
      ...(options.username !== undefined && { username: options.username }),
      ...(options.db !== undefined && { database: options.db }),
      ...(options.name !== undefined && { name: options.name }),
      ...(options.cache && { clientSideCache: options.cache }),
    });
    this.collectErrors();
  }

  async open() {
    await this.native.connect();
  }

  call(command, ...args) {
    return this.native[method(command)](...args);
  }

  raw(...args) {
    return this.native.sendCommand(args);
  }

  set(key, value, options = {}) {
    return this.native.set(key, value, options);
  }

  async getBuffer(key) {
    return this.buffers((client, ...first) => client.get(...first, key));
  }

  async mgetBuffer(keys) {
    return this.buffers((client, ...first) => client.mGet(...first, keys));
  }

  buffers(body) {
    const { commandOptions, RESP_TYPES } = this.lib;
    if (this.library === 'redis4') return body(this.native, commandOptions({ returnBuffers: true }));
    return body(this.native.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }));
  }

  /// What the library makes of 1 and 0 where they mean yes and no.
  flag(value) {
    return this.library === 'redis4' ? value : Number(value);
  }

  /// The command 'raw' takes the others' place where the library offers no method, or would not send what is wrong.
  chain(rows) {
    return rows.reduce((multi, [command, ...args]) => {
      return command === 'raw' ? multi.addCommand(args) : multi[method(command)](...args);
    }, this.native.multi());
  }

  /// MULTI, the rows, EXEC; rejects when one of them fails.
  transaction(rows) {
    return this.chain(rows).exec();
  }

  /// The outcome of each command, errors among them.
  async outcomes(rows) {
    try {
      return await this.transaction(rows);
    } catch (error) {
      if (!(error instanceof this.lib.MultiErrorReply)) throw error;
      return error.replies;
    }
  }

  watch(...keys) {
    return this.native.watch(keys);
  }

  unwatch() {
    return this.native.unwatch();
  }

  /// The transaction's results, or null when a watched key has changed.
  async attempt(rows) {
    try {
      return await this.transaction(rows);
    } catch (error) {
      if (!(error instanceof this.lib.WatchError)) throw error;
      return null;
    }
  }

  /// Commands sent together, without MULTI.
  pipeline(rows) {
    return Promise.all(rows.map(([command, ...args]) => this.call(command, ...args)));
  }

  /// Yields arrays of keys, as SCAN returned them.
  async *scan({ match, count, type } = {}) {
    const options = { ...(match && { MATCH: match }), ...(count && { COUNT: count }), ...(type && { TYPE: type }) };
    for await (const found of this.native.scanIterator(options)) {
      yield Array.isArray(found) ? found : [found];
    }
  }

  subscribe(channel, listener) {
    return this.native.subscribe(channel, listener);
  }

  subscribeBuffer(channel, listener) {
    return this.native.subscribe(channel, listener, true);
  }

  unsubscribe(channel) {
    return this.native.unsubscribe(channel);
  }

  psubscribe(pattern, listener) {
    return this.native.pSubscribe(pattern, listener);
  }

  punsubscribe(pattern) {
    return this.native.pUnsubscribe(pattern);
  }

  ssubscribe(channel, listener) {
    return this.native.sSubscribe(channel, listener);
  }

  sunsubscribe(channel) {
    return this.native.sUnsubscribe(channel);
  }

  select(db) {
    return this.native.select(db);
  }

  /// A settled end: what was sent is answered first.
  quit() {
    return this.native.quit();
  }

  /// An end at once.
  disconnect() {
    return this.library === 'redis4' ? this.native.disconnect() : this.native.destroy();
  }

  drop() {
    if (!this.native.isOpen) return;
    Promise.resolve(this.disconnect()).catch(() => {});
  }
}

function method(command) {
  const name = command.replaceAll(' ', '');
  return CAMEL_CASE[name] ?? name;
}

class IoRedis extends Client {
  constructor(identity, options) {
    super(identity);
    this.lib = require(this.library);
    this.native = new this.lib.Redis({
      host: '127.0.0.1',
      port: this.port,
      lazyConnect: true,
      ...(tls && { tls }),
      retryStrategy: options.reconnect === false ? () => null : () => 20,
      ...(this.chosen && { protocol: this.chosen }),
      ...(options.password !== undefined && { password: options.password }),
      ...(options.username !== undefined && { username: options.username }),
      ...(options.db !== undefined && { db: options.db }),
      ...(options.name !== undefined && { connectionName: options.name }),
    });
    this.listeners = new Map();
    this.collectErrors();
    this.native.on('message', (channel, message) => this.deliver(`message ${channel}`, message, channel));
    this.native.on('smessage', (channel, message) => this.deliver(`smessage ${channel}`, message, channel));
    this.native.on('pmessage', (pattern, channel, text) => this.deliver(`pmessage ${pattern}`, text, channel));
    this.native.on('messageBuffer', (channel, message) => this.deliver(`buffer ${channel}`, message, channel));
  }

  async open() {
    await this.native.connect();
  }

  call(command, ...args) {
    const [name, ...more] = command.split(' ');
    return this.native[name](...more, ...args);
  }

  raw(...args) {
    return this.native.call(...args);
  }

  set(key, value, options = {}) {
    return this.native.set(key, value, ...setArguments(options));
  }

  getBuffer(key) {
    return this.native.getBuffer(key);
  }

  mgetBuffer(keys) {
    return this.native.mgetBuffer(keys);
  }

  flag(value) {
    return Number(value);
  }

  chain(rows, start) {
    return rows.reduce((multi, [command, ...args]) => {
      const [name, ...more] = command === 'raw' ? ['call'] : command.split(' ');
      return multi[name](...more, ...args);
    }, start);
  }

  async transaction(rows) {
    const results = await this.attempt(rows);
    if (results === null) throw new Error('a watched key has changed');
    return results;
  }

  async outcomes(rows) {
    const pairs = await this.chain(rows, this.native.multi()).exec();
    return pairs.map(([error, value]) => error ?? value);
  }

  watch(...keys) {
    return this.native.watch(...keys);
  }

  unwatch() {
    return this.native.unwatch();
  }

  async attempt(rows) {
    return values(await this.chain(rows, this.native.multi()).exec());
  }

  async pipeline(rows) {
    return values(await this.chain(rows, this.native.pipeline()).exec());
  }

  async *scan({ match, count, type } = {}) {
    yield* this.native.scanStream({ ...(match && { match }), ...(count && { count }), ...(type && { type }) });
  }

  subscribe(channel, listener) {
    this.listeners.set(`message ${channel}`, listener);
    return this.native.subscribe(channel);
  }

  subscribeBuffer(channel, listener) {
    this.listeners.set(`buffer ${channel}`, listener);
    return this.native.subscribe(channel);
  }

  unsubscribe(channel) {
    return this.native.unsubscribe(channel);
  }

  psubscribe(pattern, listener) {
    this.listeners.set(`pmessage ${pattern}`, listener);
    return this.native.psubscribe(pattern);
  }

  punsubscribe(pattern) {
    return this.native.punsubscribe(pattern);
  }

  ssubscribe(channel, listener) {
    this.listeners.set(`smessage ${channel}`, listener);
    return this.native.ssubscribe(channel);
  }

  sunsubscribe(channel) {
    return this.native.sunsubscribe(channel);
  }

  deliver(key, message, channel) {
    this.listeners.get(key)?.(message, channel);
  }

  select(db) {
    return this.native.select(db);
  }

  quit() {
    return this.native.quit();
  }

  disconnect() {
    this.native.disconnect();
  }

  drop() {
    this.native.disconnect();
  }
}

/// The pairs of a map, which the libraries return as an object, a Map or a flat array.
export function entries(reply) {
  if (reply instanceof Map) return Object.fromEntries(reply);
  if (!Array.isArray(reply)) return { ...reply };
  return Object.fromEntries(reply.flatMap((_, index) => (index % 2 ? [] : [[reply[index], reply[index + 1]]])));
}

function setArguments({ NX, XX, GET, KEEPTTL, ...expiry }) {
  const flags = Object.entries({ NX, XX, GET, KEEPTTL }).filter(([, given]) => given).map(([flag]) => flag);
  return [...Object.entries(expiry).flat(), ...flags];
}

/// ioredis reports [error, value] for each command; null when EXEC returned null.
function values(pairs) {
  if (pairs === null) return null;
  return pairs.map(([error, value]) => {
    if (error) throw error;
    return value;
  });
}
