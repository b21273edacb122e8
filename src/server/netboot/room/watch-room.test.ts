import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isVarveError } from '../../../base/varve-error.ts';
import type { Room } from './room.ts';
import { watchRoom } from './watch-room.ts';

/** What a watcher says next. */
class Told {
  readonly #said: (Room | Error)[] = [];
  #wake: (() => void) | undefined;

  say(what: Room | Error): void {
    this.#said.push(what);
    this.#wake?.();
  }

  async next(): Promise<Room | Error> {
    while (this.#said.length === 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    return this.#said.shift()!;
  }
}

const roomFor = (name: string): string => `entries: { ${name}: { image: web, boot: nbd } }\n`;

async function imageNames(told: Told): Promise<string[]> {
  const said = await told.next();
  return said instanceof Error ? [said.message] : [...said.entries.keys()];
}

test('a room is read again when its file changes, is replaced, and is right again after it was wrong', async () => {
  await using stack = new AsyncDisposableStack();
  const directory = await fs.mkdtemp(join(tmpdir(), 'varve-'));
  stack.defer(() => fs.rm(directory, { recursive: true }));
  const path = join(directory, 'room.yaml');
  await fs.writeFile(path, roomFor('first'));
  const told = new Told();
  const onError = (error: unknown) => told.say(error as Error);
  stack.use(watchRoom(path, { onRoom: (room) => told.say(room), onError, intervalMs: 40 }));
  // It takes the file as it is now for the one that is known.
  await new Promise((resolve) => setTimeout(resolve, 100));
  await fs.writeFile(path, roomFor('second'));
  assert.deepEqual(await imageNames(told), ['second']);
  await fs.writeFile(`${path}.new`, roomFor('third'));
  await fs.rename(`${path}.new`, path);
  assert.deepEqual(await imageNames(told), ['third']);
  await fs.writeFile(path, 'entries: {');
  assert.match((await imageNames(told))[0]!, /room\.yaml:1: it cannot be read as YAML/);
  await fs.rm(path);
  assert.ok(isVarveError(await told.next(), 'NOT_FOUND'));
  await fs.writeFile(path, roomFor('fourth'));
  assert.deepEqual(await imageNames(told), ['fourth']);
});

test('a watcher that was disposed of says nothing more', async () => {
  await using stack = new AsyncDisposableStack();
  const directory = await fs.mkdtemp(join(tmpdir(), 'varve-'));
  stack.defer(() => fs.rm(directory, { recursive: true }));
  const path = join(directory, 'room.yaml');
  await fs.writeFile(path, roomFor('first'));
  let count = 0;
  const watching = watchRoom(path, { onRoom: () => count++, onError: () => count++, intervalMs: 10 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  watching[Symbol.dispose]();
  await fs.writeFile(path, roomFor('second'));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(count, 0);
});
