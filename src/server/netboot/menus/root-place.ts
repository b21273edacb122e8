import { dashedMac } from '../../../bytes/hardware-address.ts';
/** The secret by which a machine says who it is to a target; and the target to it, where `mutualUser` is there. */
export interface ChapLogin {
  readonly user: string;
  readonly secret: string;
  readonly mutualUser?: string | undefined;
  readonly mutualSecret?: string | undefined;
}

/** A disk over iSCSI; it is LUN 0. */
export interface IscsiPlace {
  readonly kind: 'iscsi';
  readonly address: string;
  readonly port: number;
  /** `iqn.2026-11.internal.varve:52-54-00-12-34-56` */
  readonly target: string;
  readonly initiator: string;
  readonly chap?: ChapLogin | undefined;
}

/** A disk over NBD. */
export interface NbdPlace {
  readonly kind: 'nbd';
  readonly address: string;
  readonly port: number;
  readonly exportName: string;
}

/** Files over NFSv3. */
export interface NfsPlace {
  readonly kind: 'nfs';
  readonly address: string;
  readonly path: string;
  readonly port: number;
  readonly mountPort: number;
}

/** A file system that is fetched as a whole; its name ends in `.squashfs`. */
export interface RamPlace {
  readonly kind: 'ram';
  readonly url: string;
}

/** Where a machine has its root. */
export type RootPlace = IscsiPlace | NbdPlace | NfsPlace | RamPlace;

const iscsiPort = 3260;

/** A target as option 17 and iPXE name it. Source: RFC 4173, section 5. */
export function iscsiRootPath({ address, port, target }: Pick<IscsiPlace, 'address' | 'port' | 'target'>): string {
  return `iscsi:${address}::${port === iscsiPort ? '' : port}:0:${target}`;
}

/** The name by which a machine logs in. */
export function initiatorName(mac: string): string {
  return `iqn.2026-11.internal.varve:initiator:${dashedMac(mac)}`;
}
