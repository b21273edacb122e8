import { compareVersions } from '../../../changes/meaning/compare-versions.ts';
import { deviceName, parseFstab } from '../../../guest/fstab.ts';
import type { GuestTree } from '../../../guest/guest-tree.ts';
import type { Guest } from '../../../guest/open-guest.ts';
import { entriesOf, readText } from '../../../inspect/guest-files.ts';
import { type Kernel, kernelsOf } from '../../../inspect/system/kernels.ts';
import type { BootMethod, Entry } from '../room/room.ts';

/** What makes the initramfs of a system. */
export type InitramfsMaker = 'initramfs-tools' | 'dracut' | 'mkinitcpio' | 'mkinitfs';

/** How a guest's own kernel is started on its root. */
export interface GuestBoot {
  /** The path of the newest kernel that has an initramfs, without symlinks; undefined where there is none. */
  readonly kernel: string | undefined;
  readonly initramfs: readonly string[];
  readonly maker: InitramfsMaker | undefined;
  /** For which of these boot methods the system has what an initramfs of its kind needs. */
  readonly roots: ReadonlySet<BootMethod>;
  /** `UUID=…`, `LABEL=…`; a partition's number; undefined for the disk as a whole. */
  readonly root: string | number | undefined;
  /** `subvol=@`, where the root is a part of its file system. */
  readonly rootFlags: string | undefined;
}

/** Looks at what a guest has for booting it over a network. @throws VarveError `CORRUPT` */
export async function guestBootOf(guest: Pick<Guest, 'tree' | 'mounts'>): Promise<GuestBoot> {
  const { tree } = guest;
  const kernel = await newestKernel(tree);
  const maker = await makerOf(tree);
  return {
    kernel: kernel?.path,
    initramfs: kernel?.initrds ?? [],
    maker,
    roots: maker === undefined ? new Set() : await rootsOf(tree, maker),
    ...(await rootOf(guest)),
  };
}

/** What keeps a guest from booting an entry, as a sentence with what to do; undefined where nothing is known to. */
export function missingForBoot(
  guest: GuestBoot,
  { boot, image, kernel }: Pick<Entry, 'boot' | 'image' | 'kernel'>,
): string | undefined {
  if (boot === 'local' || boot === 'sanboot' || kernel !== undefined) return undefined;
  if (guest.kernel === undefined) return `${image} has no kernel with an initramfs in /boot; name them in the entry`;
  if (boot === 'kernel' || guest.maker === undefined || guest.roots.has(boot)) return undefined;
  const packages = packagesFor[guest.maker]?.[boot];
  const remedy = packages === undefined ? 'choose another boot method' : `in it, install ${packages}`;
  return `the initramfs of ${image} (${guest.maker}) is not made for boot: ${boot}; ${remedy}`;
}

/** What has to be in a system so that its initramfs has it, as Debian and Fedora call the packages. */
const packagesFor: Partial<Record<InitramfsMaker, Partial<Record<BootMethod, string>>>> = {
  'initramfs-tools': { nbd: 'nbd-client', iscsi: 'open-iscsi', ram: 'live-boot' },
  dracut: {
    nbd: 'nbd and dracut-network, and make its initramfs with --no-hostonly --add nbd',
    iscsi: 'iscsi-initiator-utils and dracut-network, and make its initramfs with --no-hostonly --add iscsi',
    nfs: 'nfs-utils and dracut-network, and make its initramfs with --no-hostonly --add nfs',
    ram: 'dracut-live, and make its initramfs with --no-hostonly --add "dmsquash-live livenet"',
  },
};

async function newestKernel(tree: GuestTree): Promise<Kernel | undefined> {
  const kernels = (await kernelsOf(tree)).map((kernel) => ({ ...kernel, initrds: kernel.initrds.filter(isPlain) }));
  const whole = kernels.filter(({ initrds, path }) => initrds.length > 0 && isPlain(path));
  // What the system itself has for its newest one; there it may be another one than the highest version.
  for (const link of ['/vmlinuz', '/boot/vmlinuz']) {
    const path = (await tree.find(link))?.path;
    const linked = whole.find((kernel) => kernel.path === path);
    if (linked !== undefined) return linked;
  }
  return whole.toSorted((a, b) => compareKernels(b.version ?? '', a.version ?? ''))[0];
}

