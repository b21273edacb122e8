import { readFile } from 'node:fs/promises';
import { systemError } from '../../base/varve-error.ts';
import type { OpenDiskOptions } from '../../image/open-disk.ts';
import type { AttachedDiskRequest } from './attached-disk-request.ts';

/** What gives the secret of an encrypted disk, and of what is encrypted in it: a file, as a holder has no terminal to ask. */
export function keySecret({ keyFile }: Pick<AttachedDiskRequest, 'keyFile'>): Pick<OpenDiskOptions, 'askSecret'> {
  if (keyFile === undefined) return {};
  const askSecret = async (): Promise<Uint8Array> => {
    try {
      return await readFile(keyFile);
    } catch (error) {
      throw systemError(`read the key in ${keyFile}`, error);
    }
  };
  return { askSecret };
}
