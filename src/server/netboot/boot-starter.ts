import { LruMap } from '../../base/lru.ts';
import { VarveError } from '../../base/varve-error.ts';
import { dashedMac } from '../../bytes/hardware-address.ts';
import { log } from '../../log/log.ts';
import type { GuestOpener, PinnedDisk } from '../files/guest-source.ts';
import { targetName } from '../iscsi/targets.ts';
import type { Machines } from './machines/machines.ts';
import { type GuestBoot, guestBootOf, missingForBoot } from './menus/guest-boot.ts';
import type { EntryBoot } from './menus/ipxe-script.ts';
import { kernelArguments } from './menus/kernel-arguments.ts';
import type { OverlayChoice } from './menus/menu-names.ts';
import { type ChapLogin, type IscsiPlace, initiatorName, type RootPlace } from './menus/root-place.ts';
import type { RamImages } from './ram/ram-images.ts';
import type { BootMethod, Entry, MachineSettings } from './room/room.ts';
import { templateValuesFor } from './room-templates.ts';
import { httpOf, type ServerPlace } from './server-place.ts';
import { templateArguments } from './templates/template-arguments.ts';
import type { TemplateServer } from './templates/template-server.ts';

/** What boots need. */
export interface BootParts {
  readonly machines: Machines;
  readonly guests: Required<GuestOpener>;
  readonly templates: TemplateServer;
  readonly ram: Pick<RamImages, 'prepare'>;
  readonly chap: () => ChapLogin | undefined;
  readonly secrets: () => Readonly<Record<string, string>>;
}

/** A boot that begins. */
export interface StartedBoot {
  readonly boot: EntryBoot;
  /** `web@3`; undefined where no image is booted. */
  readonly image?: string | undefined;
  /** What the machine fetches next, by name: kernel, initramfs, template. */
  readonly files: readonly string[];
}

/** Who boots what. */
export interface BootRequest {
  readonly settings: MachineSettings;
  readonly entry: Entry;
  readonly place: ServerPlace;
  /** The machine's own, where it is known. */
  readonly address?: string | undefined;
}

/** How a boot begins. */
export interface StartOptions {
  /** What a person chose to do with the overlay that is there. */
  readonly choice?: OverlayChoice | undefined;
  /** Whether the machine was told of its template already. */
  readonly hasTemplate?: boolean | undefined;
}

interface IssuedWords {
  readonly words: string;
  readonly files: readonly string[];
}

const diskMethods: ReadonlySet<BootMethod> = new Set(['sanboot', 'iscsi', 'nbd']);
/** What is known of so many disks is kept. */
const mostGuests = 64;

/** Begins boots: gives machines their disks, and finds out what they have to be told. */
export class BootStarter {
  readonly #parts: BootParts;
  /** By the disk's content. */
  readonly #guests = new LruMap<string, Promise<GuestBoot>>(mostGuests);

  constructor(parts: BootParts) {
    this.#parts = parts;
  }

  /** Looks at what entries boot before the first machine asks; those that cannot be booted are told of at once. */
  async prepare(entries: Iterable<Entry>): Promise<void> {
    for (const entry of entries) {
      if (entry.image === undefined) continue;
      try {
        const image = await this.#pin(entry.image);
        await this.#kernelOf(entry, image);
        if (entry.boot === 'ram') await this.#parts.ram.prepare(image.disk);
      } catch (error) {
        log.fail('entry %s cannot be booted now: %s', entry.name, (error as Error).message);
      }
    }
  }

  /**
   * What an entry boots on a machine, without beginning it; of an image what is its newest snapshot now.
   *
   * @throws VarveError for an image that is not there, a template that is wrong, `UNSUPPORTED` for a system that cannot boot in
   *   this way
   */
  async describe({ settings, entry, place, address }: BootRequest): Promise<StartedBoot> {
    const image = entry.image === undefined ? undefined : await this.#pin(entry.image);
    const template = this.#template(settings, entry, place, address);
    return this.#describe({ settings, entry, place }, image, template);
  }

