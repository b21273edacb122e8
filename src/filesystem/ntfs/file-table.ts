import { LruMap } from '../../base/lru.ts';
import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { readInside } from '../read-inside.ts';
import {
  type Attribute,
  attributeTypes,
  decodeAttributes,
  decodeRecordHeader,
  type RecordHeader,
} from './attribute.ts';
import { decodeAttributeList, longestAttributeList } from './attribute-list.ts';
import type { NtfsLayout } from './boot-sector.ts';
import { applyFixups } from './fixup.ts';
import { type ClusterRun, decodeRuns } from './run-list.ts';

/** How many records the mirror has at least. */
const mirroredRecords = 4;

/** Records are read by pages of this length, in bytes, of which so many are kept. */
const pageLength = 16_384;
const cachedPages = 256;

/** A record of the master file table, checked. */
export interface FileRecord {
  readonly number: number;
  readonly header: RecordHeader;
  readonly attributes: readonly Attribute[];
}

/** Some records, and what they say, or what is wrong with them, as far as they were looked at. */
interface TablePage {
  readonly bytes: Uint8Array;
  readonly records: (FileRecord | string)[];
}

/** The master file table: where each file's record is. It is a file itself, whose record is its first. */
export class FileTable {
  readonly #device: BlockDevice;
  readonly #layout: NtfsLayout;
  readonly #name: string;
  readonly #runs: ClusterRun[] = [];
  readonly #pageRecords: number;
  readonly #pages = new LruMap<number, TablePage>(cachedPages);
  #size = 0;

  private constructor(device: BlockDevice, layout: NtfsLayout, name: string) {
    this.#device = device;
    this.#layout = layout;
    this.#name = name;
    this.#pageRecords = Math.max(1, pageLength / layout.recordSize);
  }

  /** `name` is the disk's, for errors. @throws VarveError `CORRUPT` */
  static async open(device: BlockDevice, layout: NtfsLayout, name: string): Promise<FileTable> {
    const table = new FileTable(device, layout, name);
    await table.#findRuns();
    return table;
  }

  /** How many records there are. */
  get recordCount(): number {
    return Math.floor(this.#size / this.#layout.recordSize);
  }

  /** The record of number `number`; of the first ones the mirror's where theirs is damaged. @throws VarveError `CORRUPT` */
  async read(number: number): Promise<FileRecord> {
    if (!(number >= 0 && number < this.recordCount)) throw this.#corrupt(`there is no file record ${number}`);
    const index = Math.floor(number / this.#pageRecords);
    const page = this.#pages.get(index) ?? (await this.#loadPage(index));
    const place = number - index * this.#pageRecords;
    const record = page.records[place] ?? this.#decode(this.#bytesIn(page, place), number);
    page.records[place] = record;
    if (typeof record !== 'string') return record;
    const mirrored = number < mirroredRecords ? await this.#readAt(this.#layout.mirrorCluster, number) : record;
    if (typeof mirrored !== 'string') return mirrored;
    throw this.#corrupt(`file record ${number} ${record}`);
  }

  async #loadPage(index: number): Promise<TablePage> {
    const { recordSize } = this.#layout;
    const first = index * this.#pageRecords;
    const count = Math.min(this.#pageRecords, this.recordCount - first);
    const bytes = new Uint8Array(count * recordSize);
    await this.#readFrom(this.#runs, bytes, first * recordSize, `file records ${first} to ${first + count - 1}`);
    // Somebody else may have been quicker; what was decoded already is right, and must not be decoded twice.
    const page = this.#pages.get(index) ?? { bytes, records: [] };
    this.#pages.set(index, page);
    return page;
  }

  #bytesIn({ bytes }: TablePage, place: number): Uint8Array {
    const { recordSize } = this.#layout;
    return bytes.subarray(place * recordSize, (place + 1) * recordSize);
  }

  async #findRuns(): Promise<void> {
    const { tableCluster, mirrorCluster } = this.#layout;
    const own = await this.#readAt(tableCluster, 0);
    const first = typeof own === 'string' ? await this.#readAt(mirrorCluster, 0) : own;
    if (typeof first === 'string') throw this.#corrupt(`file record 0, of the master file table, ${own}`);
    const data = dataOf(first);
    if (data === undefined || data.content instanceof Uint8Array) throw this.#corrupt('file record 0 has no table');
    this.#size = data.content.size;
    this.#addRuns(data);
    const list = first.attributes.find(({ type }) => type === attributeTypes.attributeList);
    if (list !== undefined) await this.#addListed(list);
  }

