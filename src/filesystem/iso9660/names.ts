import type { DirectoryRecord } from './directory-record.ts';
import type { Iso9660Volume, NameKind } from './volume.ts';

/** Longer names are nobody's; Linux takes 254 bytes. */
const longestName = 1024;

/**
 * The name in a record as Linux shows it: without the version and a dot before it, and in small letters where nothing but
 * ISO 9660 gives names. `rockRidge` is the one that counts where there is one.
 *
 * @throws VarveError `CORRUPT`
 */
export function nameOf(
  volume: Iso9660Volume,
  kind: NameKind,
  { name, place }: DirectoryRecord,
  rockRidge?: Uint8Array,
): Uint8Array {
  const shown = rockRidge ?? (kind === 'joliet' ? jolietName(name) : plainName(name));
  const isDots = shown.length <= 2 && shown.every((byte) => byte === 0x2e);
  if (!isDots && shown.length <= longestName && !shown.includes(0x2f) && !shown.includes(0)) return shown;
  throw volume.corrupt(`the directory record at byte ${place} has a name that cannot be one`);
}

/** Whether a name is the one that is looked for: without Rock Ridge small and capital letters are the same. */
export function isName(kind: NameKind, name: Uint8Array, wanted: Uint8Array): boolean {
  if (kind !== 'rock ridge') return folded(name) === folded(wanted);
  return name.length === wanted.length && name.every((byte, index) => byte === wanted[index]);
}

function jolietName(name: Uint8Array): Uint8Array {
  return new TextEncoder().encode(withoutVersion(new TextDecoder('utf-16be').decode(name)));
}

function plainName(name: Uint8Array): Uint8Array {
  const text = withoutVersion(String.fromCharCode(...name));
  return Uint8Array.from(text, (letter) => {
    const code = letter.charCodeAt(0);
    return code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
  });
}

function withoutVersion(name: string): string {
  return name.replace(/;\d*$/, '').replace(/\.+$/, '');
}

function folded(name: Uint8Array): string {
  return new TextDecoder().decode(name).toUpperCase();
}
