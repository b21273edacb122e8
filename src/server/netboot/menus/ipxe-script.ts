import { formatDuration } from '../../../base/duration.ts';
import type { Entry, MachineSettings } from '../room/room.ts';
import { withKnownAddress } from './kernel-arguments.ts';
import { entryName, menuName, type OverlayChoice, urlOf } from './menu-names.ts';
import { type ChapLogin, type IscsiPlace, iscsiRootPath } from './root-place.ts';

/** The server, as scripts name it. */
export interface MenuServer {
  /** `http://10.9.0.1:8080`, without `/` at its end. */
  readonly http: string;
}

/** What an entry boots once its boot has begun. */
export interface EntryBoot {
  /** What is booted, for people: `web@3`. */
  readonly label: string;
  /** The names by which the server has kernel and initramfs: `image/web@3/boot/vmlinuz`. */
  readonly kernel?: string | undefined;
  readonly initramfs?: readonly string[] | undefined;
  /** Of the kernel, as `kernelArguments` makes them. */
  readonly arguments?: string | undefined;
  /** The disk whose own boot loader starts, with `boot: sanboot`. */
  readonly disk?: IscsiPlace | undefined;
}

/** How long a message of what failed stands there. */
const retryMs = 10_000;

/** The menu of a machine: its own disk first, then its entries. */
export function ipxeMenu(settings: MachineSettings, server: MenuServer): string {
  const { defaultEntry, entries, mac, menuTimeoutMs, name } = settings;
  const items = entries.filter(({ boot }) => boot !== 'local');
  return script(settings, server, [
    ':choose',
    `menu What to boot on ${name}`,
    `item local ${ownDiskTitle(settings)}`,
    ...items.map((entry) => `item ${entry.name} ${entry.title}`),
    ...chooseLines(localIn(defaultEntry) ?? defaultEntry?.name ?? 'local', menuTimeoutMs),
    `goto boot-${setting('choice')}`,
    ...localLines(),
    ...items.flatMap((entry) => [`:boot-${entry.name}`, chain(urlOf(server.http, entryName(mac, entry.name)))]),
  ]);
}

/** The menu that asks what is to become of a machine's overlay; keeping it is the default, as nothing is lost by it. */
export function ipxeAsk(settings: MachineSettings, entry: Entry, server: MenuServer): string {
  const url = (choice: OverlayChoice): string => urlOf(server.http, entryName(settings.mac, entry.name, choice));
  return script(settings, server, [
    ':choose',
    `menu What this machine changed before in ${entry.title}`,
    'item keep Keep it',
    'item discard Throw it away and start afresh',
    ...chooseLines('keep', settings.menuTimeoutMs),
    `goto boot-${setting('choice')}`,
    ...(['keep', 'discard'] as const).flatMap((choice) => [`:boot-${choice}`, chain(url(choice))]),
  ]);
}

/** The script that boots an entry. */
export function ipxeEntry(settings: MachineSettings, entry: Entry, boot: EntryBoot, server: MenuServer): string {
  if (entry.boot === 'local') return script(settings, server, localLines());
  const lines = boot.disk === undefined ? kernelLines(settings, boot, server) : diskLines(boot.disk);
  return script(settings, server, [`echo ${settings.name}: ${entry.title} (${boot.label})`, ...lines]);
}

/** The script of what cannot be booted now: it says why, and tries again. */
export function ipxeFailure(settings: MachineSettings, reason: string, server: MenuServer): string {
  return script(settings, server, [`echo ${settings.name}: ${plainText(reason)}`]);
}

/** A script whose lines go to `failed` where they fail: that says so, waits, and begins again. */
function script({ mac, name }: MachineSettings, server: MenuServer, lines: readonly string[]): string {
  const again = urlOf(server.http, menuName(mac));
  return [
    '#!ipxe',
    `# ${name} (${mac})`,
    // Where another loader started iPXE as a kernel, it has no address yet.
    `isset ${setting('ip')} || dhcp || goto failed`,
    ...lines,
    'goto failed',
    ':failed',
    'echo',
    `echo ${name} could not start this; it is tried again in ${formatDuration(retryMs)}`,
    `prompt --timeout ${retryMs} Press any key to try again at once ||`,
    ':again',
    `isset ${setting('ip')} || dhcp ||`,
    `chain --replace --autofree ${again} ||`,
    `echo ${again} does not answer`,
    'sleep 5',
    'goto again',
    '',
  ].join('\n');
}

function chooseLines(first: string, timeoutMs: number): string[] {
  const timeout = timeoutMs === 0 ? '' : `--timeout ${timeoutMs} `;
  return [`choose --default ${first} ${timeout}choice || goto choose`];
}

/** What menus call the machine's own disk. */
export function ownDiskTitle({ entries }: MachineSettings): string {
  return entries.find(({ boot }) => boot === 'local')?.title ?? 'The disk of this machine';
}

/** A BIOS starts its first disk; EFI goes on with its own boot order. */
function localLines(): string[] {
  return [
    ':boot-local',
    `iseq ${setting('platform')} efi && exit 0 ||`,
    'sanboot --no-describe --drive 0x80 || goto failed',
  ];
}

function localIn(entry: Entry | undefined): 'local' | undefined {
  return entry?.boot === 'local' ? 'local' : undefined;
}

function chain(url: string): string {
  return `chain --replace --autofree ${url} || goto failed`;
}

/** On EFI the kernel looks for its initramfs by the name that its own arguments have. */
function kernelLines({ name }: MachineSettings, boot: EntryBoot, { http }: MenuServer): string[] {
  const { arguments: given = '', initramfs = [], kernel = '' } = boot;
  const [ip, gateway, netmask, dns] = ['ip', 'gateway', 'netmask', 'dns'].map(setting);
  const words = withKnownAddress(given, `ip=${ip}::${gateway}:${netmask}:${name}::off:${dns}`);
  const named = initramfs.map((file, index) => ({ name: `initramfs${index}`, url: urlOf(http, file) }));
  const all = [...named.map(({ name }) => `initrd=${name}`), words].filter((word) => word !== '');
  return [
    'imgfree',
    `kernel --name kernel ${[urlOf(http, kernel), ...all].join(' ')} || goto failed`,
    ...named.map(({ name, url }) => `initrd --name ${name} ${url} || goto failed`),
    'boot || goto failed',
  ];
}

function diskLines(disk: IscsiPlace): string[] {
  return [
    `set initiator-iqn ${disk.initiator}`,
    ...loginLines(disk.chap),
    'set keep-san 1',
    `sanboot ${iscsiRootPath(disk)} || goto failed`,
  ];
}

function loginLines(chap: ChapLogin | undefined): string[] {
  const settings = [
    ['username', chap?.user],
    ['password', chap?.secret],
    ['reverse-username', chap?.mutualUser],
    ['reverse-password', chap?.mutualSecret],
  ] as const;
  // What an earlier entry set would otherwise stay.
  return settings.map(([name, value]) => (value === undefined ? `clear ${name} ||` : `set ${name}:hex ${hex(value)}`));
}

/** As iPXE takes any bytes, whatever they would mean in a script. */
function hex(text: string): string {
  return Array.from(Buffer.from(text), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** What iPXE puts a setting's value for. */
function setting(name: string): string {
  return `$\{${name}}`;
}

/** A message as scripts can show it. */
function plainText(text: string): string {
  const line = text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .replaceAll(/\$(?=\{)/g, '$ ')
    .slice(0, 500);
  return line.replace(/(^|\s)(&&|\|\||;|#)(?=\s|$)/g, '$1.$2');
}
