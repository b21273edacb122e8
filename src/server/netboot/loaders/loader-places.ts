import type { Platform } from '../../../protocol/dhcp/architectures.ts';

/** A file that may be there, and the name it is served by. */
export interface LoaderPlace {
  readonly name: string;
  /** Relative to the root of this system. */
  readonly path: string;
}

const debian = 'usr/lib/ipxe';
const fedora = 'usr/share/ipxe';

/**
 * Where loaders of iPXE are, the best first: those for PXE use the firmware's own network driver, which is known to work as it
 * has just loaded them. Source: the file lists of Debian's and Ubuntu's `ipxe`, and Fedora's `ipxe-bootimgs`.
 */
export const pxeLoaders: Readonly<Partial<Record<Platform, readonly LoaderPlace[]>>> = {
  bios: [
    ...places('undionly.kpxe', [`${debian}/undionly.kpxe`, `${fedora}/undionly.kpxe`]),
    ...places('ipxe.pxe', [`${debian}/ipxe.pxe`]),
  ],
  'efi-x64': [
    ...places('snponly.efi', [`${debian}/snponly.efi`, `${fedora}/ipxe-snponly-x86_64.efi`]),
    ...places('ipxe.efi', [`${debian}/ipxe.efi`, 'boot/ipxe.efi', `${fedora}/ipxe-x86_64.efi`]),
  ],
  'efi-ia32': places('ipxe-ia32.efi', [`${debian}/ipxe-ia32.efi`, `${fedora}/ipxe-i386.efi`]),
  'efi-arm64': [
    ...places('snponly-arm64.efi', [`${debian}/snponly-arm64.efi`, `${fedora}/arm64-efi/snponly.efi`]),
    ...places('ipxe-arm64.efi', [`${debian}/ipxe-arm64.efi`, 'boot/ipxe-arm64.efi', `${fedora}/arm64-efi/ipxe.efi`]),
  ],
};

/** Those for firmware that loads over HTTP, which may bring no network driver that others can use. */
export const httpLoaders: Readonly<Partial<Record<Platform, readonly LoaderPlace[]>>> = {
  'efi-x64': [...pxeLoaders['efi-x64']!].reverse(),
  'efi-arm64': [...pxeLoaders['efi-arm64']!].reverse(),
};

/** iPXE as a kernel, by which loaders that know no iSCSI start it. */
export const kernelLoader: readonly LoaderPlace[] = places('ipxe.lkrn', [`${debian}/ipxe.lkrn`, 'boot/ipxe.lkrn']);

/** What a loader looks for beside itself. */
interface Companions {
  /** The loader's own name. */
  readonly of: RegExp;
  readonly files: readonly LoaderPlace[];
  /** The one without which it does nothing, and Debian's package that has it. */
  readonly needed: { readonly name: string; readonly package: string };
}

const modules = 'usr/lib/syslinux/modules';

/**
 * What a loader looks for beside itself, by the loader's own name, where it is not beside it on this system. Source: SYSLINUX 6,
 * "Library modules"; shim, README.fallback and shim.c (second stage, MokManager, revocations).
 */
export const companions: readonly Companions[] = [
  {
    of: /^l?pxelinux\.0$/,
    needed: { name: 'ldlinux.c32', package: 'syslinux-common' },
    files: ['ldlinux.c32', 'menu.c32', 'libutil.c32', 'libcom32.c32'].flatMap((name) =>
      places(name, [`${modules}/bios/${name}`]),
    ),
  },
  shim('x64', 'x86_64', 'amd64'),
  shim('aa64', 'arm64', 'arm64'),
  shim('ia32', 'i386', 'ia32'),
];

function shim(suffix: string, platform: string, architecture: string): Companions {
  const signed = `usr/lib/grub/${platform}-efi-signed`;
  return {
    of: new RegExp(`^shim${suffix}\\.efi$`),
    needed: { name: `grub${suffix}.efi`, package: `grub-efi-${architecture}-signed` },
    files: [
      ...places(`grub${suffix}.efi`, [`${signed}/grubnet${suffix}.efi.signed`, `${signed}/grub${suffix}.efi.signed`]),
      ...places(`mm${suffix}.efi`, [`usr/lib/shim/mm${suffix}.efi.signed`, `usr/lib/shim/mm${suffix}.efi`]),
      ...['revocations_sku.efi', 'revocations_sbat.efi', 'shim_certificate_0.efi'].flatMap((name) =>
        places(name, [`usr/lib/shim/${name}`]),
      ),
    ],
  };
}

function places(name: string, paths: readonly string[]): LoaderPlace[] {
  return paths.map((path) => ({ name, path }));
}
