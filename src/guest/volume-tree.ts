import { isVarveError, VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import type { FileSystemIdentity } from '../filesystem/file-system.ts';
import { sliceFilter } from '../filter/slice.ts';
import type { AskSecret } from '../format/image-format.ts';
import { diskVolumes } from '../image/disk-volumes.ts';
import { luksIdentity } from '../luks/luks-identity.ts';
import { containerKind } from '../volume/container-kind.ts';
import type { PhysicalVolume } from '../volume/lvm2/physical-volume.ts';
import type { MdMember } from '../volume/md/assemble-arrays.ts';
import { DevicePlaces } from './device-places.ts';
import { type GuestVolume, identifyContent } from './guest-volume.ts';
import { Unlocker } from './unlock-volumes.ts';

/** How a disk's volumes are looked for. */
export interface VolumeTreeOptions {
  /** The disk's, for messages. */
  readonly name: string;
  /** Gives passphrases and keys of encrypted volumes, which stay closed where it is left out or gives nothing. */
  readonly askSecret?: AskSecret | undefined;
}

/** What is known of a volume before one has looked at it. */
type FoundVolume = Omit<GuestVolume, 'holds' | 'identity' | 'isEncrypted' | 'placesOnDisk'> & {
  readonly isEncrypted?: boolean;
};

/** More would be a trap. */
const mostVolumes = 10_000;
const mostRounds = 8;

/**
 * The volumes of a disk: its partitions, and what is made of them, as often as that goes on; each after those it is made
 * of. What cannot be read is among them, and says why.
 *
 * @throws VarveError `CORRUPT` for a partition table that cannot be read, `PERMISSION` where a secret was given that
 *   opens no volume
 */
export async function findGuestVolumes(device: BlockDevice, options: VolumeTreeOptions): Promise<GuestVolume[]> {
  const { volumes } = await diskVolumes(device, options.name);
  const tree = new VolumeTree(options);
  for (const { length, name, offset, partition } of volumes) {
    const part = sliceFilter(device, { offset, length });
    tree.places.addPart(part, offset);
    await tree.add({ ...{ name, aliases: [], length, offset, partition }, madeOf: [], device: part });
  }
  await tree.assemble();
  return tree.volumes;
}

/** What volumes are made of is loaded when there is some: most disks have partitions, and nothing else. */
class VolumeTree {
  readonly volumes: GuestVolume[] = [];
  readonly places = new DevicePlaces();
  readonly #name: string;
  readonly #unlocker: Unlocker;
  #members: MdMember[] = [];
  #physical: PhysicalVolume[] = [];

  constructor({ askSecret, name }: VolumeTreeOptions) {
    this.#name = name;
    this.#unlocker = new Unlocker(askSecret);
  }

  /** Adds a volume, and what is in it, but for what takes others, too. */
  async add(found: FoundVolume): Promise<void> {
    if (this.volumes.length >= mostVolumes) {
      throw new VarveError('UNSUPPORTED', `${this.#name} has over ${mostVolumes} volumes`);
    }
    const { device, isEncrypted = false } = found;
    const placesOnDisk = device && this.places.of(device);
    const place = this.volumes.push({ ...found, placesOnDisk, isEncrypted, holds: undefined }) - 1;
    if (device === undefined) return;
    try {
      this.volumes[place] = { ...this.volumes[place]!, ...(await this.#lookInto(found, device)) };
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) throw error;
      this.volumes[place] = { ...this.volumes[place]!, problem: error };
    }
    const { identity } = this.volumes[place];
    if (identity?.type === 'crypto_LUKS') await this.#unlock(place, device);
  }

  /** Puts together what takes several volumes: first arrays, then groups, until nothing new comes of it. */
  async assemble(): Promise<void> {
    for (let round = 0; round < mostRounds && this.#members.length + this.#physical.length > 0; round += 1) {
      if (this.#members.length > 0) await this.#assembleArrays();
      else await this.#assembleGroups();
    }
    this.#joinFileSystems();
    const { refusal } = this.#unlocker;
    if (refusal !== undefined) throw refusal;
  }

  /** A Btrfs may be spread over several volumes, each of which says of which one it is a part. */
  #joinFileSystems(): void {
    for (const [place, volume] of this.volumes.entries()) {
      const { type, uuid } = volume.identity ?? {};
      if (type !== 'btrfs' || uuid === undefined) continue;
      const parts = this.volumes.filter(({ identity }) => identity?.type === type && identity.uuid === uuid);
      const others = parts.flatMap(({ device }) => (device === undefined || device === volume.device ? [] : [device]));
      if (others.length > 0) this.volumes[place] = { ...volume, others };
    }
  }

  async #lookInto(
    { name }: FoundVolume,
    device: BlockDevice,
  ): Promise<Pick<GuestVolume, 'holds' | 'identity' | 'problem'>> {
    const label = `${this.#name}, ${name}`;
    const kind = await containerKind(device);
    if (kind === 'crypto_LUKS') {
      return container(device, { type: kind, ...(await luksIdentity(device)) });
    }
    if (kind === 'LVM2_member') {
      const { readPhysicalVolume } = await import('../volume/lvm2/physical-volume.ts');
      const physical = await readPhysicalVolume(device, label);
      this.#physical.push({ ...physical, name });
      return container(device, { type: kind, version: 'LVM2 001', uuid: physical.id });
    }
    if (kind === undefined) return await identifyContent(device);
    const { readMdSuperblock } = await import('../volume/md/superblock.ts');
    const superblock = await readMdSuperblock(device);
    if (superblock === undefined) return await identifyContent(device);
    this.#members.push({ name, device, superblock });
    const { name: own, uuid, version } = superblock;
    return container(device, {
      type: 'linux_raid_member',
      version: version === '0.90' ? '0.90.0' : version,
      uuid,
      label: own,
    });
  }

  async #unlock(place: number, device: BlockDevice): Promise<void> {
    const volume = this.volumes[place]!;
    const name = `${this.#name}, ${volume.name}`;
    try {
      const { openLockedVolume } = await import('../luks/locked-volume.ts');
      const { decryptedDevice } = await import('../luks/decrypted-device.ts');
      const locked = await openLockedVolume(device, name);
      const content = decryptedDevice(device, locked, await this.#unlocker.unlock(locked, name));
      this.places.addInner(content, device, locked.offset);
      await this.add({
        ...{ name: `/dev/mapper/luks-${locked.uuid}`, aliases: [], length: content.size, offset: undefined },
        ...{ madeOf: [volume.name], device: content, isEncrypted: true },
      });
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT', 'PERMISSION', 'UNSUPPORTED')) throw error;
      this.volumes[place] = { ...volume, problem: error };
    }
  }

  async #assembleArrays(): Promise<void> {
    const { assembleArrays } = await import('../volume/md/assemble-arrays.ts');
    const members = this.#members;
    this.#members = [];
    for (const { aliases, device, members: parts, name, problem } of assembleArrays(members)) {
      const length = device?.size ?? 0;
      const place = this.volumes.length;
      await this.add({ ...this.#made(parts), name, aliases, length, device, problem });
      if (device !== undefined && this.volumes[place]!.identity === undefined) await this.#addPartitions(device, place);
    }
  }

  /** Arrays may have partition tables: `/dev/md0p1`. */
  async #addPartitions(outer: BlockDevice, place: number): Promise<void> {
    const { name } = this.volumes[place]!;
    try {
      const { volumes } = await diskVolumes(outer, `${this.#name}, ${name}`);
      for (const { length, offset, partition } of volumes) {
        if (partition === undefined) continue;
        const device = sliceFilter(outer, { offset, length });
        this.places.addInner(device, outer, offset);
        await this.add({
          ...this.#made([name]),
          name: `${name}p${partition.number}`,
          aliases: [],
          length,
          partition,
          device,
        });
      }
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT')) throw error;
      this.volumes[place] = { ...this.volumes[place]!, problem: error };
    }
  }

  #made(madeOf: readonly string[]): Pick<FoundVolume, 'isEncrypted' | 'madeOf' | 'offset'> {
    const isEncrypted = this.volumes.some((each) => each.isEncrypted && madeOf.includes(each.name));
    return { madeOf, isEncrypted, offset: undefined };
  }

  async #assembleGroups(): Promise<void> {
    const { assembleGroups } = await import('../volume/lvm2/assemble-groups.ts');
    const physical = this.#physical;
    this.#physical = [];
    const { problems, volumes } = await assembleGroups(physical);
    for (const [place, volume] of this.volumes.entries()) {
      const problem = problems.get(volume.name);
      if (problem !== undefined) this.volumes[place] = { ...volume, problem };
    }
    for (const { aliases, device, length, members, name, problem } of volumes) {
      await this.add({ ...this.#made(members), name, aliases, length, device, problem });
    }
  }
}

function container(
  { size }: BlockDevice,
  identity: Omit<FileSystemIdentity, 'blockSize' | 'size'>,
): Pick<GuestVolume, 'holds' | 'identity'> {
  return { holds: 'volumes', identity: { ...identity, blockSize: 512, size } };
}
