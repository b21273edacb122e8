import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { StreamWire } from './stream-wire.ts';
import type { Wire, WireReceiver } from './wire.ts';

/** Takes few bytes at a time. */
class Receiver implements WireReceiver {
  readonly taken: number[] = [];
  isEnded = false;
  readonly #wire: Wire;
  readonly #space = new Uint8Array(3);
  readonly #pauseAt: number;

  constructor(wire: Wire, pauseAt: number) {
    this.#wire = wire;
    this.#pauseAt = pauseAt;
  }

  space(): Uint8Array {
    return this.#space;
  }

  received(length: number): void {
    this.taken.push(...this.#space.subarray(0, length));
    if (this.taken.length === this.#pauseAt) this.#wire.pause();
  }

  ended(): void {
    this.isEnded = true;
  }
}

function opened(pauseAt = -1): { near: Duplex; receiver: Receiver; wire: Wire } {
  const [near, far] = duplexPair();
  const wire = new StreamWire(far, new Uint8Array());
  const receiver = new Receiver(wire, pauseAt);
  wire.open(receiver);
  return { near, receiver, wire };
}

test('a stream wire gives what comes in the pieces that there is room for', async () => {
  const { near, receiver } = opened();
  near.write(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  await turn();
  assert.deepEqual(receiver.taken, [1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a stream wire that is paused in the middle of a piece gives the rest of it when it goes on', async () => {
  const { near, receiver, wire } = opened(3);
  near.write(Uint8Array.of(1, 2, 3, 4, 5));
  near.write(Uint8Array.of(6));
  await turn();
  assert.deepEqual(receiver.taken, [1, 2, 3]);
  wire.resume();
  await turn();
  assert.deepEqual(receiver.taken, [1, 2, 3, 4, 5, 6]);
});

test('a stream wire tells of its end, and ends', async () => {
  const { near, receiver, wire } = opened();
  const heard = near.toArray();
  wire.send(Uint8Array.of(9), () => undefined);
  wire.end();
  near.end();
  assert.deepEqual(Buffer.concat(await heard), Buffer.of(9));
  await turn();
  assert.equal(receiver.isEnded, true);
});
