// Each data type through each library's own methods: what the libraries make of the replies, typed.
//
// A row is [method, arguments, expected]. What the versions of a library make differently of the same reply, `by` tells
// apart. That 1 and true, null and undefined, Map and object mean the same is not tested here.

import assert from 'node:assert/strict';
import { until } from '../wait.mjs';

const by = (cases, rest) => ({ __by: cases, rest });

function plain(value) {
  if (value === undefined) return null;
  if (typeof value === 'boolean') return Number(value);
  if (value instanceof Map) return plain(Object.fromEntries(value));
  if (value instanceof Set) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
  }
  return value;
}

function expectedFor(client, expected) {
  if (!expected?.__by) return expected;
  return client.variant in expected.__by ? expected.__by[client.variant] : expected.rest;
}

const isIo = (client) => client.library.startsWith('io');

/// Members of sets come in no order.
const inOrder = (value) => (Array.isArray(value) ? [...value].sort() : value);
const UNORDERED = new Set(['sMembers', 'sInter', 'sUnion', 'sDiff', 'smembers', 'sinter', 'sunion', 'sdiff', 'hKeys', 'hkeys']);

async function run(client, { node, io }) {
  for (const [method, args, expected] of isIo(client) ? io : node) {
    const found = plain(await client.native[method](...args));
    const label = `${method} ${JSON.stringify(args)}`;
    const sort = UNORDERED.has(method) ? inOrder : (value) => value;
    assert.deepEqual(sort(found), sort(expectedFor(client, expected)), label);
  }
}

const MESSAGE = { id: '1-1', message: { f: 'v', g: 'w' } };
const ENTRY = ['1-1', ['f', 'v', 'g', 'w']];
const STREAM = [{ name: 'x', messages: [MESSAGE] }];
const PALERMO = { longitude: 13.361389, latitude: 38.115556, member: 'Palermo' };
const CATANIA = { longitude: 15.087269, latitude: 37.502669, member: 'Catania' };
const FOUND = [13.361389338970184, 38.1155563954963];
const FOUND_TEXT = ['13.36138933897018433', '38.11555639549629859'];
const place = ([longitude, latitude]) => [{ longitude, latitude }, null];

const HASHES = {
  node: [
    ['hSet', ['h', { a: '1', b: 'x' }], 2],
    ['hGetAll', ['h'], { a: '1', b: 'x' }],
    ['hGetAll', ['none'], {}],
    ['hGet', ['h', 'z'], null],
    ['hmGet', ['h', ['a', 'z']], ['1', null]],
    ['hExists', ['h', 'a'], 1],
    ['hIncrBy', ['h', 'a', 5], 6],
    ['hIncrByFloat', ['h', 'a', 0.5], '6.5'],
    ['hKeys', ['h'], ['a', 'b']],
    ['hLen', ['h'], 2],
    ['hStrLen', ['h', 'a'], 3],
    ['hScan', ['h', '0'], by(
      { redis4: { cursor: 0, tuples: [{ field: 'a', value: '6.5' }, { field: 'b', value: 'x' }] } },
      { cursor: '0', entries: [{ field: 'a', value: '6.5' }, { field: 'b', value: 'x' }] },
    )],
    ['hRandFieldCountWithValues', ['h', 5], by(
      { redis4: { a: '6.5', b: 'x' } },
      [{ field: 'a', value: '6.5' }, { field: 'b', value: 'x' }],
    )],
    ['hSetNX', ['h', 'a', '9'], 0],
    ['hDel', ['h', ['a', 'q']], 1],
  ],
  io: [
    ['hset', ['h', { a: '1', b: 'x' }], 2],
    ['hgetall', ['h'], { a: '1', b: 'x' }],
    ['hgetall', ['none'], {}],
    ['hget', ['h', 'z'], null],
    ['hmget', ['h', ['a', 'z']], ['1', null]],
    ['hexists', ['h', 'a'], 1],
    ['hincrby', ['h', 'a', 5], 6],
    ['hincrbyfloat', ['h', 'a', 0.5], '6.5'],
    ['hkeys', ['h'], ['a', 'b']],
    ['hlen', ['h'], 2],
    ['hstrlen', ['h', 'a'], 3],
    ['hscan', ['h', '0'], ['0', ['a', '6.5', 'b', 'x']]],
    ['hrandfield', ['h', 5, 'WITHVALUES'], ['a', '6.5', 'b', 'x']],
    ['hsetnx', ['h', 'a', '9'], 0],
    ['hdel', ['h', ['a', 'q']], 1],
  ],
};

