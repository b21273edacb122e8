import { LruMap } from '../../base/lru.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { FileSystemVolume } from '../file-system-volume.ts';
import type { NtfsLayout } from './boot-sector.ts';
import { type FileRecord, FileTable } from './file-table.ts';
import { NtfsFile } from './ntfs-file.ts';
import { readUpcaseTable, type UpcaseTable } from './upcase-table.ts';

/** How many files are kept. */
const cachedFiles = 512;

/** The records and clusters of NTFS, below its directories. */
export class NtfsVolume extends FileSystemVolume {
  readonly layout: NtfsLayout;
  readonly #table: FileTable;
  readonly #files = new LruMap<number, Promise<NtfsFile>>(cachedFiles);

  #upcase: Promise<UpcaseTable> | undefined;

  private constructor(device: BlockDevice, layout: NtfsLayout, name: string, table: FileTable) {
    super(device, name);
    this.layout = layout;
    this.#table = table;
  }

  /** `name` is the disk's, for errors. @throws VarveError `CORRUPT` */
  static async open(device: BlockDevice, layout: NtfsLayout, name: string): Promise<NtfsVolume> {
    return new NtfsVolume(device, layout, name, await FileTable.open(device, layout, name));
  }

  /** A record of the master file table. @throws VarveError `CORRUPT` */
  record(number: number): Promise<FileRecord> {
    return this.#table.read(number);
  }

  /** The file whose base record has a number. @throws VarveError `CORRUPT` where there is none */
  file(number: number): Promise<NtfsFile> {
    const known = this.#files.get(number);
    if (known !== undefined) return known;
    const opening = NtfsFile.open(this, number);
    this.#files.set(number, opening);
    opening.catch(() => this.#files.delete(number));
    return opening;
  }

  /** The table by which names are compared. @throws VarveError `CORRUPT` */
  upcaseTable(): Promise<UpcaseTable> {
    this.#upcase ??= readUpcaseTable(this);
    return this.#upcase;
  }
}
