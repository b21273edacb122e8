import type { FileKind } from '../../filesystem/file-system.ts';
import type { MetadataOutput, MetadataPosition } from './metadata-output.ts';

/** The types of inodes, and of entries in directories. */
export const inodeTypes: Readonly<Record<FileKind, number>> = {
  directory: 1,
  file: 2,
  symlink: 3,
  block: 4,
  character: 5,
  fifo: 6,
  socket: 7,
};

/** An inode that was written. */
export interface WrittenInode {
  readonly kind: FileKind;
  readonly number: number;
  readonly position: MetadataPosition;
}

/** A name and what it stands for. */
export interface ListedName {
  readonly name: Uint8Array;
  readonly inode: WrittenInode;
}

/** Where a listing is. */
export interface Listing {
  readonly position: MetadataPosition;
  /** In bytes. */
  readonly length: number;
  /** Of where names stand in a listing of several blocks, for the directory's inode. */
  readonly index: readonly Uint8Array[];
}

const mostEntries = 256;
const farthest = 32_767;

/** Writes a directory's listing. Source: as of src/filesystem/squashfs/directory.ts. */
export function writeListing(table: MetadataOutput, names: readonly ListedName[]): Listing {
  const { position } = table;
  const index: Uint8Array[] = [];
  let [length, block] = [0, position.block];
  for (const run of runsOf(names)) {
    const here = table.position.block;
    if (here !== block) index.push(indexEntry(length, here, run[0]!.name));
    block = here;
    const bytes = encodeRun(run);
    table.add(bytes);
    length += bytes.length;
  }
  return { position, length, index };
}

/** Names that stand below one header: their inodes are in one block, and have numbers near the first one's. */
function* runsOf(names: readonly ListedName[]): Generator<ListedName[]> {
  let run: ListedName[] = [];
  for (const each of names) {
    const first = run[0]?.inode;
    const fits =
      first === undefined ||
      (run.length < mostEntries &&
        each.inode.position.block === first.position.block &&
        Math.abs(each.inode.number - first.number) <= farthest);
    if (!fits) {
      yield run;
      run = [];
    }
    run.push(each);
  }
  if (run.length > 0) yield run;
}

function encodeRun(run: readonly ListedName[]): Uint8Array {
  const first = run[0]!.inode;
  const header = Buffer.alloc(12);
  header.writeUInt32LE(run.length - 1, 0);
  header.writeUInt32LE(first.position.block, 4);
  header.writeUInt32LE(first.number, 8);
  const entries = run.flatMap(({ name, inode }) => {
    const entry = Buffer.alloc(8);
    entry.writeUInt16LE(inode.position.offset, 0);
    entry.writeInt16LE(inode.number - first.number, 2);
    entry.writeUInt16LE(inodeTypes[inode.kind], 4);
    entry.writeUInt16LE(name.length - 1, 6);
    return [entry, name];
  });
  return Buffer.concat([header, ...entries]);
}

function indexEntry(length: number, block: number, name: Uint8Array): Uint8Array {
  const entry = Buffer.alloc(12);
  entry.writeUInt32LE(length, 0);
  entry.writeUInt32LE(block, 4);
  entry.writeUInt32LE(name.length - 1, 8);
  return Buffer.concat([entry, name]);
}
