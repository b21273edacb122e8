import type { Guid } from '../bytes/guid.ts';

/** A partition of a disk; offset and length in bytes. */
export interface Partition {
  /** As Linux counts them: 2 of `/dev/sda2`. Those of a GPT may leave numbers out; logical ones start from 5. */
  readonly number: number;
  readonly offset: number;
  readonly length: number;
  /** `extended` is the one that holds the logical ones; a GPT has only `primary`. */
  readonly kind: 'primary' | 'extended' | 'logical';
  /** What it is for: a GUID in a GPT, `0x83` in an MBR. */
  readonly type: string;
  /** What that type is called, where it is a known one. */
  readonly typeName: string | undefined;
  /** Its own identity, as Linux has it in `PARTUUID=`. */
  readonly id: string;
  /** What whoever made it called it; of a GPT only. */
  readonly name: string | undefined;
  /** `bootable` in an MBR; in a GPT the names that sfdisk has for them: `LegacyBIOSBootable`, `GUID:63`. */
  readonly attributes: readonly string[];
}

/** How a disk is divided. */
export interface PartitionTable {
  readonly scheme: 'gpt' | 'mbr';
  /** What the table counts in, in bytes. */
  readonly sectorSize: 512 | 4096;
  /** The disk's own identity: a GUID in a GPT, eight hexadecimal digits in an MBR. */
  readonly id: Guid | string;
  /** By their numbers. */
  readonly partitions: readonly Partition[];
  /** What is wrong with the table, that can be read all the same, a sentence each: a copy that is damaged, … */
  readonly problems: readonly string[];
}
