import type { BlockDevice, Extent, MaybePromise } from '../block/block-device.ts';
import { ReadOnlyDevice } from '../block/read-only-device.ts';
import { runSteps, type Steps } from '../block/run-steps.ts';
import { alignDown, alignUp } from '../bytes/align.ts';
import type { ContentCipher, LockedVolume } from './locked-volume.ts';
import { sectorUnit } from './sector-unit.ts';

/** The content of an encrypted volume, to be read only. The device stays the caller's. */
export function decryptedDevice(
  device: BlockDevice,
  { length, offset }: Pick<LockedVolume, 'offset' | 'length'>,
  cipher: ContentCipher,
): BlockDevice {
  return new DecryptedDevice(device, offset, length, cipher);
}

/** How much is decrypted at once at most, in bytes. */
const pieceLength = 1 << 20;

class DecryptedDevice extends ReadOnlyDevice {
  readonly #device: BlockDevice;
  readonly #offset: number;
  readonly #content: ContentCipher;

  constructor(device: BlockDevice, offset: number, length: number, content: ContentCipher) {
    // What is no whole sector at the end cannot be decrypted.
    super(alignDown(length, content.sectorLength), [device], { extents: false });
    this.#device = device;
    this.#offset = offset;
    this.#content = content;
  }

  override read(target: Uint8Array, offset: number): MaybePromise<void> {
    return runSteps(this.#reads(target, offset));
  }

  *#reads(target: Uint8Array, offset: number): Steps {
    const { cipher, firstSector, sectorLength } = this.#content;
    const end = offset + target.length;
    for (let start = offset; start < end; ) {
      const first = alignDown(start, sectorLength);
      const stop = Math.min(end, first + pieceLength);
      const last = alignUp(stop, sectorLength);
      const isWhole = first === start && last === stop;
      const sectors = isWhole ? target.subarray(start - offset, stop - offset) : new Uint8Array(last - first);
      yield this.#device.read(sectors, this.#offset + first);
      cipher.decrypt(sectors, firstSector + first / sectorUnit);
      if (!isWhole) target.set(sectors.subarray(start - first, stop - first), start - offset);
      start = stop;
    }
  }

  /** A hole beneath is no zeros once it is decrypted. */
  override *extents(offset: number, length: number): Generator<Extent, undefined> {
    yield { offset, length, kind: 'data' };
  }
}
