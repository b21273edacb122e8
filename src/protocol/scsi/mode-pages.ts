import { ByteWriter } from '../../bytes/byte-writer.ts';

/*
 * Mode parameters. Source: SPC-4, section 7.5; SBC-3, section 6.5.
 *
 *   header (6)   0 length of the rest, 2 device-specific (WP 80h, DPOFUA 10h), 3 length of the block descriptor
 *   header (10)  0 length of the rest (2), 3 device-specific, 4 LONGLBA, 6 length of the block descriptor (2)
 *   descriptor   0 number of blocks (4), 5 length of a block (3); or 0 number (8), 12 length (4)
 *   page         0 code, 1 length of the rest, 2 …
 */

/** What can be set of a disk. */
export interface ModeSettings {
  /** WCE: writes are durable after the next SYNCHRONIZE CACHE only. */
  readonly writeCache: boolean;
  /** SWP: nobody may write. */
  readonly writeProtect: boolean;
}

/** What MODE SENSE is asked for. */
export interface ModeRequest {
  readonly page: number;
  readonly subpage: number;
  /** 0 current, 1 changeable, 2 default. */
  readonly control: number;
  readonly isLong: boolean;
  readonly withDescriptor: boolean;
  /** LLBAA. */
  readonly withLongDescriptor: boolean;
}

/** What a disk is, for the mode parameters. */
export interface ModeDisk {
  readonly blockCount: number;
  readonly blockSize: number;
  readonly readOnly: boolean;
}

/** What is set when a disk is first served. */
export const defaultSettings: ModeSettings = { writeCache: true, writeProtect: false };

const cachingPage = 0x08;
const controlPage = 0x0a;
const allPages = 0x3f;

/** MODE SENSE; `undefined` for a page that there is not. */
export function encodeModeSense(request: ModeRequest, disk: ModeDisk, settings: ModeSettings): Uint8Array | undefined {
  const { control, page, subpage } = request;
  if (subpage !== 0 && !(page === allPages && subpage === 0xff)) return undefined;
  const pages = modePages(control === 2 ? defaultSettings : settings, control === 1);
  const wanted = pages.filter(([code]) => page === allPages || page === code);
  if (wanted.length === 0) return undefined;
  const descriptor = request.withDescriptor ? encodeDescriptor(request, disk) : new Uint8Array();
  const content = Buffer.concat([descriptor, ...wanted]);
  const writer = new ByteWriter((request.isLong ? 8 : 4) + content.length);
  const specific = (disk.readOnly || settings.writeProtect ? 0x80 : 0) | 0x10;
  if (request.isLong) {
    writer.u16be(content.length + 6);
    writer.u8(0);
    writer.u8(specific);
    writer.u16be(descriptor.length === 16 ? 0x100 : 0);
    writer.u16be(descriptor.length);
  } else {
    writer.u8(content.length + 3);
    writer.u8(0);
    writer.u8(specific);
    writer.u8(descriptor.length);
  }
  writer.put(content);
  return writer.bytes;
}

function encodeDescriptor(
  { isLong, withLongDescriptor }: ModeRequest,
  { blockCount, blockSize }: ModeDisk,
): Uint8Array {
  const isWide = isLong && withLongDescriptor;
  const writer = new ByteWriter(isWide ? 16 : 8);
  if (isWide) {
    writer.u64be(blockCount);
    writer.u32be(0);
  } else {
    writer.u32be(Math.min(blockCount, 2 ** 32 - 1));
  }
  writer.u32be(blockSize);
  return writer.bytes;
}

/** In order of their codes; as masks of what can be changed where `isMask`. */
function modePages({ writeCache, writeProtect }: ModeSettings, isMask: boolean): Uint8Array[] {
  const caching = new Uint8Array(20);
  caching.set([cachingPage, 18, isMask || writeCache ? 0x04 : 0]);
  const control = new Uint8Array(12);
  control.set([controlPage, 10, 0, isMask ? 0 : 0x10, isMask || writeProtect ? 0x08 : 0]);
  // As long as it takes.
  if (!isMask) control.fill(0xff, 8, 10);
  const exceptions = new Uint8Array(12);
  exceptions.set([0x1c, 10]);
  return [caching, control, exceptions];
}

/** What MODE SELECT comes to: settings, or how it is wrong. */
export type ModeSelection = ModeSettings | 'length' | 'value';

/** Takes the parameter list of MODE SELECT apart; only what is changeable may differ from what is. */
export function decodeModeSelect(list: Uint8Array, isLong: boolean, settings: ModeSettings): ModeSelection {
  const headerLength = isLong ? 8 : 4;
  if (list.length < headerLength) return list.length === 0 ? settings : 'length';
  const descriptorLength = isLong ? list[6]! * 256 + list[7]! : list[3]!;
  let position = headerLength + descriptorLength;
  let selected = settings;
  if (position > list.length) return 'length';
  while (position < list.length) {
    if (position + 2 > list.length) return 'length';
    const known = modePages(settings, false).find(([code]) => code === (list[position]! & 0x7f));
    if (known === undefined || list[position + 1] !== known[1]) return 'value';
    if (position + known.length > list.length) return 'length';
    const page = list.subarray(position, position + known.length);
    const mask = modePages(settings, true).find(([code]) => code === known[0]) as Uint8Array;
    if (page.some((byte, index) => index > 1 && ((byte ^ known[index]!) & ~mask[index]!) !== 0)) return 'value';
    if (known[0] === cachingPage) selected = { ...selected, writeCache: (page[2]! & 0x04) !== 0 };
    if (known[0] === controlPage) selected = { ...selected, writeProtect: (page[4]! & 0x08) !== 0 };
    position += known.length;
  }
  return selected;
}
