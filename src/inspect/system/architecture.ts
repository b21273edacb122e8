import type { GuestTree } from '../../guest/guest-tree.ts';
import { readPart } from '../../guest/read-part.ts';
import { attempt } from '../attempt.ts';
import { type Fact, noWarnings, type Warn } from '../fact.ts';

/** What every system has one of. */
const programs = [
  ...['/bin/sh', '/bin/bash', '/bin/ls', '/bin/busybox', '/sbin/init', '/usr/lib/systemd/systemd', '/bin/rpm'],
  ...['/usr/bin/env', '/bin/true', '/lib/ld-linux.so.2', '/lib64/ld-linux-x86-64.so.2'],
];

/** Source: ELF (gABI), e_machine; names as uname(1) has them. */
const machines: Readonly<Record<number, string>> = {
  2: 'sparc',
  3: 'i386',
  4: 'm68k',
  8: 'mips',
  18: 'sparc',
  20: 'ppc',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  43: 'sparc64',
  50: 'ia64',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv64',
  258: 'loongarch64',
};

/** For which processor a guest's programs are, from the first of its own ones that is there. */
export async function architectureOf(tree: GuestTree, warn: Warn = noWarnings): Promise<Fact<string> | undefined> {
  for (const program of programs) {
    const found = await attempt(program, warn, undefined, async () => {
      const file = await tree.find(program);
      if (file?.stat.kind !== 'file') return undefined;
      const value = elfMachine(await readPart(file, 0, 20));
      return value === undefined ? undefined : { value, source: { path: file.path } };
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The processor that an ELF file is for; undefined for what is none, or for one without a name here. */
function elfMachine(bytes: Uint8Array): string | undefined {
  if (bytes.length < 20 || String.fromCharCode(...bytes.subarray(0, 4)) !== '\x7fELF') return undefined;
  const isLittleEndian = bytes[5] === 1;
  const name = machines[new DataView(bytes.buffer, bytes.byteOffset).getUint16(18, isLittleEndian)];
  return name === 'ppc64' && isLittleEndian ? 'ppc64le' : name;
}
