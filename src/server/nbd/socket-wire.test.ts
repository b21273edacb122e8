import assert from 'node:assert/strict';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SocketWire } from './socket-wire.ts';
import type { WireReceiver } from './wire.ts';

const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));

let socketCount = 0;

/** Both ends of a connection: the near one as a server gets it, paused. */
async function connected(): Promise<{ near: net.Socket; far: net.Socket; server: net.Server }> {
  socketCount += 1;
  const path = join(directory, `${socketCount}.sock`);
  const accepted = Promise.withResolvers<net.Socket>();
  const server = net.createServer({ pauseOnConnect: true }, accepted.resolve);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const far = net.connect(path);
  return { near: await accepted.promise, far, server };
}

class Receiver implements WireReceiver {
  readonly taken: number[] = [];
  readonly ends = Promise.withResolvers<void>();
  readonly #space = new Uint8Array(4);
  readonly #wanted: number;
  readonly #whole = Promise.withResolvers<void>();

  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  get whole(): Promise<void> {
    return this.#whole.promise;
  }

  space(): Uint8Array {
    return this.#space;
  }

  received(length: number): void {
    this.taken.push(...this.#space.subarray(0, length));
    if (this.taken.length >= this.#wanted) this.#whole.resolve();
  }

  ended(): void {
    this.ends.resolve();
  }
}

test("a server's socket is taken over, with what came before", async () => {
  const { far, near, server } = await connected();
  far.write(Uint8Array.of(1, 2, 3));
  // Has it read by the stream, as a handshake does.
  await new Promise<void>((resolve) => near.once('readable', resolve));
  const wire = SocketWire.takeOver(near, Uint8Array.of(0)) ?? assert.fail('it was not taken over');
  assert.deepEqual([...wire.early], [0, 1, 2, 3]);
  assert.equal(near.destroyed, true);
  const receiver = new Receiver(9);
  wire.open(receiver);
  far.write(Uint8Array.of(4, 5, 6, 7, 8, 9, 10, 11, 12));
  await receiver.whole;
  assert.deepEqual(receiver.taken, [4, 5, 6, 7, 8, 9, 10, 11, 12]);
  const heard = far.toArray();
  assert.equal(wire.sendNow(Uint8Array.of(20, 21)), 2);
  wire.send(Uint8Array.of(22), () => undefined);
  wire.end();
  assert.deepEqual(Buffer.concat(await heard), Buffer.of(20, 21, 22));
  server.close();
});

test('a socket wire that is destroyed writes to no descriptor any more', async () => {
  const { far, near, server } = await connected();
  const wire = SocketWire.takeOver(near, new Uint8Array()) ?? assert.fail('it was not taken over');
  const receiver = new Receiver(1);
  wire.open(receiver);
  wire.destroy();
  assert.equal(wire.sendNow(Uint8Array.of(1)), 0);
  await receiver.ends.promise;
  far.destroy();
  server.close();
});

test('a file is sent in order with bytes, as far as the socket takes it, and a wire that is destroyed sends none', async () => {
  const { far, near, server } = await connected();
  const wire = SocketWire.takeOver(near, new Uint8Array()) ?? assert.fail('it was not taken over');
  const receiver = new Receiver(1);
  wire.open(receiver);
  const content = new Uint8Array(2 ** 23).map((_, index) => index % 251);
  const path = join(directory, 'content');
  await writeFile(path, content);
  await using file = await open(path);
  far.pause();
  assert.equal(wire.sendNow(Uint8Array.of(1, 2)), 2);
  assert.equal(wire.sendFileNow(file.fd, 100, 10), 10);
  assert.equal(wire.sendFileNow(file.fd, content.length - 5, 10), 5, 'no more than it has');
  const sent = wire.sendFileNow(file.fd, 0, content.length);
  assert.ok(sent > 0 && sent < content.length, `${sent} bytes for a client that takes none`);
  wire.send(Uint8Array.of(3), () => undefined);
  assert.equal(wire.sendFileNow(file.fd, 0, 10), 0, 'nothing overtakes what waits');
  const heard = far.toArray();
  const parts = [Uint8Array.of(1, 2), content.subarray(100, 110), content.subarray(-5), content.subarray(0, sent)];
  wire.end();
  assert.ok(Buffer.concat(await heard).equals(Buffer.concat([...parts, Uint8Array.of(3)])));
  await receiver.ends.promise;
  wire.destroy();
  assert.equal(wire.sendFileNow(file.fd, 0, 10), 0);
  server.close();
});

test('what a client does not take waits, in order', async () => {
  const { far, near, server } = await connected();
  const wire = SocketWire.takeOver(near, new Uint8Array()) ?? assert.fail('it was not taken over');
  wire.open(new Receiver(1));
  far.pause();
  const piece = new Uint8Array(2 ** 20).map((_, index) => index % 251);
  let now = piece.length;
  let count = 0;
  for (; now === piece.length; count += 1) now = wire.sendNow(piece);
  const sent = Promise.withResolvers<void>();
  wire.send(piece.subarray(now), sent.resolve);
  assert.equal(wire.sendNow(piece), 0, 'nothing overtakes what waits');
  const heard = far.toArray();
  await sent.promise;
  wire.end();
  const bytes = Buffer.concat(await heard);
  assert.equal(bytes.length, count * piece.length);
  for (let index = 0; index < count; index += 1) {
    assert.equal(bytes.subarray(index * piece.length, (index + 1) * piece.length).equals(piece), true);
  }
  server.close();
});
