import type { FactSource } from '../fact.ts';

/** Something that starts by itself: with the system, or when it is asked for (sockets, paths). */
export interface Service {
  /** systemd's with its kind (`ssh.service`), others' without. */
  readonly name: string;
  readonly manager: 'systemd' | 'sysvinit' | 'OpenRC' | 'Windows';
  readonly description?: string | undefined;
  /** With what it starts: targets, or run levels. */
  readonly enabledBy: readonly string[];
  /** What systemd's presets say of it, where there are any. */
  readonly preset?: 'enable' | 'disable' | undefined;
  /** The link that enables it. */
  readonly source: FactSource;
}

/** Services beyond this are left out. */
export const mostServices = 20_000;
