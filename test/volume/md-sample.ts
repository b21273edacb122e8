/** What a sample of a superblock of version 1 is made of; lengths in sectors of 512 bytes. */
export interface MdSample {
  readonly superOffset: number;
  readonly level: number;
  readonly role: number;
  readonly diskCount: number;
  readonly name?: string;
  readonly events?: number;
  readonly features?: number;
  readonly chunk?: number;
  readonly size?: number;
  readonly dataOffset: number;
  readonly dataSize: number;
}

/** The bytes of a superblock of version 1, as md writes them. */
export function mdSample(sample: MdSample): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xa92b4efc, true);
  view.setUint32(4, 1, true);
  view.setUint32(8, sample.features ?? 0, true);
  bytes.set(Buffer.from('00112233445566778899aabbccddeeff', 'hex'), 16);
  bytes.set(Buffer.from(sample.name ?? 'host:data'), 32);
  view.setInt32(72, sample.level, true);
  view.setBigUint64(80, BigInt(sample.size ?? sample.dataSize), true);
  view.setUint32(88, sample.chunk ?? 0, true);
  view.setUint32(92, sample.diskCount, true);
  view.setBigUint64(128, BigInt(sample.dataOffset), true);
  view.setBigUint64(136, BigInt(sample.dataSize), true);
  view.setBigUint64(144, BigInt(sample.superOffset), true);
  view.setUint32(160, 0, true);
  view.setBigUint64(200, BigInt(sample.events ?? 20), true);
  view.setUint32(220, 1, true);
  view.setUint16(256, sample.role, true);
  // One role makes half a word at the end.
  let sum = view.getUint16(256, true);
  for (let place = 0; place < 256; place += 4) sum += view.getUint32(place, true);
  view.setUint32(216, (sum % 2 ** 32) + Math.floor(sum / 2 ** 32), true);
  return bytes;
}
