import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { log } from '../../log/log.ts';
import type { FileSource, FoundFile } from '../files/file-source.ts';
import { memoryFile } from '../files/memory-file.ts';
import type { BootStarter, StartedBoot } from './boot-starter.ts';
import { grubMenu } from './menus/grub-menu.ts';
import { type EntryBoot, ipxeAsk, ipxeEntry, ipxeFailure, ipxeMenu, type MenuServer } from './menus/ipxe-script.ts';
import { type MenuName, type OverlayChoice, parseMenuName } from './menus/menu-names.ts';
import { type PxelinuxModules, pxelinuxMenu } from './menus/pxelinux-menu.ts';
import { type KnownAddresses, requireOwn, StrangerError } from './require-own.ts';
import type { Entry, MachineSettings, Room } from './room/room.ts';
import { settingsOf } from './room/settings-of.ts';
import type { SeenMachines } from './seen-machines.ts';
import { httpOf, type ServerPlace } from './server-place.ts';
import type { EntryStep } from './trace/trace-step.ts';

/** What scripts and files are made of. */
export interface BootFilesOptions {
  readonly room: () => Room;
  readonly place: ServerPlace;
  readonly starter: BootStarter;
  /** What has the files that scripts name. */
  readonly files: FileSource;
  readonly seen: Pick<SeenMachines, 'get'>;
  /** By what it is known who asks. */
  readonly known: KnownAddresses;
  /** What loaders without scripts have beside them. */
  readonly modules: PxelinuxModules;
  readonly onEntry: (step: EntryStep) => void;
}

type EntryName = Extract<MenuName, { readonly kind: 'entry' }>;
type FileName = Extract<MenuName, { readonly kind: 'kernel' | 'initramfs' }>;

/** All that machines ask for by name, over HTTP and TFTP: menus and scripts, of which some begin boots, and files. */
export class BootFiles implements FileSource {
  readonly #options: BootFilesOptions;
  readonly #server: MenuServer;
  /** By MAC and entry, what loaders without scripts go on to fetch. */
  readonly #begun = new Map<string, StartedBoot>();

  constructor(options: BootFilesOptions) {
    this.#options = options;
    this.#server = { http: httpOf(options.place) };
  }

  open(name: string, client?: string): FoundFile | Promise<FoundFile> {
    const menu = parseMenuName(name);
    return menu === undefined ? this.#options.files.open(name, client) : this.#openOwn(menu, client);
  }

