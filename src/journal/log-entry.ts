/** A field of an entry: `NAME=value`, whose value may be any bytes. */
export class LogField {
  readonly name: string;
  readonly value: Uint8Array;
  #text: string | null | undefined;

  constructor(name: string, value: Uint8Array) {
    this.name = name;
    this.value = value;
  }

  /** The value where it is UTF-8, whatever characters are in it. */
  get text(): string | undefined {
    this.#text ??= decoded(this.value);
    return this.#text ?? undefined;
  }

  /** The value where it is UTF-8 and has no control characters but tabs and ends of lines. */
  get printable(): string | undefined {
    const { text } = this;
    return text === undefined || control.test(text) ? undefined : text;
  }
}

/** Something that a system noted in a log. */
export interface LogEntry {
  /** In microseconds since 1970. */
  readonly realtime: number;
  readonly fields: readonly LogField[];
  /** Where in systemd's journal it is; undefined for a line of a text file. */
  readonly place?: JournalPlace | undefined;
}

/** What systemd's journal notes of each entry; ids are in 32 hexadecimal digits. */
export interface JournalPlace {
  readonly sequenceId: string;
  readonly sequence: number;
  readonly bootId: string;
  /** In microseconds since that boot. */
  readonly monotonic: number;
  readonly xorHash: bigint;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const control = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;

function decoded(value: Uint8Array): string | null {
  try {
    return utf8.decode(value);
  } catch {
    return null;
  }
}

/** The first field of a name. */
export function fieldOf({ fields }: LogEntry, name: string): LogField | undefined {
  return fields.find((field) => field.name === name);
}

/** The text of the first field of a name; undefined where there is none, or it is no text. */
export function textOf(entry: LogEntry, name: string): string | undefined {
  return fieldOf(entry, name)?.text;
}

/** Which entry is meant, as `journalctl --cursor` takes it. */
export function cursorOf({ place, realtime }: LogEntry): string | undefined {
  if (place === undefined) return undefined;
  const { bootId, monotonic, sequence, sequenceId, xorHash } = place;
  const hex = (number: number | bigint) => number.toString(16);
  return `s=${sequenceId};i=${hex(sequence)};b=${bootId};m=${hex(monotonic)};t=${hex(realtime)};x=${hex(xorHash)}`;
}
