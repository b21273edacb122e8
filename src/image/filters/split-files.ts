import { access } from 'node:fs/promises';
import { basename } from 'node:path';
import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { concatenatedDevice } from '../../block/concatenated-device.ts';
import type { FilterArguments } from './filter-arguments.ts';
import type { FileFilter, FileFilterContext } from './filter-chain.ts';

/** As many as a process may have open on most machines, and some left for others. */
const maximumParts = 900;

/**
 * `split=./disk.002,./disk.003`: those files follow on the one that the disk is named by. `split` alone takes the files
 * that have the next numbers (`.002`, `.003` after `.001`) or letters (`xab` after `xaa`), as long as there are any.
 */
export function splitFiles(args: FilterArguments): Pick<FileFilter, 'open'> {
  const given = args.values();
  if (given.includes('')) throw args.invalid('a file has no name');
  return { open: async (file, context) => concatenatedDevice(await openParts(file, given, context)) };
}

async function openParts(
  first: BlockDevice,
  given: readonly string[],
  { label, openFile }: FileFilterContext,
): Promise<BlockDevice[]> {
  const parts = [first];
  try {
    if (openFile === undefined) throw new VarveError('INVALID', `${label} is no file that others could follow on`);
    const paths = given.length > 0 ? given : await pathsAfter(label);
    if (paths.length > maximumParts) throw new VarveError('UNSUPPORTED', `a disk in over ${maximumParts} files`);
    for (const path of paths) parts.push(await openFile(path));
    return parts;
  } catch (error) {
    for (const part of parts) await part[Symbol.asyncDispose]();
    throw error;
  }
}

async function pathsAfter(path: string): Promise<string[]> {
  const paths: string[] = [];
  for (let next = successor(path); next !== undefined && (await exists(next)); next = successor(next)) {
    paths.push(next);
    if (paths.length > maximumParts) return paths;
  }
  if (paths.length > 0) return paths;
  const next = successor(path);
  const why = next === undefined ? 'its name does not end in a number or in letters like aa' : `there is no ${next}`;
  throw new VarveError('NOT_FOUND', `no file follows on ${path}: ${why}; name them: split=FILE,FILE`);
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** The name that follows: `disk.002` after `disk.001`, `part10` after `part9`, `xab` after `xaa`. */
export function successor(path: string): string | undefined {
  const name = basename(path);
  const directory = path.slice(0, path.length - name.length);
  const [, start = '', digits] = /^(.*?)(\d{1,9})$/s.exec(name) ?? [];
  if (digits !== undefined) return `${directory}${start}${String(Number(digits) + 1).padStart(digits.length, '0')}`;
  // split(1) counts from aa to yz and then in zaaa; nobody has so many.
  const [, before = '', first = '', second = ''] = /^(.*)([a-z])([a-z])$/s.exec(name) ?? [];
  if (first === '') return undefined;
  if (second !== 'z') return `${directory}${before}${first}${letterAfter(second)}`;
  return first === 'z' ? undefined : `${directory}${before}${letterAfter(first)}a`;
}

function letterAfter(letter: string): string {
  return String.fromCharCode(letter.charCodeAt(0) + 1);
}
