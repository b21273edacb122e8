/** A hive of Windows' registry with a root key and nothing else, for programs that fill hives. */
export function minimalHive(): Buffer {
  const hive = Buffer.alloc(8192);
  writeBase(hive);
  const bin = hive.subarray(4096);
  bin.write('hbin');
  bin.writeUInt32LE(4096, 8);
  const [keyAt, securityAt, freeAt] = [0x20, 0x80, 0xd0];
  writeKey(bin.subarray(keyAt), securityAt - keyAt, securityAt);
  writeSecurity(bin.subarray(securityAt), freeAt - securityAt, securityAt);
  bin.writeInt32LE(4096 - freeAt, freeAt);
  return hive;
}

function writeBase(hive: Buffer): void {
  hive.write('regf');
  hive.writeUInt32LE(1, 4);
  hive.writeUInt32LE(1, 8);
  hive.writeUInt32LE(1, 20);
  hive.writeUInt32LE(3, 24);
  hive.writeUInt32LE(1, 32);
  hive.writeUInt32LE(0x20, 36);
  hive.writeUInt32LE(4096, 40);
  hive.writeUInt32LE(1, 44);
  let sum = 0;
  for (let at = 0; at < 508; at += 4) sum ^= hive.readUInt32LE(at);
  hive.writeUInt32LE(sum >>> 0, 508);
}

function writeKey(cell: Buffer, length: number, securityAt: number): void {
  cell.writeInt32LE(-length, 0);
  cell.write('nk', 4);
  // The root of a hive, with a name in Latin-1.
  cell.writeUInt16LE(0x2c, 6);
  cell.writeUInt32LE(0xffffffff, 20);
  for (const at of [32, 36, 44, 52]) cell.writeUInt32LE(0xffffffff, at);
  cell.writeUInt32LE(securityAt, 48);
  cell.writeUInt16LE(4, 76);
  cell.write('root', 80);
}

function writeSecurity(cell: Buffer, length: number, at: number): void {
  cell.writeInt32LE(-length, 0);
  cell.write('sk', 4);
  cell.writeUInt32LE(at, 8);
  cell.writeUInt32LE(at, 12);
  cell.writeUInt32LE(1, 16);
  cell.writeUInt32LE(20, 20);
  cell.writeUInt8(1, 24);
  cell.writeUInt16LE(0x8000, 26);
}
