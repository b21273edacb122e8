import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { type DeviceArea, type MappedRun, mappedDevice } from '../mapped-device.ts';
import type { PhysicalVolume } from './physical-volume.ts';
import { snapshotRuns } from './snapshot-runs.ts';
import { openThinPool, type ThinPool } from './thin-pool.ts';
import { Fields, type LogicalVolumeRecord, type LvmSegment, sectorLength, type VolumeGroup } from './volume-group.ts';

/** The devices of a group's logical volumes, made when they are asked for. They read from the physical ones. */
export class LogicalVolumes {
  readonly #group: VolumeGroup;
  /** By identity; those that are not on this disk are missing. */
  readonly #members: ReadonlyMap<string, PhysicalVolume>;
  readonly #devices = new Map<string, BlockDevice>();
  readonly #pools = new Map<string, ThinPool>();
  /** Those that are being made, to find out which are parts of themselves. */
  readonly #open = new Set<string>();

  constructor(group: VolumeGroup, members: readonly PhysicalVolume[]) {
    this.#group = group;
    this.#members = new Map(members.map((member) => [member.id, member]));
  }

  /**
   * The device of a logical volume. It stays the caller's no longer than the physical volumes do.
   *
   * @throws VarveError `UNSUPPORTED` for kinds that are not known, `NOT_FOUND` for what is on a missing physical volume,
   *   `CORRUPT`
   */
  async device(name: string): Promise<BlockDevice> {
    const known = this.#devices.get(name);
    if (known !== undefined) return known;
    const volume = this.#group.logicalVolumes.get(name);
    if (volume === undefined) throw this.#corrupt(`there is no logical volume ${name}, which another one is made of`);
    if (this.#open.has(name)) throw this.#corrupt(`the logical volume ${name} is a part of itself`);
    this.#open.add(name);
    try {
      const made = await this.#make(volume);
      this.#devices.set(name, made);
      return made;
    } finally {
      this.#open.delete(name);
    }
  }

  /**
   * The content of a snapshot, whose changes are in the volume of this name.
   *
   * @throws VarveError as `device` does
   */
  async snapshot(name: string, origin: string): Promise<BlockDevice> {
    const [changes, before] = [await this.device(name), await this.device(origin)];
    const label = `${this.#group.name}/${name}`;
    return mappedDevice(await snapshotRuns({ origin: before, changes, name: label }), label);
  }

  async #make(volume: LogicalVolumeRecord): Promise<BlockDevice> {
    const runs: MappedRun[] = [];
    for (const segment of volume.segments) runs.push(await this.#run(volume, segment));
    return mappedDevice(runs, this.#nameOf(volume));
  }

  async #run(volume: LogicalVolumeRecord, segment: LvmSegment): Promise<MappedRun> {
    const length = segment.extentCount * this.#group.extentLength;
    const fields = new Fields(segment.section, `the metadata of ${this.#nameOf(volume)}`);
    switch (segment.type.replace(/\+.*$/, '')) {
      case 'striped':
      case 'linear':
        return await this.#striped(fields, 'stripes', length);
      case 'raid0':
      case 'raid0_meta':
        return await this.#raid0(fields, segment.type, length);
      case 'mirror':
        return await this.#mirror(this.#pairs(fields, 'mirrors'), fields, length);
      case 'raid1':
        return await this.#mirror(imagesOf(fields, 'raid1'), fields, length);
      case 'zero':
        return { length, areas: [] };
      case 'thin':
        return await this.#thin(fields, length);
      default:
        throw this.#unknown(volume, segment.type);
    }
  }

  async #striped(fields: Fields, key: string, length: number): Promise<MappedRun> {
    const areas: DeviceArea[] = [];
    for (const [name, extent] of this.#pairs(fields, key)) areas.push(await this.#area(name, extent, fields));
    if (areas.length === 0) throw fields.corrupt(`it has no ${key}`);
    if (areas.length === 1) return { length, areas };
    return { length, areas, stripeLength: fields.count('stripe_size') * sectorLength };
  }

  async #raid0(fields: Fields, type: string, length: number): Promise<MappedRun> {
    const areas: DeviceArea[] = [];
    for (const [name, extent] of imagesOf(fields, type)) areas.push(await this.#area(name, extent, fields));
    return areas.length === 1
      ? { length, areas }
      : { length, areas, stripeLength: fields.count('stripe_size') * sectorLength };
  }

  /** One leg is as good as another: the first that is there. */
  async #mirror(legs: readonly Pair[], fields: Fields, length: number): Promise<MappedRun> {
    let failure: unknown = fields.corrupt('it has no legs');
    for (const [name, extent] of legs) {
      try {
        const area = await this.#area(name, extent, fields);
        return { length, areas: [area] };
      } catch (error) {
        if (!isVarveError(error, 'NOT_FOUND')) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  async #thin(fields: Fields, length: number): Promise<MappedRun> {
    if (fields.section.values.has('external_origin')) {
      throw new VarveError('UNSUPPORTED', `cannot read ${fields.place}: it has an origin outside of its thin pool`);
    }
    const pool = await this.#pool(fields.text('thin_pool'), fields);
    return { length, areas: [{ device: await pool.volume(fields.count('device_id'), length), offset: 0 }] };
  }

  async #pool(name: string, thin: Fields): Promise<ThinPool> {
    const known = this.#pools.get(name);
    if (known !== undefined) return known;
    const segment = this.#group.logicalVolumes.get(name)?.segments[0];
    if (segment?.type !== 'thin-pool') throw thin.corrupt(`${name} is no thin pool`);
    const fields = new Fields(segment.section, `the metadata of ${this.#group.name}/${name}`);
    const pool = await openThinPool({
      metadata: await this.device(fields.text('metadata')),
      data: await this.device(fields.text('pool')),
      name: `${this.#group.name}/${name}`,
    });
    this.#pools.set(name, pool);
    return pool;
  }

  /** What stands behind such a key: names of volumes, each with the number of the extent from which on it is taken. */
  #pairs(fields: Fields, key: string): Pair[] {
    const list = fields.list(key);
    return Array.from({ length: Math.floor(list.length / 2) }, (_, index) => {
      const [name, extent] = [list[index * 2], list[index * 2 + 1]];
      if (typeof name === 'string' && typeof extent === 'number' && extent >= 0) return [name, extent] as const;
      throw fields.corrupt(`its ${key} are no names of volumes with numbers of extents`);
    });
  }

