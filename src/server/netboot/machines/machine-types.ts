import type { MachineOverlay } from '../../../image/machine/machine-overlays.ts';
import type { Snapshot } from '../../../store/image-table.ts';
import type { OverlayPolicy } from '../../../store/overlay/machine-owner.ts';

/** A boot that begins: somebody fetched the script of an entry. */
export interface BeginOptions {
  /** In any usual spelling. */
  readonly mac: string;
  /** The room's name for the machine, by which commands know it, too. */
  readonly name?: string | undefined;
  /** The name of the entry. */
  readonly entry: string;
  /** `web`, `web@3`, `web@tag`; the newest snapshot where none is named. */
  readonly image: string;
  readonly overlay: OverlayPolicy;
}

/** What a machine boots. */
export interface MachineBoot {
  /** `52-54-00-12-34-56` */
  readonly mac: string;
  readonly name: string | undefined;
  readonly entry: string;
  /** The image's name. It is another one than was asked for where `next` said so. */
  readonly image: string;
  /** The number of the snapshot that its overlay lies on. */
  readonly number: number;
  /** `web@3` */
  readonly reference: string;
  /** The disk's size in bytes. */
  readonly size: number;
  readonly overlay: OverlayPolicy;
  /** Whether the overlay is one that was kept. */
  readonly isKept: boolean;
  /** What its NBD export is called, and its iSCSI target behind the usual prefix: the MAC with dashes. */
  readonly exportName: string;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
}

/** How machines come to their disks. */
export type MachineProtocol = 'nbd' | 'iscsi';

/** Something that a machine does to its disk, or that is done to it. */
export interface MachineEvent {
  readonly mac: string;
  readonly name: string | undefined;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  /**
   * `begin`: its boot begins; `login`: a connection more (`connectionCount` are there then); `logout`: one less;
   * `first-write`: the first write of this boot; `cut`: its connections were ended; `commit`; `reset`; `failed`: its disk
   * cannot be opened.
   */
  readonly kind: 'begin' | 'login' | 'logout' | 'first-write' | 'cut' | 'commit' | 'reset' | 'failed';
  /** `web@3 of alice`, or what went wrong. */
  readonly detail: string;
  /** How it is connected, as far as that is known: of a login, a logout and what failed. */
  readonly protocol?: MachineProtocol | undefined;
  /** Connections that are there now. */
  readonly connectionCount: number;
}

/** A machine, as `varve netboot clients` lists it. Times are milliseconds since 1970. */
export interface MachineStatus {
  readonly mac: string;
  readonly name: string | undefined;
  /** What it booted last; undefined where it has not yet, or was reset since. */
  readonly boot: (MachineOverlay & { readonly entry: string; readonly sinceMs: number }) | undefined;
  /** Overlays besides, which a boot from these images goes on with. */
  readonly kept: readonly MachineOverlay[];
  readonly isConnected: boolean;
  readonly lastContactMs: number;
  /** When it first wrote in this boot. */
  readonly firstWriteMs: number | undefined;
  /** The image that its next boot is from, once. */
  readonly next: string | undefined;
}

/** How machines are served. */
export interface MachinesOptions {
  readonly onEvent?: ((event: MachineEvent) => void) | undefined;
  /** How long a disk that nobody is connected to stays open, in milliseconds; a minute by default. */
  readonly idleMs?: number | undefined;
  /** So many machines are remembered; 10,000 by default. */
  readonly maximumMachines?: number | undefined;
}

/** What became of `commit`. */
export interface MachineCommit {
  /** Undefined where the machine changed nothing, and the image is its own. */
  readonly snapshot: Snapshot | undefined;
}
