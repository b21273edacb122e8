import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RequestInput } from './request-input.ts';

/** What happens to an input: bytes come in, a request is taken, or the arena is still in use and is given away. */
const step = fc.oneof(
  fc.record({ kind: fc.constant('receive' as const), length: fc.integer({ min: 1, max: 200_000 }) }),
  fc.record({ kind: fc.constant('take' as const), length: fc.integer({ min: 1, max: 100_000 }) }),
  fc.record({ kind: fc.constant('give away' as const), isTakenBack: fc.boolean() }),
);

test('an input gives the bytes in their order, whatever comes when', () => {
  const run = (steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[]): void => {
    const input = new RequestInput();
    let written = 0;
    let read = 0;
    // As a socket does, which has the space for its next bytes before it is known when they come.
    let space = input.space();
    for (const each of steps) {
      if (each.kind === 'receive') {
        const count = Math.min(each.length, space.length);
        for (let index = 0; index < count; index += 1) space[index] = byteAt(written + index);
        input.received(count);
        written += count;
        // Requests longer than what is there are taken, too, when the rest has come.
        if (input.length > 50_000) read += taken(input, input.length - 7, read);
        space = input.space();
        assert.notEqual(space.length, 0);
      } else if (each.kind === 'take') {
        input.require(each.length);
        if (input.length >= each.length) read += taken(input, each.length, read);
      } else {
        const arena = input.giveAway();
        if (each.isTakenBack) input.takeBack(arena);
      }
      assert.equal(input.length, written - read);
    }
    taken(input, input.length, read);
  };
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), run), { numRuns: 60 });
});

function taken(input: RequestInput, length: number, read: number): number {
  for (let index = 0; index < length; index += 1) {
    if (input.bytes[input.position + index] !== byteAt(read + index)) assert.fail(`byte ${read + index} is another`);
  }
  input.take(length);
  return length;
}

function byteAt(index: number): number {
  return (index * 31 + (index >> 8)) & 0xff;
}

test('what is given away stays as it is', () => {
  const input = new RequestInput();
  input.append(new Uint8Array(1000).fill(1));
  input.take(600);
  const arena = input.giveAway();
  for (let round = 0; round < 100; round += 1) {
    const space = input.space().fill(2);
    input.received(space.length);
    input.take(input.length);
  }
  assert.deepEqual(arena.subarray(0, 1000), new Uint8Array(1000).fill(1));
});

test('bytes that came before the arena was given away end up behind those that came before them', () => {
  const input = new RequestInput();
  input.append(Uint8Array.of(1, 2, 3));
  const space = input.space();
  input.take(1);
  input.giveAway();
  space.set([4, 5]);
  input.received(2);
  assert.deepEqual([...input.bytes.subarray(input.position, input.position + input.length)], [2, 3, 4, 5]);
});

test('the arena grows for what has to be there in whole', () => {
  const input = new RequestInput();
  input.append(Uint8Array.of(7));
  input.require(200_000);
  while (input.length < 200_000) {
    const { length } = input.space();
    assert.notEqual(length, 0);
    input.received(length);
  }
  assert.equal(input.bytes[input.position], 7);
});
