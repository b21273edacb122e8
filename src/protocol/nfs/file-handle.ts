/*
 * What a client calls a file by. It means nothing to the client; to us
 *
 *   byte 0 uint8 version (1)   1 uint8 volume   2 uint16 0   4 uint64 node
 *       12 export id (32 bytes)   44 MAC (16 bytes) of all before it
 *
 * Nothing has to be remembered of what clients were given, so that they go on when a server was started again. The MAC is the
 * beginning of the SHA-256 of a key and the rest: all that is signed has one length, so nothing can be put behind it.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';

const handleVersion = 1;
const signedLength = 44;
const macLength = 16;
/** The length of a file handle, in bytes. */
export const handleLength = signedLength + macLength;
/** The length of what an export is known by, in bytes. */
export const exportIdLength = 32;
/** The length of a key, in bytes. */
export const handleKeyLength = 32;

/** What a file handle says. */
export interface FileHandle {
  /** The file system of the export, counted from 0. */
  readonly volume: number;
  readonly node: number;
  /** Of the export, `exportIdLength` bytes. */
  readonly exportId: Uint8Array;
}

/** Makes file handles, and tells its own from others. */
export class FileHandles {
  /** The key, and room for what is signed. */
  readonly #signed = new Uint8Array(handleKeyLength + signedLength);

  /** `key` has `handleKeyLength` bytes. */
  constructor(key: Uint8Array) {
    if (key.length !== handleKeyLength) throw new RangeError(`a key has ${handleKeyLength} bytes`);
    this.#signed.set(key);
  }

  encode({ exportId, node, volume }: FileHandle): Uint8Array {
    const writer = new ByteWriter(handleLength);
    writer.u8(handleVersion);
    writer.u8(volume);
    writer.u16be(0);
    writer.u64be(node);
    writer.put(exportId);
    writer.put(this.#macOf(writer.bytes));
    return writer.bytes;
  }

  /** Undefined for what was not made with this key. Nothing of `bytes` is kept. */
  decode(bytes: Uint8Array): FileHandle | undefined {
    if (bytes.length !== handleLength) return undefined;
    if (!timingSafeEqual(this.#macOf(bytes), bytes.subarray(signedLength))) return undefined;
    const reader = new ByteReader(bytes, 'file handle');
    if (reader.u8() !== handleVersion) return undefined;
    const volume = reader.u8();
    reader.skip(2);
    return { volume, node: reader.u64be(), exportId: reader.bytes(exportIdLength).slice() };
  }

  #macOf(bytes: Uint8Array): Uint8Array {
    this.#signed.set(bytes.subarray(0, signedLength), handleKeyLength);
    return hash('sha256', this.#signed, 'buffer').subarray(0, macLength);
  }
}
