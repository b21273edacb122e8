import type { BlockDevice } from '../../block/block-device.ts';
import type { DirectoryEntry } from '../file-system.ts';
import { readInside } from '../read-inside.ts';
import type { AllocationTable } from './allocation-table.ts';
import type { FatLayout } from './boot-sector.ts';
import { ClusterChain } from './cluster-chain.ts';
import { attributes, entryLength, entryMarks, shortNameOf, shortText } from './directory-entry.ts';
import { isLongNamePart, LongName } from './long-name.ts';

/** A name in a directory, with all that its entry says. */
export interface NamedEntry extends DirectoryEntry {
  /** The short name, under which it can be found too. */
  readonly shortName: string;
  readonly longName: string | undefined;
}

/** A stretch of a directory on the device, in bytes: a cluster, or a root directory before the clusters. */
export interface DirectoryStretch {
  readonly offset: number;
  readonly length: number;
}

/** What a directory's entries are read from. */
export type Stretches = AsyncIterable<DirectoryStretch> | Iterable<DirectoryStretch>;

/** A directory has at most 65,536 entries of 32 bytes; longer chains are somebody's joke. */
const longestDirectory = 65_536 * entryLength;

/** The stretches of the root directory. */
export function rootStretches(layout: FatLayout, table: AllocationTable, name: string): Stretches {
  if ('offset' in layout.root) return [layout.root];
  return chainStretches(new ClusterChain(table, layout, layout.root.cluster, `${name}: root directory`), layout);
}

/** The stretches of a directory that consists of clusters. */
export async function* chainStretches(chain: ClusterChain, layout: FatLayout): AsyncGenerator<DirectoryStretch> {
  const { clusterSize } = layout;
  for (let index = 0; index * clusterSize < longestDirectory; index++) {
    const cluster = await chain.at(index);
    if (cluster === undefined) return;
    yield { offset: chain.placeOf(cluster), length: clusterSize };
  }
}

/** The files and directories in a directory, without `.` and `..`. An entry's node is its number on the device. */
export async function* readFatDirectory(device: BlockDevice, stretches: Stretches): AsyncGenerator<NamedEntry> {
  const longName = new LongName();
  for await (const { entry, offset } of entriesOf(device, stretches)) {
    if (entry[0] === entryMarks.deleted) longName.clear();
    else if (isLongNamePart(entry)) longName.add(entry);
    else if ((entry[11]! & attributes.volumeId) !== 0) longName.clear();
    else {
      const named = namedEntry(entry, longName.takeFor(entry), offset / entryLength);
      if (named !== undefined) yield named;
    }
  }
}

/** The label that a root directory holds, if any. */
export async function readVolumeLabel(device: BlockDevice, root: Stretches): Promise<string | undefined> {
  for await (const { entry } of entriesOf(device, root)) {
    const isLabel = (entry[11]! & (attributes.volumeId | attributes.directory)) === attributes.volumeId;
    if (entry[0] !== entryMarks.deleted && !isLongNamePart(entry) && isLabel) return shortText(entry.subarray(0, 11));
  }
  return undefined;
}

async function* entriesOf(
  device: BlockDevice,
  stretches: Stretches,
): AsyncGenerator<{ readonly entry: Uint8Array; readonly offset: number }> {
  for await (const { offset, length } of stretches) {
    const bytes = new Uint8Array(length);
    await readInside(device, bytes, offset, 'a FAT directory');
    for (let start = 0; start < length; start += entryLength) {
      if (bytes[start] === entryMarks.end) return;
      yield { entry: bytes.subarray(start, start + entryLength), offset: offset + start };
    }
  }
}

function namedEntry(entry: Uint8Array, longName: string | undefined, node: number): NamedEntry | undefined {
  const shortName = withoutSeparators(shortNameOf(entry));
  const name = withoutSeparators(longName ?? shortName);
  if (name === '' || name === '.' || name === '..') return undefined;
  const kind = (entry[11]! & attributes.directory) === 0 ? 'file' : 'directory';
  return { name: new TextEncoder().encode(name), longName, shortName, node, kind };
}

/** FAT forbids a `/` in a name; whoever wrote one meant no good. */
function withoutSeparators(name: string): string {
  return name.replace(/[/\0]/g, '_');
}