  /**
   * Begins a boot of an entry: what machines write to has its disk from now on.
   *
   * @throws VarveError as `describe` does, and for a disk that cannot be had
   */
  async start(request: BootRequest & StartOptions): Promise<StartedBoot> {
    const { choice, entry, hasTemplate = false, settings } = request;
    if (entry.boot === 'local') return { boot: { label: 'its own disk' }, files: [] };
    const image = entry.image === undefined ? undefined : await this.#pin(entry.image);
    // A machine keeps what it has where the next boot would come to nothing.
    if (image !== undefined) await this.#kernelOf(entry, image);
    const template = hasTemplate ? undefined : this.#template(settings, entry, request.place, request.address);
    if (!diskMethods.has(entry.boot)) return this.#describe(request, image, template);
    const overlay = choice ?? (entry.overlay === 'ask' ? 'keep' : entry.overlay);
    const { mac, name } = settings;
    const { reference } = await this.#parts.machines.begin({
      mac,
      name,
      entry: entry.name,
      image: entry.image!,
      overlay,
    });
    // It is another one than the newest where the overlay is an older one, or `next` named another image.
    return this.#describe(request, reference === image?.disk ? image : await this.#pin(reference), template);
  }

  async #describe(
    { settings, entry, place }: BootRequest,
    image: PinnedDisk | undefined,
    template: IssuedWords | undefined,
  ): Promise<StartedBoot> {
    const label = image?.disk ?? entry.title;
    if (entry.boot === 'local') return { boot: { label: 'its own disk' }, files: [] };
    if (entry.boot === 'sanboot')
      return { boot: { label, disk: this.#iscsiPlace(settings.mac, place) }, image: image?.disk, files: [] };
    const guest = image === undefined ? undefined : await this.#kernelOf(entry, image);
    // So that whoever asks for it need not wait, nor give up.
    if (entry.boot === 'ram') await this.#parts.ram.prepare(image!.disk);
    const { initramfs, kernel } = filesOf(entry, image?.disk, guest);
    const root = this.#rootPlace(settings.mac, entry.boot, image?.disk, place);
    const words = kernelArguments(settings, entry, { place: root, guest, extra: template?.words });
    return {
      boot: { label, kernel, initramfs, arguments: words },
      image: image?.disk,
      files: [kernel, ...initramfs, ...(template?.files ?? [])],
    };
  }

  async #pin(disk: string): Promise<PinnedDisk> {
    return await this.#parts.guests.pin(disk);
  }

  /** What a disk has for booting it. @throws VarveError `UNSUPPORTED` where that is not enough for the entry */
  async #kernelOf(entry: Entry, { disk, version }: PinnedDisk): Promise<GuestBoot | undefined> {
    if (entry.boot === 'sanboot') return undefined;
    const guest = this.#guests.get(version) ?? this.#lookAt(disk);
    this.#guests.set(version, guest);
    guest.catch(() => this.#guests.delete(version));
    const missing = missingForBoot(await guest, entry);
    if (missing !== undefined) throw new VarveError('UNSUPPORTED', missing);
    return await guest;
  }

  async #lookAt(disk: string): Promise<GuestBoot> {
    await using guest = await this.#parts.guests.open(disk);
    return await guestBootOf(guest);
  }

  #rootPlace(mac: string, boot: BootMethod, disk: string | undefined, place: ServerPlace): RootPlace | undefined {
    const { address, ports } = place;
    switch (boot) {
      case 'nbd':
        return { kind: 'nbd', address, port: ports.nbd, exportName: dashedMac(mac) };
      case 'iscsi':
        return this.#iscsiPlace(mac, place);
      case 'nfs':
        return { kind: 'nfs', address, path: `/${disk}`, port: ports.nfs, mountPort: ports.nfs };
      case 'ram':
        return { kind: 'ram', url: `${httpOf(place)}/ram/${disk}.squashfs` };
      default:
        return undefined;
    }
  }

  #iscsiPlace(mac: string, { address, ports }: ServerPlace): IscsiPlace {
    const target = targetName(dashedMac(mac));
    return {
      kind: 'iscsi',
      address,
      port: ports.iscsi,
      target,
      initiator: initiatorName(mac),
      chap: this.#parts.chap(),
    };
  }

  #template(
    settings: MachineSettings,
    { template }: Entry,
    place: ServerPlace,
    address: string | undefined,
  ): IssuedWords | undefined {
    if (template === undefined) return undefined;
    const { mac } = settings;
    const values = templateValuesFor(settings, place, this.#parts.secrets(), address);
    const { files, path } = this.#parts.templates.issue({ mac, template, values });
    return {
      words: templateArguments(template.kind, `${httpOf(place)}/${path}`),
      files: files.map((file) => path + file),
    };
  }
}

/** The names by which the server has kernel and initramfs. */
function filesOf(
  entry: Entry,
  disk: string | undefined,
  guest: GuestBoot | undefined,
): { kernel: string; initramfs: string[] } {
  const kernel = entry.kernel ?? guest?.kernel;
  const given = entry.initramfs === undefined ? undefined : [entry.initramfs];
  const initramfs = given ?? (entry.kernel === undefined ? (guest?.initramfs ?? []) : []);
  const prefix = disk === undefined ? `files/${entry.name}` : `image/${disk}`;
  if (kernel === undefined) throw new VarveError('INVALID', `entry ${entry.name} has no kernel; name it in the room`);
  const named = (path: string): string => `${prefix}/${path.replace(/^\/+/, '')}`;
  return { kernel: named(kernel), initramfs: initramfs.map(named) };
}