const LISTS = {
  node: [
    ['rPush', ['l', ['a', 'b', 'c']], 3],
    ['lRange', ['l', 0, -1], ['a', 'b', 'c']],
    ['lIndex', ['l', 9], null],
    ['lPos', ['l', 'z'], null],
    ['lPos', ['l', 'b'], 1],
    ['lPopCount', ['l', 2], ['a', 'b']],
    ['lMove', ['l', 'm', 'LEFT', 'RIGHT'], 'c'],
    ['lPop', ['none'], null],
    ['lmPop', [['l', 'm'], 'LEFT'], ['m', ['c']]],
    ['lmPop', [['l', 'm'], 'LEFT'], null],
    ['lInsert', ['l', 'BEFORE', 'x', 'y'], 0],
  ],
  io: [
    ['rpush', ['l', ['a', 'b', 'c']], 3],
    ['lrange', ['l', 0, -1], ['a', 'b', 'c']],
    ['lindex', ['l', 9], null],
    ['lpos', ['l', 'z'], null],
    ['lpos', ['l', 'b'], 1],
    ['lpop', ['l', 2], ['a', 'b']],
    ['lmove', ['l', 'm', 'LEFT', 'RIGHT'], 'c'],
    ['lpop', ['none'], null],
    ['lmpop', [2, 'l', 'm', 'LEFT'], ['m', ['c']]],
    ['lmpop', [2, 'l', 'm', 'LEFT'], null],
    ['linsert', ['l', 'BEFORE', 'x', 'y'], 0],
  ],
};

const SETS = {
  node: [
    ['sAdd', ['s', ['1', '2', 'x']], 3],
    ['sAdd', ['t', ['2', 'y']], 2],
    ['sMembers', ['s'], ['1', '2', 'x']],
    ['sMembers', ['none'], []],
    ['sIsMember', ['s', '1'], 1],
    ['smIsMember', ['s', ['1', '9']], [1, 0]],
    ['sInter', [['s', 't']], ['2']],
    ['sUnion', [['s', 't']], ['1', '2', 'x', 'y']],
    ['sDiff', [['s', 't']], ['1', 'x']],
    ['sCard', ['s'], 3],
    ['sInterCard', [['s', 't']], 1],
    ['sUnionStore', ['u', ['s', 't']], 4],
    ['sMove', ['s', 't', 'x'], 1],
    ['sPop', ['none'], null],
    ['sort', ['s', { DIRECTION: 'DESC' }], ['2', '1']],
  ],
  io: [
    ['sadd', ['s', ['1', '2', 'x']], 3],
    ['sadd', ['t', ['2', 'y']], 2],
    ['smembers', ['s'], ['1', '2', 'x']],
    ['smembers', ['none'], []],
    ['sismember', ['s', '1'], 1],
    ['smismember', ['s', ['1', '9']], [1, 0]],
    ['sinter', [['s', 't']], ['2']],
    ['sunion', [['s', 't']], ['1', '2', 'x', 'y']],
    ['sdiff', [['s', 't']], ['1', 'x']],
    ['scard', ['s'], 3],
    ['sintercard', [2, 's', 't'], 1],
    ['sunionstore', ['u', 's', 't'], 4],
    ['smove', ['s', 't', 'x'], 1],
    ['spop', ['none'], null],
    ['sort', ['s', 'DESC'], ['2', '1']],
  ],
};

