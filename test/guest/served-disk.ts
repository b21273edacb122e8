import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { qemuImg } from '../interop/qemu-images.ts';
import { runVarve } from './run-varve.ts';

/** A disk that `varve serve` is given. */
export interface ServedDisk {
  /** What is to be served. */
  readonly argument: string;
  /** Of the export. */
  readonly name: string;
  /** The path of a store; empty where the disk is in none. */
  readonly store: string;
  /** Looks for damage in what holds it, when nobody serves it any more. @throws Error where there is any */
  check(): Promise<unknown>;
}

const length = 128 * 2 ** 20;

/** A new qcow2 file in a directory. */
export async function emptyQcow2(directory: string): Promise<ServedDisk> {
  const path = join(directory, 'disk.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', path, String(length));
  return { argument: path, name: 'disk.qcow2', store: '', check: () => qemuImg('check', path) };
}

/** An image in a new store in a directory: what is written goes to its overlay. */
export async function emptyImage(directory: string): Promise<ServedDisk> {
  const [path, store] = [join(directory, 'disk.raw'), join(directory, 'store')];
  await writeFile(path, '');
  await truncate(path, length);
  await runVarve(store, 'import', path, 'web');
  return { argument: 'web', name: 'web', store, check: () => runVarve(store, 'verify') };
}