  /** The table's runs go on in other records, which lie in what is known of it already. */
  async #addListed(list: Attribute): Promise<void> {
    const entries = decodeAttributeList(await this.#listBytes(list));
    if (typeof entries === 'string') throw this.#corrupt(`the list of attributes of file record 0 ${entries}`);
    for (const { type, firstCluster, record, instance } of entries) {
      if (type !== attributeTypes.data || firstCluster === 0) continue;
      const extension = await this.read(record);
      const part = extension.attributes.find((each) => each.type === type && each.instance === instance);
      if (part === undefined) throw this.#corrupt(`file record ${record} lacks a part of the master file table`);
      this.#addRuns(part);
    }
  }

  async #listBytes({ content }: Attribute): Promise<Uint8Array> {
    if (content instanceof Uint8Array) return content;
    if (content.size > longestAttributeList) throw this.#corrupt('file record 0 has a list of attributes without end');
    const bytes = new Uint8Array(content.size);
    const runs = this.#decodeRuns(content.runs, 0);
    await this.#readFrom(runs, bytes, 0, 'the list of attributes of file record 0');
    return bytes;
  }

  #addRuns({ content }: Attribute): void {
    if (content instanceof Uint8Array) throw this.#corrupt('a part of the master file table is no run of clusters');
    const last = this.#runs.at(-1);
    const start = last === undefined ? 0 : last.start + last.count;
    if (content.firstCluster !== start) {
      throw this.#corrupt(`the master file table goes on at cluster ${content.firstCluster}, and not at ${start}`);
    }
    for (const run of this.#decodeRuns(content.runs, start)) this.#runs.push(run);
  }

  #decodeRuns(bytes: Uint8Array, start: number): ClusterRun[] {
    const runs = decodeRuns(bytes, start, this.#layout.clusterCount);
    if (typeof runs === 'string') throw this.#corrupt(`the runs of the master file table ${runs}`);
    return runs;
  }

  /** Record `number` where the table, or its mirror, begins at `cluster`; or what is wrong with it. */
  async #readAt(cluster: number, number: number): Promise<FileRecord | string> {
    const { clusterSize, recordSize } = this.#layout;
    const place = cluster * clusterSize + number * recordSize;
    if (place + recordSize > this.#device.size) return 'lies past the end of the disk';
    const bytes = new Uint8Array(recordSize);
    await this.#device.read(bytes, place);
    return this.#decode(bytes, number);
  }

  #decode(bytes: Uint8Array, number: number): FileRecord | string {
    const problem = applyFixups(bytes, 'FILE');
    if (problem !== undefined) return problem;
    const attributes = decodeAttributes(bytes);
    return typeof attributes === 'string' ? attributes : { number, header: decodeRecordHeader(bytes), attributes };
  }

  async #readFrom(runs: readonly ClusterRun[], target: Uint8Array, offset: number, what: string): Promise<void> {
    const { clusterSize } = this.#layout;
    for (let done = 0; done < target.length; ) {
      const position = offset + done;
      const run = findRun(runs, Math.floor(position / clusterSize));
      if (run?.cluster === undefined) throw this.#corrupt(`${what} lies in no cluster`);
      const inside = position - run.start * clusterSize;
      const part = target.subarray(done, done + Math.min(target.length - done, run.count * clusterSize - inside));
      await readInside(this.#device, part, run.cluster * clusterSize + inside, `${this.#name}: ${what}`);
      done += part.length;
    }
  }

  #corrupt(why: string): VarveError {
    return new VarveError('CORRUPT', `cannot read ${this.#name}: ${why}`);
  }
}

/** The run in which a cluster is, of runs in order. */
export function findRun(runs: readonly ClusterRun[], cluster: number): ClusterRun | undefined {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const run = runs[middle]!;
    if (cluster < run.start) high = middle;
    else if (cluster >= run.start + run.count) low = middle + 1;
    else return run;
  }
  return undefined;
}

function dataOf({ attributes }: FileRecord): Attribute | undefined {
  return attributes.find(({ type, name }) => type === attributeTypes.data && name.length === 0);
}