const SORTED_SETS = {
  node: [
    ['zAdd', ['z', [{ score: 1, value: 'a' }, { score: 2.5, value: 'b' }]], 2],
    ['zRangeWithScores', ['z', 0, -1], [{ value: 'a', score: 1 }, { value: 'b', score: 2.5 }]],
    ['zScore', ['z', 'b'], 2.5],
    ['zScore', ['z', 'q'], null],
    ['zmScore', ['z', ['a', 'q']], [1, null]],
    ['zRank', ['z', 'b'], 1],
    ['zRank', ['z', 'q'], null],
    ['zIncrBy', ['z', 1.25, 'a'], 2.25],
    ['zRange', ['z', '-inf', '+inf', { BY: 'SCORE' }], ['a', 'b']],
    ['zCount', ['z', '(2.25', '+inf'], 1],
    ['zPopMin', ['z'], { value: 'a', score: 2.25 }],
    ['zPopMinCount', ['z', 3], [{ value: 'b', score: 2.5 }]],
    ['zPopMin', ['z'], null],
    ['zAdd', ['z', [{ score: Infinity, value: 'i' }]], 1],
    // node-redis 4 does not know the word for it over RESP2.
    ['zScore', ['z', 'i'], by({ redis4: NaN }, Infinity)],
    ['zUnionWithScores', [['z', 'z']], by({ redis4: [{ value: 'i', score: NaN }] }, [{ value: 'i', score: Infinity }])],
    ['zScan', ['z', '0'], by(
      { redis4: { cursor: 0, members: [{ value: 'i', score: NaN }] } },
      { cursor: '0', members: [{ value: 'i', score: Infinity }] },
    )],
  ],
  io: [
    ['zadd', ['z', 1, 'a', 2.5, 'b'], 2],
    ['zrange', ['z', 0, -1, 'WITHSCORES'], ['a', '1', 'b', '2.5']],
    ['zscore', ['z', 'b'], '2.5'],
    ['zscore', ['z', 'q'], null],
    ['zmscore', ['z', ['a', 'q']], ['1', null]],
    ['zrank', ['z', 'b'], 1],
    ['zrank', ['z', 'q'], null],
    ['zincrby', ['z', 1.25, 'a'], '2.25'],
    ['zrange', ['z', '-inf', '+inf', 'BYSCORE'], ['a', 'b']],
    ['zcount', ['z', '(2.25', '+inf'], 1],
    ['zpopmin', ['z'], ['a', '2.25']],
    ['zpopmin', ['z', 3], ['b', '2.5']],
    ['zpopmin', ['z'], []],
    ['zadd', ['z', 'inf', 'i'], 1],
    ['zscore', ['z', 'i'], 'inf'],
    ['zunion', [2, 'z', 'z', 'WITHSCORES'], ['i', 'inf']],
    ['zscan', ['z', '0'], ['0', ['i', 'inf']]],
  ],
};

const STREAMS = {
  node: [
    ['xAdd', ['x', '1-1', { f: 'v', g: 'w' }], '1-1'],
    ['xLen', ['x'], 1],
    ['xRange', ['x', '-', '+'], [MESSAGE]],
    ['xRead', [{ key: 'x', id: '0' }], STREAM],
    ['xRead', [{ key: 'x', id: '9' }], null],
    ['xGroupCreate', ['x', 'g', '0'], 'OK'],
    ['xReadGroup', ['g', 'me', { key: 'x', id: '>' }], by({ 'redis5@3': { x: [ENTRY] } }, STREAM)],
    ['xReadGroup', ['g', 'me', { key: 'x', id: '>' }], null],
    ['xPending', ['x', 'g'], {
      pending: 1, firstId: '1-1', lastId: '1-1', consumers: [{ name: 'me', deliveriesCounter: 1 }],
    }],
    ['xAck', ['x', 'g', ['1-1']], 1],
    ['xInfoGroups', ['x'], by(
      { redis4: [{ name: 'g', consumers: 1, pending: 0, lastDeliveredId: '1-1' }] },
      [{ name: 'g', consumers: 1, pending: 0, 'last-delivered-id': '1-1', 'entries-read': 1, lag: 0 }],
    )],
    ['xAutoClaim', ['x', 'g', 'me', 0, '0'], by(
      { redis4: { nextId: '0-0', messages: [] } },
      { nextId: '0-0', messages: [], deletedMessages: [] },
    )],
    ['xTrim', ['x', 'MAXLEN', 0], 1],
  ],
  io: [
    ['xadd', ['x', '1-1', 'f', 'v', 'g', 'w'], '1-1'],
    ['xlen', ['x'], 1],
    ['xrange', ['x', '-', '+'], [ENTRY]],
    ['xread', ['STREAMS', 'x', '0'], [['x', [ENTRY]]]],
    ['xread', ['STREAMS', 'x', '9'], null],
    ['xgroup', ['CREATE', 'x', 'g', '0'], 'OK'],
    ['xreadgroup', ['GROUP', 'g', 'me', 'STREAMS', 'x', '>'], [['x', [ENTRY]]]],
    ['xreadgroup', ['GROUP', 'g', 'me', 'STREAMS', 'x', '>'], null],
    ['xpending', ['x', 'g'], [1, '1-1', '1-1', [['me', '1']]]],
    ['xack', ['x', 'g', '1-1'], 1],
    ['xinfo', ['GROUPS', 'x'], [
      ['name', 'g', 'consumers', 1, 'pending', 0, 'last-delivered-id', '1-1', 'entries-read', 1, 'lag', 0],
    ]],
    ['xautoclaim', ['x', 'g', 'me', 0, '0'], ['0-0', [], []]],
    ['xtrim', ['x', 'MAXLEN', 0], 1],
  ],
};

