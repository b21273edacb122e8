import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlockDevice } from '../../block/block-device.ts';
import { type ExportEntry, sharedEntry } from '../nbd/nbd-export.ts';
import { listenNbd } from '../nbd/nbd-server.ts';

/** A disk that is shown to a command. */
export interface ShownDisk {
  /** As the user named it. */
  readonly label: string;
  readonly device: BlockDevice;
}

/** Disks on a socket that only this user may connect to. */
export interface ServedDisks extends AsyncDisposable {
  /** Where the socket is; goes when they are served no more. */
  readonly directory: string;
  /** An address for each disk, in order. */
  readonly uris: readonly string[];
}

/** Serves disks to the programs of a transaction. They stay the caller's. */
export async function serveDisks(disks: readonly ShownDisk[]): Promise<ServedDisks> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  const path = join(directory, 'nbd.sock');
  const entries = new Map<string, ExportEntry>();
  disks.forEach(({ device, label }, index) => {
    entries.set(index === 0 ? '' : String(index + 1), sharedEntry({ device, description: label }));
  });
  const exports = {
    list: () => [...entries.keys()].map((name) => ({ name })),
    find: (name: string) => entries.get(name),
  };
  try {
    const server = await listenNbd({ kind: 'unix', path }, { exports });
    return {
      directory,
      uris: [...entries.keys()].map((name) => `nbd+unix:///${name}?socket=${path}`),
      async [Symbol.asyncDispose]() {
        await server.shutDown();
        await rm(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}
