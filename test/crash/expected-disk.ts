import assert from 'node:assert/strict';
import { type OverlayStep, overlaySectorCount, sectorOf } from './overlay-step.ts';

/** The stamps of a disk's sectors. */
export type Stamps = Uint32Array;

/** The stamps that `content` has, each sector of which must be full of one. */
export function stampsOf(content: Uint8Array): Stamps {
  const stamps = new Uint32Array(overlaySectorCount);
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.length);
  for (let sector = 0; sector < overlaySectorCount; sector += 1) {
    const stamp = bytes.readUInt32LE(sector * 512);
    const isWhole = bytes.compare(sectorOf(stamp), 0, 512, sector * 512, sector * 512 + 512) === 0;
    assert.ok(isWhole, `sector ${sector} is full of one stamp, not torn beside ${stamp}`);
    stamps[sector] = stamp;
  }
  return stamps;
}

/** What a disk and the snapshots of it may hold, step by step. */
export class ExpectedDisk {
  /** As it is while nothing goes wrong. */
  #present: Stamps;
  /** As it was at the last flush; and what each sector was given since. */
  #flushed: Stamps;
  #since = new Map<number, Set<number>>();
  #newest: Stamps;
  /** Whether the newest snapshot may replace all of it: somebody was about to drop what is uncommitted. */
  #mayBeDiscarded = false;
  /** The disk at each snapshot that was reported, by number. */
  readonly snapshots = new Map<number, Stamps>();
  /** The disk at a snapshot that was not. */
  unreported: Stamps | undefined;

  constructor(present: Stamps, newest: Stamps) {
    this.#present = present.slice();
    this.#flushed = present.slice();
    this.#newest = newest;
  }

  /** A step begins. */
  begin(step: OverlayStep): void {
    if (step.kind === 'snapshot') this.unreported = this.#present.slice();
    if (step.kind === 'discard') this.#mayBeDiscarded = true;
    if (step.kind !== 'write' && step.kind !== 'zero') return;
    for (let sector = step.first; sector < step.end; sector += 1) {
      const values = this.#since.get(sector) ?? new Set();
      this.#since.set(sector, values.add(step.stamp));
    }
    this.#present.fill(step.stamp, step.first, step.end);
  }

  /** It is done, and its effects are certain. */
  done(step: OverlayStep, number: number | undefined): void {
    if (step.kind === 'flush' || step.kind === 'snapshot') {
      this.#flushed = this.#present.slice();
      this.#since.clear();
    }
    if (step.kind === 'snapshot') {
      this.#newest = this.#present.slice();
      this.snapshots.set(number as number, this.#newest);
      this.unreported = undefined;
    }
    if (step.kind !== 'discard') return;
    this.#present = this.#newest.slice();
    this.#flushed = this.#newest.slice();
    this.#since.clear();
    this.#mayBeDiscarded = false;
  }

  /** Fails where the disk, after the worker's death, holds what it cannot. */
  check(actual: Stamps): void {
    if (this.#mayBeDiscarded && Buffer.compare(bytesOf(actual), bytesOf(this.#newest)) === 0) return;
    for (let sector = 0; sector < overlaySectorCount; sector += 1) {
      const stamp = actual[sector]!;
      if (stamp === this.#flushed[sector] || this.#since.get(sector)?.has(stamp)) continue;
      const allowed = [this.#flushed[sector], ...(this.#since.get(sector) ?? [])];
      assert.fail(`sector ${sector} holds ${stamp}, and may ${allowed}`);
    }
  }
}

function bytesOf(stamps: Stamps): Uint8Array {
  return new Uint8Array(stamps.buffer, stamps.byteOffset, stamps.byteLength);
}