const PLACES = {
  node: [
    ['geoAdd', ['geo', [PALERMO, CATANIA]], 2],
    ['geoDist', ['geo', 'Palermo', 'Catania', 'km'], 166.2742],
    ['geoDist', ['geo', 'Palermo', 'no'], null],
    ['geoPos', ['geo', ['Palermo', 'no']], by(
      { 'redis5@3': place(FOUND), redis6: place(FOUND) },
      place(FOUND_TEXT),
    )],
    ['geoHash', ['geo', ['Palermo']], ['sqc8b49rny0']],
    ['geoSearch', ['geo', 'Palermo', { radius: 200, unit: 'km' }, { SORT: 'ASC' }], ['Palermo', 'Catania']],
    ['geoSearchWith', ['geo', 'Palermo', { radius: 200, unit: 'km' }, ['WITHDIST'], { SORT: 'ASC' }], by(
      Object.fromEntries(['redis6', 'redis6@2'].map((variant) => [
        variant, [{ member: 'Palermo', distance: 0 }, { member: 'Catania', distance: 166.2742 }],
      ])),
      [{ member: 'Palermo', distance: '0.0000' }, { member: 'Catania', distance: '166.2742' }],
    )],
  ],
  io: [
    ['geoadd', ['geo', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania'], 2],
    ['geodist', ['geo', 'Palermo', 'Catania', 'km'], '166.2742'],
    ['geodist', ['geo', 'Palermo', 'no'], null],
    ['geopos', ['geo', 'Palermo', 'no'], [FOUND_TEXT, null]],
    ['geohash', ['geo', 'Palermo'], ['sqc8b49rny0']],
    ['geosearch', ['geo', 'FROMMEMBER', 'Palermo', 'BYRADIUS', 200, 'km', 'ASC'], ['Palermo', 'Catania']],
    ['geosearch', ['geo', 'FROMMEMBER', 'Palermo', 'BYRADIUS', 200, 'km', 'ASC', 'WITHDIST'],
      [['Palermo', '0.0000'], ['Catania', '166.2742']]],
  ],
};

const BITS = {
  node: [
    ['setBit', ['b', 7, 1], 0],
    ['getBit', ['b', 7], 1],
    ['bitCount', ['b'], 1],
    ['bitPos', ['b', 1], 7],
    ['bitField', ['b', [
      { operation: 'INCRBY', encoding: 'u8', offset: 0, increment: 300 },
      { operation: 'GET', encoding: 'u4', offset: 4 },
    ]], [45, 13]],
    ['bitOp', ['NOT', 'n', 'b'], 1],
    ['pfAdd', ['hll', ['a', 'b']], 1],
    ['pfAdd', ['hll', ['a', 'b']], 0],
    ['pfCount', ['hll'], 2],
    ['pfMerge', ['merged', ['hll']], 'OK'],
  ],
  io: [
    ['setbit', ['b', 7, 1], 0],
    ['getbit', ['b', 7], 1],
    ['bitcount', ['b'], 1],
    ['bitpos', ['b', 1], 7],
    ['bitfield', ['b', 'INCRBY', 'u8', 0, 300, 'GET', 'u4', 4], [45, 13]],
    ['bitop', ['NOT', 'n', 'b'], 1],
    ['pfadd', ['hll', ['a', 'b']], 1],
    ['pfadd', ['hll', ['a', 'b']], 0],
    ['pfcount', ['hll'], 2],
    ['pfmerge', ['merged', 'hll'], 'OK'],
  ],
};

/// [method, arguments, what is sent meanwhile, expected]
const WAITS = {
  node: [
    ['blPop', ['q', 0], ['RPUSH', 'q', 'a', 'b'], { key: 'q', element: 'a' }],
    ['brPop', [['p', 'r'], 0], ['RPUSH', 'r', 'z'], { key: 'r', element: 'z' }],
    ['blMove', ['from', 'to', 'LEFT', 'RIGHT', 0], ['RPUSH', 'from', 'm'], 'm'],
    ['blmPop', [0, ['one', 'two'], 'LEFT', { COUNT: 2 }], ['RPUSH', 'two', 'a', 'b', 'c'], ['two', ['a', 'b']]],
    ['bzPopMin', ['z', 0], ['ZADD', 'z', '1.5', 'a'], { key: 'z', value: 'a', score: 1.5 }],
    ['xRead', [{ key: 'x', id: '$' }, { BLOCK: 0 }], ['XADD', 'x', '1-1', 'f', 'v', 'g', 'w'], STREAM],
    ['blPop', ['none', 0.05], null, null],
    ['bzPopMax', ['none', 0.05], null, null],
  ],
  io: [
    ['blpop', ['q', 0], ['RPUSH', 'q', 'a', 'b'], ['q', 'a']],
    ['brpop', ['p', 'r', 0], ['RPUSH', 'r', 'z'], ['r', 'z']],
    ['blmove', ['from', 'to', 'LEFT', 'RIGHT', 0], ['RPUSH', 'from', 'm'], 'm'],
    ['blmpop', [0, 2, 'one', 'two', 'LEFT', 'COUNT', 2], ['RPUSH', 'two', 'a', 'b', 'c'], ['two', ['a', 'b']]],
    ['bzpopmin', ['z', 0], ['ZADD', 'z', '1.5', 'a'], ['z', 'a', '1.5']],
    ['xread', ['BLOCK', 0, 'STREAMS', 'x', '$'], ['XADD', 'x', '1-1', 'f', 'v', 'g', 'w'], [['x', [ENTRY]]]],
    ['blpop', ['none', 0.05], null, null],
    ['bzpopmax', ['none', 0.05], null, null],
  ],
};

/// node-redis 5 refuses XREAD over RESP3.
const isRefused = (client, [method]) => client.variant === 'redis5@3' && method === 'xRead';

async function waits({ client, open }) {
  const second = await open();
  for (const row of isIo(client) ? WAITS.io : WAITS.node) {
    if (isRefused(client, row)) continue;
    const [method, args, meanwhile, expected] = row;
    const waiting = second.native[method](...args);
    if (meanwhile) {
      await until('the other waits', async () => (await client.raw('INFO', 'clients')).includes('blocked_clients:1'));
      await client.raw(...meanwhile);
    }
    assert.deepEqual(plain(await waiting), expected, `${method} ${JSON.stringify(args)}`);
  }
}

export const flows = {
  'hashes': ({ client }) => run(client, HASHES),
  'lists': ({ client }) => run(client, LISTS),
  'sets': ({ client }) => run(client, SETS),
  'sorted sets': ({ client }) => run(client, SORTED_SETS),
  'streams and groups': ({ client }) => {
    const node = STREAMS.node.filter((row) => !isRefused(client, row));
    return run(client, { ...STREAMS, node });
  },
  'places': ({ client }) => run(client, PLACES),
  'bits and estimates': ({ client }) => run(client, BITS),
  'blocking commands on a second connection': waits,
};
