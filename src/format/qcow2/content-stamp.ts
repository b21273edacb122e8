/*
 * Varve's header extension, in an overlay: what the file it builds on was when the overlay was made. Big-endian:
 *
 *   byte   0–3    version, 1
 *          4–7    how hash was made: 0 of all the file's bytes, 1 of samples of them
 *          8–15   size of the file in bytes
 *         16–23   when it was last written to, nanoseconds since 1970
 *         24–31   since when the file is left as it is, milliseconds since 1970
 *         32–63   hash, BLAKE3-256
 *         64–65   length of the file's name as the overlay had it
 *         66–67   length of the author's name
 *         68–71   length of the message
 *         72–     the three texts, UTF-8
 *
 * Programs that do not know a header extension keep it as it is: QEMU does, and docs/interop/qcow2.txt has it so.
 * Source: this page, and docs/formats/qcow2.md.
 */
import { VarveError } from '../../base/varve-error.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';

/** "VARV" */
export const contentStampType = 0x56415256;

const currentVersion = 1;
const fixedLength = 72;
const hashLength = 32;
const maximumTextLength = 16384;

/** What was known of the file an overlay builds on when the overlay was made, and what was said of that. */
export interface ContentStamp {
  /** Whether the hash is of all the file, or of samples of it. */
  readonly coverage: 'all' | 'samples';
  /** Of the file, in bytes. */
  readonly size: number;
  /** When the file was last written to, nanoseconds since 1970. */
  readonly modifiedNs: bigint;
  /** Since when the file is left as it is, milliseconds since 1970: when the snapshot was made. */
  readonly time: number;
  /** 32 bytes. */
  readonly hash: Uint8Array;
  /** The file, as the overlay's header named it. */
  readonly baseName: string;
  readonly author: string;
  readonly message: string;
}

/**
 * The stamp in an extension's data.
 *
 * @returns undefined for a version that is not known here
 * @throws VarveError `CORRUPT`
 */
export function decodeContentStamp(data: Uint8Array): ContentStamp | undefined {
  const reader = new ByteReader(data, 'content stamp');
  if (reader.u32be() !== currentVersion) return undefined;
  const coverage = reader.u32be() === 0 ? 'all' : 'samples';
  const fields = {
    coverage,
    size: reader.u64be('size'),
    modifiedNs: reader.opaque64be(),
    time: reader.u64be('time'),
  } as const;
  const hash = reader.bytes(hashLength).slice();
  const [nameLength, authorLength, messageLength] = [reader.u16be(), reader.u16be(), reader.u32be()];
  const texts = { baseName: reader.utf8(nameLength), author: reader.utf8(authorLength) };
  return { ...fields, hash, ...texts, message: reader.utf8(messageLength) };
}

/**
 * The extension's data for a stamp.
 *
 * @throws VarveError `INVALID` for a message or a name of more than 16 KiB
 */
export function encodeContentStamp(stamp: ContentStamp): Uint8Array {
  const texts = [stamp.baseName, stamp.author, stamp.message].map((text) => new TextEncoder().encode(text));
  const [name, author, message] = texts as [Uint8Array, Uint8Array, Uint8Array];
  for (const text of texts) if (text.length > maximumTextLength) throw tooLong(text.length);
  const writer = new ByteWriter(fixedLength + name.length + author.length + message.length);
  writer.u32be(currentVersion);
  writer.u32be(stamp.coverage === 'all' ? 0 : 1);
  writer.u64be(stamp.size);
  writer.opaque64be(stamp.modifiedNs);
  writer.u64be(stamp.time);
  writer.put(stamp.hash);
  writer.u16be(name.length);
  writer.u16be(author.length);
  writer.u32be(message.length);
  for (const text of texts) writer.put(text);
  return writer.bytes;
}

function tooLong(length: number): VarveError {
  const most = `${maximumTextLength} fit into the header of an overlay`;
  return new VarveError('INVALID', `cannot keep a message of ${length} bytes beside a file: ${most}`);
}
