import { attributes } from './directory-entry.ts';

const charactersPerPart = 13;
const mostParts = 20;
/** Where the characters of a part are in its entry, in bytes. */
const characterPlaces = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/** Puts a long name together from the entries that come before the one that it belongs to (directory-entry.ts). */
export class LongName {
  #parts: string[] = [];
  /** Which part has to come next; 0 when all have come, -1 when none was begun. */
  #wanted = -1;
  #checksum = 0;

  /** Takes an entry with a part of a name; one that does not fit the ones before drops them all. */
  add(entry: Uint8Array): void {
    const number = entry[0]! & 0x3f;
    const isFirst = (entry[0]! & 0x40) !== 0;
    if (isFirst && number >= 1 && number <= mostParts) {
      this.#parts = [];
      this.#checksum = entry[13]!;
    } else if (number !== this.#wanted || number === 0 || entry[13] !== this.#checksum) {
      this.clear();
      return;
    }
    this.#parts.unshift(charactersOf(entry));
    this.#wanted = number - 1;
  }

  /** The name for the entry with this short name, or undefined where there is none, or one of another entry. */
  takeFor(entry: Uint8Array): string | undefined {
    const isWhole = this.#wanted === 0 && this.#checksum === checksumOf(entry);
    const name = isWhole ? this.#parts.join('').replace(/\0.*$/s, '') : '';
    this.clear();
    return name === '' ? undefined : name;
  }

  clear(): void {
    this.#parts = [];
    this.#wanted = -1;
  }
}

/** Whether an entry holds a part of a long name. */
export function isLongNamePart(entry: Uint8Array): boolean {
  return (entry[11]! & 0x3f) === attributes.longName;
}

function charactersOf(entry: Uint8Array): string {
  const view = new DataView(entry.buffer, entry.byteOffset);
  const units = characterPlaces.map((place) => view.getUint16(place, true));
  return String.fromCharCode(...units.slice(0, charactersPerPart));
}

function checksumOf(entry: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < 11; index++) sum = ((((sum & 1) << 7) | (sum >> 1)) + entry[index]!) & 0xff;
  return sum;
}
