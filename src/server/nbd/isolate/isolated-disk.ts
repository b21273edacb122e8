import fs from 'node:fs/promises';
import { systemError, VarveError } from '../../../base/varve-error.ts';
import type { BlockDevice } from '../../../block/block-device.ts';
import { undisposed } from '../../../block/undisposed.ts';
import type { OpenFileDiskOptions } from '../../../image/file-disk.ts';
import type { NbdExport } from '../nbd-export.ts';
import { type DriverProcess, SecretWanted, startDriver } from './driver-process.ts';
import type { DiskRequest } from './driver-request.ts';
import { IsolatedDevice, isolatedSource } from './isolated-device.ts';
import { IsolatedDriver } from './isolated-driver.ts';

/** A disk whose driver runs in a process of its own. Disposing of it ends the driver. */
export interface IsolatedDisk extends AsyncDisposable {
  /** For whoever reads it. */
  readonly device: BlockDevice;
  readonly contexts: NonNullable<NbdExport['contexts']>;
  /** The disk for one client: a flush fails once after what it had been told is written may have been lost. */
  forClient(): BlockDevice;
}

/**
 * Opens the disk in a file in a process that has no rights but those to the file.
 *
 * @throws VarveError as opening it here does
 */
export async function openIsolatedDisk(
  path: string,
  writable: boolean,
  options: OpenFileDiskOptions,
): Promise<IsolatedDisk> {
  const { askSecret } = options;
  let request = await requestFor(path, writable, options);
  const start = async (): Promise<DriverProcess> => await startDriver(request);
  const first = await start().catch(async (error: unknown) => {
    if (!(error instanceof SecretWanted) || askSecret === undefined) throw error;
    request = { ...request, secret: Buffer.from(await askSecret(error.question)).toString('base64') };
    return await start();
  });
  const driver = new IsolatedDriver(first, start, path);
  const device = new IsolatedDevice(driver, first.client.agreement);
  const contexts = new Map(first.contexts.map((name) => [name, isolatedSource(driver, name)] as const));
  let reportedCount = 0;
  return {
    device,
    contexts,
    forClient() {
      // Where nobody has been told yet, whoever comes next is.
      let knownCount = reportedCount;
      const flush = async (): Promise<void> => {
        if (knownCount < driver.lossCount) {
          knownCount = driver.lossCount;
          reportedCount = driver.lossCount;
          throw new VarveError(
            'IO',
            `the driver of ${path} died, and what was not flushed may be lost; write it again`,
          );
        }
        await device.flush();
      };
      return { ...undisposed(device), flush };
    },
    [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
  };
}

async function requestFor(path: string, writable: boolean, options: OpenFileDiskOptions): Promise<DiskRequest> {
  const { allowed = [], askSecret, follow = false, forceShare = false, format, internalSnapshot, member } = options;
  const [real = path, ...directories] = await Promise.all([path, ...allowed].map(realPath));
  const which = { format, internalSnapshot, member, canAsk: askSecret !== undefined };
  return { path: real, writable, follow, allowed: directories, forceShare, ...which };
}

/** The driver works in another directory. */
async function realPath(path: string): Promise<string> {
  try {
    return await fs.realpath(path);
  } catch (error) {
    throw systemError(`open ${path}`, error);
  }
}
