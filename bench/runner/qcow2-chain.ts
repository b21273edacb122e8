import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './program.ts';

/** Which chunk of the disk becomes which bytes, version by version. */
export interface DiskVersions {
  /** All of the first version. */
  readonly data: Uint8Array;
  /** The offsets, in bytes, at which each later version has 64 KiB of other data. */
  readonly changedOffsets: readonly (readonly number[])[];
}

/** Makes a chain of qcow2 files, one for each version, each over the one before. The path of the uppermost. */
export function makeChain(directory: string, { data, changedOffsets }: DiskVersions): string {
  const raw = join(directory, 'chain.raw');
  writeFileSync(raw, data);
  let top = join(directory, `chain-${changedOffsets.length}-0.qcow2`);
  run(['qemu-img', 'convert', '-O', 'qcow2', raw, top]);
  rmSync(raw);
  for (const [index, offsets] of changedOffsets.entries()) {
    const next = join(directory, `chain-${changedOffsets.length}-${index + 1}.qcow2`);
    run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', top, '-F', 'qcow2', next]);
    // Writing needs no more of the chain than the file itself: whole clusters copy nothing from below.
    run(['qemu-io', '-f', 'qcow2', next], { input: offsets.map((offset) => `write -q ${offset} 64k\n`).join('') });
    top = next;
  }
  return top;
}

/** How often the reads are repeated: one is so short that starting qemu-io would drown a single pass. */
const passes = 10;

/** Milliseconds that one of the reads at `offsets` takes, opening the chain not counted. */
export function timeChainReads(top: string, offsets: readonly number[], length: number): number {
  const reads = offsets.map((offset) => `read -q ${offset} ${length}\n`).join('');
  const command = ['qemu-io', '-r', '-f', 'qcow2', top];
  const once = run(command, { input: reads }).milliseconds;
  const all = run(command, { input: reads.repeat(passes + 1) }).milliseconds;
  return (all - once) / (offsets.length * passes);
}
