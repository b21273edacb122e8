import type { GuestVolume } from './guest-volume.ts';
import { isCalled } from './volume-names.ts';

/** A line of a guest's crypttab. Source: crypttab(5). */
export interface CrypttabEntry {
  /** What is opened is `/dev/mapper/` and this. */
  readonly name: string;
  /** What is encrypted: `UUID=…`, `/dev/sda5`. */
  readonly device: string;
}

/** As the device mapper has them; others would be written in an escaped form. */
const mapperName = /^[\w+.:-]{1,127}$/;

/** The entries of a crypttab, in order; lines that are none are left out. */
export function parseCrypttab(text: string): CrypttabEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', device] = line.trim().split(/[ \t]+/);
    const isEntry = device !== undefined && !name.startsWith('#') && mapperName.test(name);
    return isEntry ? [{ name, device: device.replace(/^([A-Z]+=)"(.*)"$/, '$1$2') }] : [];
  });
}

/** The volumes, with the names that a crypttab gives to those that are inside of encrypted ones. In the same order. */
export function withCrypttabNames(
  volumes: readonly GuestVolume[],
  entries: readonly CrypttabEntry[],
): readonly GuestVolume[] {
  const names = new Map<string, string>();
  for (const { device, name } of entries) {
    const outer = volumes.find((each) => each.identity?.type === 'crypto_LUKS' && isCalled(each, device));
    const inner = outer && volumes.find(({ madeOf }) => madeOf.length === 1 && madeOf[0] === outer.name);
    if (inner !== undefined) names.set(inner.name, `/dev/mapper/${name}`);
  }
  return volumes.map((volume) => {
    const name = names.get(volume.name) ?? volume.name;
    const aliases = name === volume.name ? volume.aliases : [volume.name, ...volume.aliases];
    return { ...volume, name, aliases, madeOf: volume.madeOf.map((each) => names.get(each) ?? each) };
  });
}
