import { LruMap } from '../../base/lru.ts';
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { FileHoles } from '../file-holes.ts';
import { corruptImage } from '../image-errors.ts';
import { type SparseLayout, sectorSize, tableCount } from './sparse-layout.ts';

/** The tables that were used last are kept up to this length, in bytes. */
const maximumCacheLength = 8 * 2 ** 20;

/** The sparse extent that tables belong to. */
export interface GrainTablesOptions {
  readonly file: BlockDevice;
  readonly layout: SparseLayout;
  /** The extent's name in errors. */
  readonly name: string;
}

/**
 * The sectors of all grain tables, 0 for one that is not there. One that cannot be where the directory says is taken
 * from the redundant directory, if that knows better.
 *
 * @throws VarveError `CORRUPT` where no directory is in the file
 */
export async function readGrainDirectory(options: GrainTablesOptions): Promise<Uint32Array> {
  const { directoryOffset, redundantDirectoryOffset } = options.layout;
  const primary = await readDirectoryAt(options, directoryOffset);
  const isWhole = primary?.every((sector) => sector === 0 || isInFile(options, sector)) ?? false;
  if (primary !== undefined && (isWhole || redundantDirectoryOffset === undefined)) return primary;
  const redundant =
    redundantDirectoryOffset === undefined ? undefined : await readDirectoryAt(options, redundantDirectoryOffset);
  if (primary === undefined) {
    if (redundant !== undefined) return redundant;
    throw corruptImage(
      options.name,
      `the grain directory at byte ${directoryOffset} is not inside the file, which has ${options.file.size} bytes`,
    );
  }
  redundant?.forEach((sector, index) => {
    if (!isInFile(options, primary[index]!)) primary[index] = sector;
  });
  return primary;
}

async function readDirectoryAt({ file, layout }: GrainTablesOptions, offset: number): Promise<Uint32Array | undefined> {
  const entries = new Uint32Array(tableCount(layout));
  if (offset + entries.byteLength > file.size) return undefined;
  if (entries.length > 0) await file.read(new Uint8Array(entries.buffer), offset);
  return entries;
}

/** Fewer tables are read quicker than the file's holes are found. */
const tablesWorthHoles = 8192;

/** Where the file of an extent with very many tables has holes; undefined for others. */
export async function holesAround({ file, layout }: GrainTablesOptions): Promise<FileHoles | undefined> {
  return tableCount(layout) < tablesWorthHoles ? undefined : await FileHoles.of(file);
}

/** Leaves out of a directory, in place, the tables that lie in holes of the file: nothing is allocated there. */
export async function leaveOutEmptyTables(directory: Uint32Array, options: GrainTablesOptions): Promise<void> {
  const holes = await holesAround(options);
  if (holes === undefined) return;
  const tableLength = options.layout.entriesPerTable * 4;
  for (let index = 0; index < directory.length; index += 1) {
    const sector = directory[index]!;
    if (isInFile(options, sector) && holes.has(sector * sectorSize, tableLength)) directory[index] = 0;
  }
}

function isInFile({ file, layout }: GrainTablesOptions, sector: number): boolean {
  return sector * sectorSize + layout.entriesPerTable * 4 <= file.size;
}

/** Reads grain tables, and keeps those that were used last. (Node's platforms are little-endian, as the format is.) */
export class GrainTables {
  readonly #options: GrainTablesOptions;
  readonly #tables: LruMap<number, Uint32Array>;
  #lastSector = 0;
  #lastTable: Uint32Array | undefined;

  constructor(options: GrainTablesOptions) {
    this.#options = options;
    this.#tables = new LruMap(Math.max(1, Math.floor(maximumCacheLength / (options.layout.entriesPerTable * 4))));
  }

  /**
   * The entries of the table at a sector of the file.
   *
   * @throws VarveError `CORRUPT` where it is not inside the file
   */
  get(sector: number): MaybePromise<Uint32Array> {
    // Hot: nearly all requests stay within the table of the last one.
    if (sector === this.#lastSector && this.#lastTable !== undefined) return this.#lastTable;
    const known = this.#tables.get(sector);
    if (known !== undefined) return this.#keep(sector, known);
    const { file, layout, name } = this.#options;
    if (!isInFile(this.#options, sector)) {
      throw corruptImage(name, `the grain table at sector ${sector} lies past the end of the file`);
    }
    const table = new Uint32Array(layout.entriesPerTable);
    const reading = file.read(new Uint8Array(table.buffer), sector * sectorSize);
    return reading === undefined ? this.#keep(sector, table) : reading.then(() => this.#keep(sector, table));
  }

  #keep(sector: number, table: Uint32Array): Uint32Array {
    this.#tables.set(sector, table);
    this.#lastSector = sector;
    this.#lastTable = table;
    return table;
  }
}
