import { basename, dirname, relative } from 'node:path';
import type { FormatInformation } from '../../format/image-format.ts';
import { type BaseState, compareToStamp } from './base-stamp.ts';
import type { ChainOptions } from './open-chain.ts';
import { type ChainLink, walkChain } from './walk-chain.ts';

/** One file of a disk's history. */
export interface FileLogEntry {
  /** How the file is named seen from the disk's directory; what the file above says, where it was not looked at. */
  readonly name: string;
  readonly path: string | undefined;
  /** `disk` is what is written to, `base` what another builds on; the others were not looked at, for that reason. */
  readonly kind: 'disk' | 'base' | Exclude<ChainLink['kind'], 'image'>;
  readonly information: FormatInformation | undefined;
  /** In bytes. */
  readonly allocatedSize: number | undefined;
  /**
   * Milliseconds since 1970: of a base since when it is left as it is, if that is known; else when it was last written to.
   */
  readonly time: number | undefined;
  /** What was said of the snapshot; empty where nothing was. */
  readonly message: string;
  readonly author: string;
  /** Of a base, whether it is what it was when the file above was made; `unknown` where that says nothing of it. */
  readonly state: BaseState | undefined;
}

/** Which of a disk's files are looked at. */
export interface FileLogOptions extends ChainOptions {
  /** No more entries than this. */
  readonly maxCount?: number | undefined;
  readonly format?: string | undefined;
}

/**
 * The history of a disk in a file: the file, what it builds on, and so on.
 *
 * @throws VarveError what reading the file throws
 */
export async function fileLog(path: string, options: FileLogOptions = {}): Promise<FileLogEntry[]> {
  const entries: FileLogEntry[] = [];
  let above: ChainLink | undefined;
  let directory: string | undefined;
  for await (const link of walkChain(path, options)) {
    if (entries.length === options.maxCount) break;
    if (link.kind === 'image') directory ??= dirname(link.image.path);
    entries.push(await entryOf(link, above, directory!));
    above = link;
  }
  return entries;
}

async function entryOf(link: ChainLink, above: ChainLink | undefined, directory: string): Promise<FileLogEntry> {
  const stamp = above?.kind === 'image' ? above.image.stamp : undefined;
  const note = { message: stamp?.message ?? '', author: stamp?.author ?? '' };
  if (link.kind !== 'image') {
    const unseen = { path: undefined, information: undefined, allocatedSize: undefined, state: undefined };
    return { name: link.name, kind: link.kind, time: stamp?.time, ...unseen, ...note };
  }
  const { path, information, allocatedSize, modified } = link.image;
  const seen = { path, information, allocatedSize };
  if (above === undefined) {
    return { name: basename(path), kind: 'disk', ...seen, time: modified, message: '', author: '', state: undefined };
  }
  const name = relative(directory, path);
  return { name, kind: 'base', ...seen, time: stamp?.time ?? modified, ...note, state: await stateOf(link, above) };
}

async function stateOf(link: ChainLink, above: ChainLink): Promise<BaseState> {
  if (link.kind !== 'image' || above.kind !== 'image' || above.image.stamp === undefined) return 'unknown';
  const { stamp, information } = above.image;
  const state = await compareToStamp(link.image.path, stamp);
  // Whoever rebased it with another program left the stamp of the base of before.
  return state === 'changed' && stamp.baseName !== information.backing?.name ? 'unknown' : state;
}
