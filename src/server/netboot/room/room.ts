import type { Platform } from '../../../protocol/dhcp/architectures.ts';
import type { Ipv4 } from '../../../protocol/dhcp/ipv4.ts';

/** How a machine gets its kernel and its root; docs/room.md says what each of them is. */
export type BootMethod = 'sanboot' | 'iscsi' | 'nbd' | 'nfs' | 'ram' | 'kernel' | 'local';

/** What becomes of what a machine wrote when it boots again. */
export type OverlayPolicy = 'discard' | 'keep' | 'ask';

/** Whether addresses are given out, answers stand beside another server's, or what is found decides. */
export type DhcpMode = 'auto' | 'server' | 'proxy' | 'off';

/** What an unattended install reads. */
export type TemplateKind = 'preseed' | 'kickstart' | 'autoinstall' | 'cloud-init' | 'ignition';

/** Addresses from the first to the last. */
export type AddressRange = readonly [first: Ipv4, last: Ipv4];

/** A network in which machines get addresses. */
export interface NetworkSettings {
  /** The network's own address, with `prefix` bits of it. */
  readonly network: Ipv4;
  readonly prefix: number;
  /** First and last address that is given out; all of it where there are none. */
  readonly ranges: readonly AddressRange[];
  readonly routers: readonly Ipv4[];
  readonly nameServers: readonly Ipv4[];
  readonly domain: string | undefined;
  readonly leaseSeconds: number;
  /** How many addresses only known machines get. */
  readonly reserve: number;
}

/** A file that is rendered for each machine. */
export interface TemplateSettings {
  readonly kind: TemplateKind;
  /** An absolute path. */
  readonly file: string;
}

/** Something a machine can boot. */
export interface Entry {
  readonly name: string;
  /** What menus show. */
  readonly title: string;
  readonly boot: BootMethod;
  readonly overlay: OverlayPolicy;
  /** `web` or `web@3`. Where there is one it is not `local`. */
  readonly image: string | undefined;
  /** An absolute path of a directory that has kernel and initramfs; only with `kernel`. */
  readonly files: string | undefined;
  /** Its path inside the image, or in `files`; undefined where it is to be found in the image. */
  readonly kernel: string | undefined;
  readonly initramfs: string | undefined;
  /** What stands for `root=`, where what the image says is not right: `UUID=…`, `/dev/nbd0p1`. */
  readonly root: string | undefined;
  /** For the kernel, after all others. */
  readonly arguments: string;
  readonly template: TemplateSettings | undefined;
  /** With `sanboot`: whether iPXE gets a script; else DHCP tells it the disk, and nothing more. */
  readonly hasScript: boolean;
}

/** Which machines get what. */
export interface Machine {
  /** In small letters; with `*` for what may stand there. */
  readonly mac: string | undefined;
  /** In small letters. */
  readonly uuid: string | undefined;
  readonly name: string | undefined;
  readonly address: Ipv4 | undefined;
  /** Names of entries in order; all where there are none. */
  readonly entries: readonly string[];
  readonly overlay: OverlayPolicy | undefined;
  /** For the kernel, after the entry's. */
  readonly arguments: string;
  readonly variables: Readonly<Record<string, string>>;
  /** How much it has, in bytes, where somebody says so. */
  readonly memory: number | undefined;
  /** Whether it sees a menu, where something is said of that. */
  readonly menu: boolean | undefined;
}

/** Of menus. */
export interface MenuSettings {
  /** After which the default is taken; 0 where it waits for ever. */
  readonly timeoutMs: number;
  /** An entry's name, or `local` for the machine's own disk. */
  readonly defaultEntry: string | undefined;
  /** Whether one is shown where a machine has a single entry, too. */
  readonly always: boolean;
}

/** How machines have to say who they are to an iSCSI target, and it to them. */
export interface ChapSettings {
  readonly user: string;
  /** An absolute path; the file's first line is the secret. */
  readonly secretFile: string;
  readonly mutualUser: string | undefined;
  readonly mutualSecretFile: string | undefined;
}

/** A room of machines, and what each of them boots. */
export interface Room {
  readonly interfaces: readonly string[];
  readonly dhcp: DhcpMode;
  /** Empty where they are those of the interfaces. */
  readonly networks: readonly NetworkSettings[];
  /** Of the interfaces' own networks, where `networks` is empty: first and last address that is given out. */
  readonly ranges: readonly AddressRange[];
  /** Absolute paths, where another loader is served than the one that is found. */
  readonly loaders: Readonly<Partial<Record<Platform, string>>>;
  readonly menu: MenuSettings;
  /** By name, in the file's order. Never empty. */
  readonly entries: ReadonlyMap<string, Entry>;
  readonly machines: readonly Machine[];
  readonly chap: ChapSettings | undefined;
  /** The absolute path of a directory with certificates, where files are served over HTTPS, too. */
  readonly certificates: string | undefined;
  /** Absolute paths of files that templates may have the content of, by the names that templates call them by. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** What the room has for one machine. */
export interface MachineSettings {
  /** `52:54:00:12:34:56`. */
  readonly mac: string;
  readonly uuid: string | undefined;
  /** What it is called; its MAC address with `-` where nobody named it. */
  readonly name: string;
  readonly address: Ipv4 | undefined;
  /** In order, never empty, with the overlay policy and the arguments that hold for this machine. */
  readonly entries: readonly Entry[];
  /** What is booted where nobody chooses; undefined for the machine's own disk. */
  readonly defaultEntry: Entry | undefined;
  /** Whether it gets a menu; else it boots `entries[0]` at once. */
  readonly hasMenu: boolean;
  /** Until the menu takes the default; 0 where it waits for ever. */
  readonly menuTimeoutMs: number;
  readonly variables: Readonly<Record<string, string>>;
  readonly memory: number | undefined;
  /** Whether the room names this very machine, by its MAC address or UUID. */
  readonly isKnown: boolean;
}
