import { colonMac, dashedMac } from '../../../bytes/hardware-address.ts';

/** What to do with an overlay that is there, as somebody chose in a menu. */
export type OverlayChoice = 'keep' | 'discard';

/** A name that stands for something of one machine. */
export type MenuName = { readonly mac: string } & (
  | { readonly kind: 'menu' | 'pxelinux' | 'grub' }
  /** The script of an entry; asking for it begins a boot. */
  | { readonly kind: 'entry'; readonly entry: string; readonly overlay: OverlayChoice | undefined }
  /** For loaders without scripts: the kernel of an entry, which begins a boot, or one of its initramfs. */
  | {
      readonly kind: 'kernel' | 'initramfs';
      readonly entry: string;
      readonly overlay: OverlayChoice | undefined;
      /** Which initramfs, from 0. */
      readonly index: number;
    }
);

const mac = '([0-9a-f]{2}(?:-[0-9a-f]{2}){5})';
const entry = '([A-Za-z0-9][A-Za-z0-9._-]{0,62}?)';
const overlay = '(?:/(keep|discard))?';
const menu = new RegExp(`^ipxe/${mac}\\.ipxe$`);
const script = new RegExp(`^ipxe/${mac}/${entry}${overlay}\\.ipxe$`);
const pxelinux = new RegExp(`^(?:pxelinux\\.cfg|loader/pxelinux\\.cfg)/01-${mac}$`);
const grub = new RegExp(`^grub/grub\\.cfg-01-${mac}$`);
const file = new RegExp(`^pxe/${mac}/${entry}${overlay}/(?:(kernel)|initramfs([0-9]))$`);

/** What a name is that was asked for, by TFTP or HTTP; undefined for what is nobody's. */
export function parseMenuName(name: string): MenuName | undefined {
  const plain = name.replace(/^\/+/, '');
  const simple = [
    ['menu', menu],
    ['pxelinux', pxelinux],
    ['grub', grub],
  ] as const;
  for (const [kind, pattern] of simple) {
    const [, address] = pattern.exec(plain) ?? [];
    if (address !== undefined) return { kind, mac: colonMac(address) };
  }
  const [, owner, entryName, choice] = script.exec(plain) ?? [];
  if (owner !== undefined) {
    return { kind: 'entry', mac: colonMac(owner), entry: entryName!, overlay: choice as OverlayChoice | undefined };
  }
  const [, address, ofEntry, chosen, isKernel, index = '0'] = file.exec(plain) ?? [];
  if (address === undefined) return undefined;
  const common = { mac: colonMac(address), entry: ofEntry!, overlay: chosen as OverlayChoice | undefined };
  return { ...common, kind: isKernel === undefined ? 'initramfs' : 'kernel', index: Number(index) };
}

/** The name of the script that a machine begins with. */
export function menuName(address: string): string {
  return `ipxe/${dashedMac(address)}.ipxe`;
}

/** The name of the script that begins a boot. */
export function entryName(address: string, of: string, choice?: OverlayChoice): string {
  return `ipxe/${dashedMac(address)}/${of}${choice === undefined ? '' : `/${choice}`}.ipxe`;
}

/** The name by which loaders without scripts get the kernel of an entry, or an initramfs (`initramfs0`). */
export function fileName(address: string, of: string, choice: OverlayChoice | undefined, part: string): string {
  return `pxe/${dashedMac(address)}/${of}${choice === undefined ? '' : `/${choice}`}/${part}`;
}

/** A name as it stands in an address of the web. */
export function urlOf(server: string, name: string): string {
  const path = name.split('/').filter((part) => part !== '');
  return `${server}/${path.map((part) => encodeURIComponent(part).replaceAll('%40', '@')).join('/')}`;
}