  /** From an extent of a physical or another logical volume on. */
  async #area(name: string, extent: number, fields: Fields): Promise<DeviceArea> {
    const { extentLength, physicalVolumes } = this.#group;
    const offset = extent * extentLength;
    if (!Number.isSafeInteger(offset)) throw fields.corrupt(`the extent ${extent} of ${name} is too far away`);
    const record = physicalVolumes.get(name);
    if (record === undefined) return { device: await this.device(name), offset };
    const member = this.#members.get(record.id);
    if (member !== undefined) return { device: member.device, offset: record.start + offset };
    const what = `a physical volume that is not on this disk (${record.device ?? 'unknown'}, ${record.id})`;
    throw new VarveError('NOT_FOUND', `cannot read ${fields.place.replace(/^the metadata of /, '')}: it is on ${what}`);
  }

  #unknown(volume: LogicalVolumeRecord, type: string): VarveError {
    const known = 'linear, striped, mirror, raid0, raid1 and thin are known';
    const name = this.#nameOf(volume);
    if (/^[\w+-]{1,32}$/.test(type))
      return new VarveError('UNSUPPORTED', `cannot read ${name}: it is a volume of the kind ${type}; ${known}`);
    return this.#corrupt(`the kind of ${name} is no name`);
  }

  #nameOf({ name }: LogicalVolumeRecord): string {
    return `${this.#group.name}/${name}`;
  }

  #corrupt(why: string): VarveError {
    return new VarveError('CORRUPT', `cannot read the volume group ${this.#group.name}: ${why}`);
  }
}

type Pair = readonly [name: string, extent: number];

/** The volumes with a raid's data; beside each stands one with its own metadata, but for `raid0`. */
function imagesOf(fields: Fields, type: string): Pair[] {
  const pairs = fields.list(type === 'raid0' ? 'raid0_lvs' : 'raids');
  const names = type === 'raid0' ? pairs : pairs.filter((_, index) => index % 2 === 1);
  return names.map((name) => {
    if (typeof name === 'string') return [name, 0] as const;
    throw fields.corrupt('its raid is made of what are no volumes');
  });
}
