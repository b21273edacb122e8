import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomBelow, seededRandom } from '../../filter/seeded-random.ts';
import { unpackLznt1 } from './lznt1.ts';

/** Source: Microsoft, MS-XCA, section 3. */
const example = {
  packed:
    '38b0884623200020472041001 0a2470 1a0452044000845015079 00c04520052413880 5b4024a44ef0358028c09160148 4500be009e000401189000',
  text: 'F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D E F# G F# E D E A F# F# G A A G F# E D D E F# E D D\0',
};

test('the example of its specification is unpacked', () => {
  const target = new Uint8Array(4096);
  assert.equal(unpackLznt1(Buffer.from(example.packed.replaceAll(' ', ''), 'hex'), target), undefined);
  assert.equal(Buffer.from(target).toString('latin1').slice(0, example.text.length), example.text);
  assert.ok(target.subarray(example.text.length).every((byte) => byte === 0));
});

test('chunks that refer to what is not there, or are too long, are told', () => {
  const problemOf = (packed: string, room = 8192) => unpackLznt1(Buffer.from(packed, 'hex'), new Uint8Array(room));
  assert.match(problemOf('38b0')!, /chunk at byte 0 is cut off/);
  assert.match(problemOf('02b0010000')!, /refers to what is not there/);
  assert.match(problemOf('03b002410010')!, /refers to what is not there/);
  assert.match(problemOf('03b00241ff0f', 100)!, /more bytes than it may/);
  assert.match(problemOf('033041424344', 3)!, /has 4 bytes/);
  assert.equal(problemOf('0000ffff'), undefined);
});

test('any bytes unpack to something, or to what is wrong', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = seededRandom(seed);
  for (let round = 0; round < 500; round++) {
    const packed = Uint8Array.from({ length: 2 + randomBelow(random, 6000) }, () => randomBelow(random, 256));
    packed.set([0xff, 0xb4]);
    const problem = unpackLznt1(packed, new Uint8Array(65_536));
    assert.ok(problem === undefined || problem.length > 5, `seed ${seed}, round ${round}`);
  }
});
