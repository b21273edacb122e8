import { VarveError } from '../../../base/varve-error.ts';
import { dashedMac } from '../../../bytes/hardware-address.ts';
import type { Entry, MachineSettings } from '../room/room.ts';
import type { GuestBoot, InitramfsMaker } from './guest-boot.ts';
import type { IscsiPlace, NbdPlace, NfsPlace, RamPlace, RootPlace } from './root-place.ts';

/** What the arguments of a kernel follow from. */
export interface KernelArgumentsOptions {
  /** Where the root is; undefined for kernels that bring their own, such as installers. */
  readonly place?: RootPlace | undefined;
  /** What is known of the image. */
  readonly guest?: Pick<GuestBoot, 'maker' | 'root' | 'rootFlags'> | undefined;
  /** What else it is told, before what the entry says: where its template is. */
  readonly extra?: string | undefined;
}

/** NBD's own port; dracut knows no other. */
const nbdPort = 10_809;
const nfsPort = 2049;

/**
 * What a kernel and its initramfs are told so that they find their root; the entry's own arguments stand last.
 *
 * @throws VarveError `UNSUPPORTED` for a place that the initramfs cannot be told
 */
export function kernelArguments(
  { mac }: Pick<MachineSettings, 'mac'>,
  entry: Pick<Entry, 'arguments' | 'root'>,
  { extra, guest, place }: KernelArgumentsOptions,
): string {
  // The 1 is the type of the address: Ethernet. Source: SYSLINUX, SYSAPPEND.
  const words = [...argumentsFor(place, entry, guest), `BOOTIF=01-${dashedMac(mac)}`, extra ?? '', entry.arguments];
  return words.filter((word) => word !== '').join(' ');
}

/**
 * The same arguments with an address that is known already, as the kernel's `ip=` has it; without one where `address` is empty.
 * Debian's initramfs asks for one before its network card is up, and then waits: a boot takes ten seconds longer. Those of
 * dracut stay as they are, as it wants to know the name of the interface as well.
 *
 * Source: Linux, Documentation/admin-guide/nfs/nfsroot.rst, "ip".
 */
export function withKnownAddress(words: string, address: string): string {
  const all = words.split(' ');
  const index = all.indexOf(askForAddress);
  if (index < 0 || all.includes(askInDracut)) return words;
  return all.toSpliced(index, 1, ...(address === '' ? [] : [address])).join(' ');
}

const askForAddress = 'ip=dhcp';
const askInDracut = 'rd.neednet=1';

function argumentsFor(
  place: RootPlace | undefined,
  entry: Pick<Entry, 'root'>,
  guest: KernelArgumentsOptions['guest'],
): readonly string[] {
  if (place === undefined) return [];
  const isDracut = guest?.maker === 'dracut';
  const network = isDracut ? [askForAddress, askInDracut] : [askForAddress];
  if (place.kind === 'ram') return isDracut ? [...network, `root=live:${place.url}`] : liveArguments(place);
  if (place.kind === 'nfs') return [...nfsArguments(place, guest?.maker), ...network, 'ro'];
  const root = [`root=${rootOf(place, entry, guest)}`, ...(guest?.rootFlags ? [`rootflags=${guest.rootFlags}`] : [])];
  const disk = place.kind === 'nbd' ? nbdArguments(place, isDracut) : iscsiArguments(place, isDracut);
  return [...root, ...disk, ...network, 'ro'];
}

/** The device of the root, on the disk that `place` is. */
function rootOf(
  { kind }: NbdPlace | IscsiPlace,
  entry: Pick<Entry, 'root'>,
  guest: KernelArgumentsOptions['guest'],
): string {
  const [whole, partition] = kind === 'nbd' ? ['/dev/nbd0', 'p'] : ['/dev/sda', ''];
  if (entry.root !== undefined) return entry.root;
  if (typeof guest?.root === 'number') return `${whole}${partition}${guest.root}`;
  return guest?.root ?? whole;
}

/**
 * Source: nbd-client 3.24 (Debian), initramfs-tools/scripts/local-top/nbd; dracut 059, modules.d/95nbd/nbdroot.sh, whose
 * third part is a port or, where it is no number, the export's name.
 */
function nbdArguments({ address, exportName, port }: NbdPlace, isDracut: boolean): string[] {
  if (!isDracut) return [`nbdroot=${address}:${port}/${exportName}`, 'nbddev=/dev/nbd0'];
  if (port === nbdPort && !/^\d+$/.test(exportName)) return [`netroot=nbd:${address}:${exportName}`];
  throw new VarveError(
    'UNSUPPORTED',
    `cannot tell an initramfs of dracut to use ${exportName} on port ${port} of NBD: it knows port ${nbdPort} alone`,
  );
}

/** Source: open-iscsi 2.1.8 (Debian), initramfs-tools/scripts/local-top/iscsi; dracut.cmdline(7), "iSCSI". */
function iscsiArguments({ address, chap, initiator, port, target }: IscsiPlace, isDracut: boolean): string[] {
  const name = (own: string, dracut: string): string => (isDracut ? `rd.iscsi.${dracut}` : `iscsi_${own}`);
  const login = [
    [name('username', 'username'), chap?.user],
    [name('password', 'password'), chap?.secret],
    [name('in_username', 'in.username'), chap?.mutualUser],
    [name('in_password', 'in.password'), chap?.mutualSecret],
  ] as const;
  const words = login.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${plainWord(value)}`]));
  words.unshift(`${name('initiator', 'initiator')}=${initiator}`);
  if (isDracut) return [`netroot=iscsi:${address}::${port}:0:${target}`, ...words];
  return [`iscsi_target_name=${target}`, `iscsi_target_ip=${address}`, `iscsi_target_port=${port}`, ...words];
}

/**
 * Source: initramfs-tools 0.142, scripts/nfs, whose nfsmount (klibc) asks the port mapper for the port of mounts and knows no
 * option for it; dracut 059, modules.d/95nfs/parse-nfsroot.sh.
 */
function nfsArguments({ address, mountPort, path, port }: NfsPlace, maker: InitramfsMaker | undefined): string[] {
  const options = ['vers=3', 'tcp', 'nolock', 'ro'];
  if (port !== nfsPort) options.push(`port=${port}`);
  if (maker !== 'dracut') return ['root=/dev/nfs', `nfsroot=${address}:${path},${options.join(',')}`];
  return [`root=nfs:${address}:${path}:${[...options, `mountport=${mountPort}`].join(',')}`];
}

/** Source: live-boot 20230131, 9990-mount-http.sh; it finds the network by itself, and takes `ip=dhcp` for a device's name. */
function liveArguments({ url }: RamPlace): string[] {
  return ['boot=live', `fetch=${url}`];
}

/** Names and secrets stand on the kernel's command line, where blanks and quotes end them or change what they are. */
function plainWord(text: string): string {
  if (/^[!#%&(-[\]-~]+$/.test(text)) return text;
  throw new VarveError(
    'UNSUPPORTED',
    "cannot write the CHAP user or secret on a kernel's command line: it has blanks, quotes, dollars, backslashes or letters beyond ASCII; use others, or boot: sanboot",
  );
}
