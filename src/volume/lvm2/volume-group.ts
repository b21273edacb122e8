/*
 * What a text of LVM2's metadata says of a volume group. Sectors have 512 bytes:
 *
 *     NAME {
 *       id = "…", seqno = 5, extent_size = 8192 (in sectors)
 *       physical_volumes { pv0 { id = "…", device = "/dev/sda2", pe_start = 2048 (in sectors), pe_count = 24 } … }
 *       logical_volumes { NAME { id = "…", status = ["READ", "WRITE", "VISIBLE"]
 *         segment1 { start_extent = 0, extent_count = 10, type = "striped", … } … } … }
 *     }
 *
 * Source: what vgcfgbackup(8) writes; LVM2, lib/format_text/import_vsn1.c.
 */
import { VarveError } from '../../base/varve-error.ts';
import { type ConfigSection, parseConfigText } from './config-text.ts';
import type { FoundMetadata } from './metadata-area.ts';

/** A volume group. */
export interface VolumeGroup {
  readonly name: string;
  readonly id: string;
  /** Counts up with each change. */
  readonly seqno: number;
  /** In bytes. */
  readonly extentLength: number;
  /** By the names that segments have for them: `pv0`. */
  readonly physicalVolumes: ReadonlyMap<string, PhysicalVolumeRecord>;
  readonly logicalVolumes: ReadonlyMap<string, LogicalVolumeRecord>;
}

/** A physical volume as its group knows it. */
export interface PhysicalVolumeRecord {
  readonly id: string;
  /** What it was called when the group was last changed: `/dev/sda2`. */
  readonly device: string | undefined;
  /** Where its first extent starts, in bytes. */
  readonly start: number;
  readonly extentCount: number;
}

/** A logical volume; one that is not visible is a part of others. */
export interface LogicalVolumeRecord {
  readonly name: string;
  readonly isVisible: boolean;
  readonly segments: readonly LvmSegment[];
}

/** A run of a logical volume. */
export interface LvmSegment {
  readonly startExtent: number;
  readonly extentCount: number;
  /** `striped`, `raid1`, `thin`, … */
  readonly type: string;
  readonly section: ConfigSection;
}

export const sectorLength = 512;
/** More than LVM2 can handle itself. */
const mostVolumes = 65_536;
const namePattern = /^(?!\.{1,2}$)[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,127}$/;

/** The group that a text is about. @throws VarveError `CORRUPT` */
export function decodeVolumeGroup({ place, text }: FoundMetadata): VolumeGroup {
  const fields = new Fields(parseConfigText(text, place), place);
  const [[name, section] = ['', undefined]] = fields.sections();
  if (section === undefined || !namePattern.test(name)) throw fields.corrupt('it is about no volume group');
  const group = new Fields(section, `${place}, group ${name}`);
  const extentLength = group.count('extent_size') * sectorLength;
  if (extentLength === 0) throw group.corrupt('its extents have no length');
  const physicalVolumes = new Map(
    group.child('physical_volumes').map(([key, each]) => [key, physicalVolumeOf(new Fields(each, place))]),
  );
  const logicalVolumes = new Map(
    group.child('logical_volumes').map(([key, each]) => [key, logicalVolumeOf(key, new Fields(each, place))]),
  );
  const id = group.text('id');
  return { name, id, seqno: group.count('seqno'), extentLength, physicalVolumes, logicalVolumes };
}

function physicalVolumeOf(fields: Fields): PhysicalVolumeRecord {
  const device = fields.section.values.get('device');
  return {
    id: fields.text('id'),
    device: typeof device === 'string' ? device : undefined,
    start: fields.count('pe_start') * sectorLength,
    extentCount: fields.count('pe_count'),
  };
}

function logicalVolumeOf(name: string, fields: Fields): LogicalVolumeRecord {
  if (!namePattern.test(name)) throw fields.corrupt(`${JSON.stringify(name)} is no name of a logical volume`);
  const segments = fields.sections().map(([, section]) => segmentOf(new Fields(section, fields.place)));
  segments.sort((a, b) => a.startExtent - b.startExtent);
  let end = 0;
  for (const { startExtent, extentCount } of segments) {
    if (startExtent !== end) throw fields.corrupt(`the segments of ${name} do not follow one another, at ${end}`);
    end += extentCount;
    if (!Number.isSafeInteger(end)) throw fields.corrupt(`${name} is too long`);
  }
  return { name, isVisible: fields.list('status').includes('VISIBLE'), segments };
}

function segmentOf(fields: Fields): LvmSegment {
  const [startExtent, extentCount] = [fields.count('start_extent'), fields.count('extent_count')];
  // Segments may have flags behind their types, which older versions are to stumble over: `raid1+…`.
  return { startExtent, extentCount, type: fields.text('type'), section: fields.section };
}

/** A section of metadata, of which each field is to be what it should. */
export class Fields {
  readonly section: ConfigSection;
  readonly place: string;

  constructor(section: ConfigSection, place: string) {
    this.section = section;
    this.place = place;
  }

  corrupt(why: string): VarveError {
    return new VarveError('CORRUPT', `cannot read ${this.place}: ${why}`);
  }

  text(key: string): string {
    const value = this.section.values.get(key);
    if (typeof value !== 'string') throw this.corrupt(`its ${key} is no text`);
    return value;
  }

  /** A whole number that is not negative, and stays exact when it is multiplied with a sector's length. */
  count(key: string): number {
    const value = this.section.values.get(key);
    if (typeof value === 'number' && value >= 0 && Number.isSafeInteger(value * sectorLength)) return value;
    throw this.corrupt(`its ${key} is no count`);
  }

  list(key: string): readonly (number | string)[] {
    const value = this.section.values.get(key);
    if (value === undefined) return [];
    return typeof value === 'object' ? value : [value];
  }

  sections(): [name: string, section: ConfigSection][] {
    return [...this.section.sections];
  }

  /** The sections in one of its own; none where it has none of that name. */
  child(key: string): [name: string, section: ConfigSection][] {
    const found = [...(this.section.sections.get(key)?.sections ?? [])];
    if (found.length > mostVolumes) throw this.corrupt(`it has over ${mostVolumes} ${key}`);
    return found;
  }
}