/** By version: 6.1.0-18 is after 6.1.0-9, and a candidate before what it is one for, as linux-version(1) has it. */
function compareKernels(a: string, b: string): number {
  const comparable = (version: string): string => version.replace(/-rc/g, '~rc');
  return compareVersions(comparable(a), comparable(b));
}

/** Whether a file is for starting as usual. */
function isPlain(path: string): boolean {
  return !/rescue|fallback|kdump|memtest/i.test(path.slice(path.lastIndexOf('/') + 1));
}

async function makerOf(tree: GuestTree): Promise<InitramfsMaker | undefined> {
  // In this order: Debian's dracut has programs that are called as those of initramfs-tools.
  const programs: readonly (readonly [InitramfsMaker, string])[] = [
    ['dracut', '/usr/bin/dracut'],
    ['initramfs-tools', '/usr/sbin/mkinitramfs'],
    ['mkinitcpio', '/usr/bin/mkinitcpio'],
    ['mkinitfs', '/sbin/mkinitfs'],
  ];
  for (const [maker, path] of programs) if ((await tree.find(path)) !== undefined) return maker;
  return undefined;
}

/** By boot method, what an initramfs of a kind is made with. */
const scripts: Partial<Record<BootMethod, string>> = {
  nbd: 'local-top/nbd',
  iscsi: 'local-top/iscsi',
  nfs: 'nfs',
  ram: 'live',
};
const modules: Partial<Record<BootMethod, string>> = { nbd: 'nbd', iscsi: 'iscsi', nfs: 'nfs', ram: 'livenet' };

async function rootsOf(tree: GuestTree, maker: InitramfsMaker): Promise<ReadonlySet<BootMethod>> {
  const roots = new Set<BootMethod>();
  if (maker === 'initramfs-tools') {
    for (const [boot, script] of Object.entries(scripts)) {
      const places = ['/usr/share', '/etc'].map((place) => `${place}/initramfs-tools/scripts/${script}`);
      for (const place of places) if ((await tree.find(place)) !== undefined) roots.add(boot as BootMethod);
    }
  } else if (maker === 'dracut') {
    const installed = (await entriesOf(tree, '/usr/lib/dracut/modules.d')).map(({ name }) => name.replace(/^\d+/, ''));
    const settings = await dracutSettings(tree);
    const isGeneric = /^\s*hostonly=["']?no\b/m.test(settings);
    for (const [boot, module] of Object.entries(modules)) {
      const isAsked = new RegExp(`^[^#\\n]*dracutmodules.*\\b${module}\\b`, 'm').test(settings);
      if (installed.includes(module) && (isGeneric || isAsked)) roots.add(boot as BootMethod);
    }
  }
  return roots;
}

/** All that dracut reads, one file after the other. Source: dracut.conf(5). */
async function dracutSettings(tree: GuestTree): Promise<string> {
  const texts = [(await readText(tree, '/etc/dracut.conf'))?.text ?? ''];
  for (const directory of ['/usr/lib/dracut/dracut.conf.d', '/etc/dracut.conf.d']) {
    for (const { name, path } of (await entriesOf(tree, directory)).slice(0, 100)) {
      if (name.endsWith('.conf')) texts.push((await readText(tree, path))?.text ?? '');
    }
  }
  return texts.join('\n');
}

/** What the root is called: as the system's own table has it where that holds on any disk, else by its file system. */
async function rootOf({
  mounts,
  tree,
}: Pick<Guest, 'tree' | 'mounts'>): Promise<Pick<GuestBoot, 'root' | 'rootFlags'>> {
  const table = parseFstab((await readText(tree, '/etc/fstab'))?.text ?? '');
  const line = table.find(({ directory }) => directory === '/');
  const volume = mounts.find(({ directory }) => directory === '/')?.volume;
  const path = line?.subvolume?.path;
  const rootFlags = path === undefined || /[\s,"']/.test(path) ? undefined : `subvol=${path}`;
  const { key, value } = deviceName(line?.device ?? '');
  if (key !== 'path' && /^[\w.:-]+$/.test(value)) return { root: `${key}=${value}`, rootFlags };
  const uuid = volume?.identity?.uuid;
  if (uuid !== undefined) return { root: `UUID=${uuid}`, rootFlags };
  return { root: volume?.partition?.number, rootFlags };
}
