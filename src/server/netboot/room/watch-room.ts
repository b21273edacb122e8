import fs from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { readRoom } from './parse-room.ts';
import type { Room } from './room.ts';

/** Who is told of changes. */
export interface RoomWatcher {
  /** The room as it is now. */
  onRoom(room: Room): void;
  /** Why what is there now is no room; the one before goes on. */
  onError(error: unknown): void;
  /** How often the file is looked at; twice a second where nothing is said. */
  readonly intervalMs?: number;
}

/**
 * Reads a room again whenever its file changes, also where editors put another file in its place, and where it is written
 * in pieces: it is read when it was the same at two looks. Changes count from now on: begin before the first reading.
 */
export function watchRoom(path: string, watcher: RoomWatcher): Disposable {
  const ending = new AbortController();
  void follow(path, watcher, ending.signal);
  return { [Symbol.dispose]: () => ending.abort() };
}

async function follow(path: string, watcher: RoomWatcher, signal: AbortSignal): Promise<void> {
  let read = await stampOf(path);
  let last = read;
  while (await waited(watcher.intervalMs ?? 500, signal)) {
    const now = await stampOf(path);
    if (now === last && now !== read) {
      read = now;
      await tell(path, watcher, signal);
    }
    last = now;
  }
}

/** Whether it waited to the end. */
function waited(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return setTimeout(milliseconds, true, { signal, ref: false }).catch(() => false);
}

async function tell(path: string, watcher: RoomWatcher, signal: AbortSignal): Promise<void> {
  let room: Room;
  try {
    room = await readRoom(path);
  } catch (error) {
    if (!signal.aborted) watcher.onError(error);
    return;
  }
  if (!signal.aborted) watcher.onRoom(room);
}

/** Another one where a file may have another content. */
async function stampOf(path: string): Promise<string> {
  try {
    const { ctimeNs, dev, ino, mtimeNs, size } = await fs.stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(':');
  } catch (error) {
    return `cannot be looked at: ${(error as NodeJS.ErrnoException).code}`;
  }
}
