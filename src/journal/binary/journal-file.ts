/*
 * After its header, a file of systemd's journal is a row of objects, each at a multiple of 8 bytes:
 *
 *   byte   0  type: 1 data, 3 entry, 6 entry array, and others that only find these
 *          1  flags: how data are compressed
 *          8  its length, this included (64 bit)
 *
 *   data:         64  NAME=value; from 72 where the file is compact
 *   entry:        16  number, 24 time, 32 time since boot (64 bit each), 40 boot (16 bytes), 56 XOR of its data's hashes
 *                 64  items: the offset of a data object and its hash (64 bit each); compact the offset alone (32 bit)
 *   entry array:  16  offset of the next one (64 bit), 24 offsets of entries (64 bit, compact 32), zeros behind the last
 *
 * Source: Journal File Format, systemd.io/JOURNAL_FILE_FORMAT.
 */
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { MaybePromise } from '../../block/block-device.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { type LogEntry, LogField } from '../log-entry.ts';
import type { PagedFile } from './file-pages.ts';
import { decodeJournalHeader, type JournalHeader, journalHeaderLength } from './journal-header.ts';
import { longestField, unpackPayload } from './unpack-payload.ts';

const objectType = { data: 1, entry: 3, entryArray: 6 } as const;
const objectHeaderLength = 16;
const entryItemsAt = 64;
const arrayItemsAt = 24;
/** As many as systemd takes for an entry, and what their values may take together. */
const mostItems = 1024;
const longestEntry = 64 << 20;
const cacheLength = 16 << 20;
const fieldName = /^[A-Z_][A-Z0-9_]{0,63}$/;
const compression = 7;

/** Hears of what is damaged, in words that name the file. */
export type OnDamage = (problem: VarveError) => void;

/** A file of systemd's journal; what of it is damaged is left out. */
export class JournalFile {
  readonly #file: PagedFile;
  readonly #header: JournalHeader;
  readonly #onDamage: OnDamage;
  /** Fields that were read, by their places, and those of a while ago: an LruMap would take most of the time. */
  #fields = new Map<number, LogField>();
  #olderFields = new Map<number, LogField>();
  #fieldsLength = 0;
  /** Where its entries are, in bytes, in the order in which they were written. */
  #entries: readonly number[] = [];
  #wasDamaged = false;

  private constructor(file: PagedFile, header: JournalHeader, onDamage: OnDamage) {
    this.#file = file;
    this.#header = header;
    this.#onDamage = onDamage;
  }

  /** @throws VarveError `CORRUPT` for what is no such file, `UNSUPPORTED` */
  static async open(file: PagedFile, onDamage: OnDamage): Promise<JournalFile> {
    const header = await file.bytes(0, Math.min(file.size, journalHeaderLength));
    const opened = new JournalFile(file, decodeJournalHeader(header, file.path), onDamage);
    opened.#entries = await opened.#findEntries();
    return opened;
  }

  get entryCount(): number {
    return this.#entries.length;
  }

  /** The entry with an index; undefined where it is damaged. */
  async entry(index: number): Promise<LogEntry | undefined> {
    try {
      return await this.#readEntry(this.#entries[index]!);
    } catch (error) {
      this.#noteDamage(error);
      return undefined;
    }
  }