  async #openOwn(menu: MenuName, client: string | undefined): Promise<FoundFile> {
    const settings = this.#settingsOf(menu.mac);
    if (client !== undefined) await this.#requireOwn(settings, menu, client);
    switch (menu.kind) {
      case 'menu':
        return this.#firstScript(settings);
      case 'entry':
        return this.#entryScript(settings, menu);
      case 'kernel':
      case 'initramfs':
        return this.#plainFile(settings, menu);
      case 'pxelinux':
        return this.#plainMenu(settings, (boots) => pxelinuxMenu(settings, boots, this.#options.modules));
      case 'grub':
        return this.#plainMenu(settings, (boots) => grubMenu(settings, boots));
    }
  }

  /** Begins the boot of a machine that gets no script. */
  async begin(mac: string, entry: Entry): Promise<void> {
    await this.#start(this.#settingsOf(mac), entry, undefined).catch(() => {});
  }

  /** What the room has for a machine; names have its MAC address alone, and rooms may know it by its UUID. */
  #settingsOf(mac: string): MachineSettings {
    const { room, seen } = this.#options;
    return settingsOf(room(), { mac, uuid: seen.get(mac).uuid });
  }

  /** Whoever asks for an entry of another machine would end what runs there, and see its secrets. */
  async #requireOwn(settings: MachineSettings, menu: MenuName, client: string): Promise<void> {
    try {
      await requireOwn(settings.mac, client, this.#options.known);
    } catch (error) {
      const { entries, hasMenu } = settings;
      const name = 'entry' in menu ? menu.entry : hasMenu ? undefined : entries[0]?.name;
      const entry = entries.find((each) => each.name === name);
      if (error instanceof StrangerError && entry !== undefined) {
        const { address, mac, message: failure } = error;
        const step = { kind: 'entry', timeMs: Date.now(), entry: entry.name, boot: entry.boot } as const;
        this.#options.onEntry({ ...step, mac, address, failure });
      }
      throw error;
    }
  }

  #firstScript(settings: MachineSettings): FoundFile | Promise<FoundFile> {
    if (settings.hasMenu) return scriptFile(ipxeMenu(settings, this.#server));
    return this.#scriptOf(settings, settings.entries[0]!, undefined);
  }

  #entryScript(settings: MachineSettings, { entry: name, overlay }: EntryName): FoundFile | Promise<FoundFile> {
    const entry = settings.entries.find((each) => each.name === name);
    return entry && this.#scriptOf(settings, entry, overlay);
  }

  async #scriptOf(settings: MachineSettings, entry: Entry, choice: OverlayChoice | undefined): Promise<FoundFile> {
    if (entry.overlay === 'ask' && choice === undefined && entry.image !== undefined) {
      return scriptFile(ipxeAsk(settings, entry, this.#server));
    }
    try {
      const { boot } = await this.#start(settings, entry, choice);
      return scriptFile(ipxeEntry(settings, entry, boot, this.#server));
    } catch (error) {
      if (!isVarveError(error)) throw error;
      return scriptFile(ipxeFailure(settings, error.message, this.#server));
    }
  }

  async #plainFile(settings: MachineSettings, { entry: name, index, kind, overlay }: FileName): Promise<FoundFile> {
    const entry = settings.entries.find((each) => each.name === name);
    if (entry === undefined) return undefined;
    const key = keyOf(settings, name);
    if (kind === 'kernel') {
      const started = await this.#start(settings, entry, overlay, true);
      this.#remember(key, started);
      return started.boot.kernel === undefined ? undefined : this.#options.files.open(started.boot.kernel);
    }
    const file = this.#begun.get(key)?.boot.initramfs?.[index];
    return file === undefined ? undefined : this.#options.files.open(file);
  }

  /** A menu of a loader without scripts: entries that cannot be booted now are left out. */
  async #plainMenu(settings: MachineSettings, menu: (boots: Map<string, EntryBoot>) => string): Promise<FoundFile> {
    const { place, seen, starter } = this.#options;
    const { address } = seen.get(settings.mac);
    const boots = new Map<string, EntryBoot>();
    for (const entry of settings.entries) {
      try {
        const described = await starter.describe({ settings, entry, place, address });
        boots.set(entry.name, described.boot);
        this.#remember(keyOf(settings, entry.name), described);
      } catch (error) {
        if (!isVarveError(error)) throw error;
        log.error(error);
      }
    }
    return scriptFile(menu(boots));
  }

  #remember(key: string, started: StartedBoot): void {
    this.#begun.delete(key);
    this.#begun.set(key, started);
    if (this.#begun.size > mostRemembered) this.#begun.delete(this.#begun.keys().next().value!);
  }

  async #start(
    settings: MachineSettings,
    entry: Entry,
    choice: OverlayChoice | undefined,
    hasTemplate = false,
  ): Promise<StartedBoot> {
    const { onEntry, place, seen, starter } = this.#options;
    const { mac } = settings;
    const { address } = seen.get(mac);
    const step = { kind: 'entry', mac, address, entry: entry.name, boot: entry.boot } as const;
    try {
      const started = await starter.start({ settings, entry, place, address, choice, hasTemplate });
      onEntry({ ...step, timeMs: Date.now(), image: started.image, files: started.files });
      return started;
    } catch (error) {
      const failure = error instanceof VarveError ? error.message : String(error);
      onEntry({ ...step, timeMs: Date.now(), image: entry.image, failure });
      log.error(error);
      throw error;
    }
  }
}

const mostRemembered = 10_000;

function keyOf({ mac }: MachineSettings, entry: string): string {
  return `${mac} ${entry}`;
}

function scriptFile(text: string): FoundFile {
  return memoryFile(Buffer.from(text), undefined, 'text/plain; charset=utf-8');
}