  /** Of a file that was not closed, arrays may end, and lead, anywhere: they are followed as long as they make sense. */
  async #findEntries(): Promise<number[]> {
    const found: number[] = [];
    try {
      // Arrays and entries only ever come behind earlier ones, so that this ends.
      for (let [offset, last] = [this.#header.entryArrayOffset, 0]; offset !== 0; ) {
        if (offset <= last) throw new VarveError('CORRUPT', `the array at byte ${offset} comes after a later one`);
        last = offset;
        const { body, next } = await this.#entryArray(offset);
        if (!(await this.#addItems(found, body.offset, body.length))) break;
        offset = next;
      }
    } catch (error) {
      this.#noteDamage(error);
    }
    return found;
  }

  async #entryArray(offset: number): Promise<{ body: { offset: number; length: number }; next: number }> {
    const { length } = await this.#object(offset, objectType.entryArray);
    const next = new ByteReader(await this.#file.bytes(offset + 16, 8), 'entry array').u64le('next array');
    return { body: { offset: offset + arrayItemsAt, length: length - arrayItemsAt }, next };
  }

  /** Adds the entries of an array; false where it is not full. */
  async #addItems(found: number[], offset: number, length: number): Promise<boolean> {
    const width = this.#header.isCompact ? 4 : 8;
    const pieceLength = 4096;
    for (let done = 0; done + width <= length; ) {
      const piece = await this.#file.bytes(offset + done, Math.min(pieceLength, length - done));
      const reader = new ByteReader(piece, 'entry array');
      while (reader.remaining >= width) {
        const entry = width === 4 ? reader.u32le() : reader.u64le('offset of an entry');
        if (entry === 0) return false;
        if (entry <= (found.at(-1) ?? 0)) throw new VarveError('CORRUPT', `the entry at byte ${entry} is out of order`);
        found.push(entry);
      }
      done += pieceLength;
    }
    return true;
  }

  async #readEntry(offset: number): Promise<LogEntry> {
    const { length } = await this.#object(offset, objectType.entry);
    const width = this.#header.isCompact ? 4 : 16;
    const count = Math.floor((length - entryItemsAt) / width);
    if (!(count >= 0 && count <= mostItems)) throw new VarveError('CORRUPT', `the entry has ${count} fields`);
    const given = this.#file.bytes(offset, entryItemsAt + count * width);
    const reader = new ByteReader(given instanceof Promise ? await given : given, 'entry');
    reader.skip(objectHeaderLength);
    const sequence = reader.u64le('number');
    const realtime = reader.u64le('time');
    const monotonic = reader.u64le('time since boot');
    const bootId = Buffer.from(reader.bytes(16)).toString('hex');
    const xorHash = reader.opaque64le();
    const fields = await this.#readFields(reader, count);
    const place = { sequenceId: this.#header.sequenceId, sequence, bootId, monotonic, xorHash };
    return { realtime, fields, place };
  }

  async #readFields(reader: ByteReader, count: number): Promise<LogField[]> {
    const fields: LogField[] = [];
    let sum = 0;
    for (let item = 0; item < count && sum <= longestEntry; item += 1) {
      const offset = this.#header.isCompact ? reader.u32le() : reader.u64le('offset of a field');
      if (!this.#header.isCompact) reader.skip(8);
      try {
        const field =
          this.#fields.get(offset) ??
          this.#keep(offset, this.#olderFields.get(offset) ?? (await this.#readField(offset)));
        fields.push(field);
        sum += field.value.length;
      } catch (error) {
        this.#noteDamage(error);
      }
    }
    return fields;
  }

  async #readField(offset: number): Promise<LogField> {
    const { flags, length } = await this.#object(offset, objectType.data);
    const start = this.#header.isCompact ? 72 : 64;
    if (length - start > longestField) {
      throw new VarveError('UNSUPPORTED', `the field at byte ${offset} has ${length - start} bytes`);
    }
    const stored = await this.#file.bytes(offset + start, Math.max(0, length - start));
    const packing = flags & compression;
    const payload = packing === 0 ? stored.slice() : await unpackPayload(stored, packing);
    const end = payload.indexOf(0x3d);
    const name = Buffer.from(payload.buffer, payload.byteOffset, Math.max(0, Math.min(end, 65))).toString('latin1');
    if (!fieldName.test(name)) throw new VarveError('CORRUPT', `the field at byte ${offset} has no name`);
    return new LogField(name, payload.subarray(end + 1));
  }

  #keep(offset: number, field: LogField): LogField {
    this.#fieldsLength += field.value.length + 256;
    if (this.#fieldsLength > cacheLength) {
      [this.#olderFields, this.#fields, this.#fieldsLength] = [this.#fields, new Map(), 0];
    }
    this.#fields.set(offset, field);
    return field;
  }

  #object(offset: number, type: number): MaybePromise<{ readonly flags: number; readonly length: number }> {
    if (offset % 8 !== 0) throw new VarveError('CORRUPT', `an object cannot be at byte ${offset}`);
    const header = this.#file.bytes(offset, objectHeaderLength);
    const check = (bytes: Uint8Array) => {
      const reader = new ByteReader(bytes, 'object');
      const [found, flags] = [reader.u8(), reader.u8()];
      reader.skip(6);
      const length = reader.u64le('length');
      if (found !== type || length < objectHeaderLength || offset + length > this.#file.size) {
        throw new VarveError('CORRUPT', `at byte ${offset} is no object of type ${type}`);
      }
      return { flags, length };
    };
    return header instanceof Promise ? header.then(check) : check(header);
  }

  /** Says so once for a file. */
  #noteDamage(error: unknown): void {
    if (!isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) throw error;
    if (this.#wasDamaged) return;
    this.#wasDamaged = true;
    const { code, message } = error;
    this.#onDamage(
      new VarveError(code, `${this.#file.path} is damaged, and read as far as it is sound: ${message}`, {
        cause: error,
      }),
    );
  }
}
