import type { Command } from 'commander';
import { author } from './author.ts';
import { parseDate } from './date.ts';
import { addMessageOptions, type MessageOptions, readMessage } from './message.ts';

/** What the options of commands that make a snapshot came to. */
export interface NoteOptions extends MessageOptions {
  readonly date?: number;
}

/** What a new snapshot is to say of itself; no message where none was given. */
export interface Note {
  readonly message: string | undefined;
  readonly author: string;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** Declares `-m`, `-F` and `--date`. */
export function addNoteOptions(command: Command): Command {
  return addMessageOptions(command).option(
    '--date <time>',
    'the time to record, in ISO 8601, instead of now',
    parseDate,
  );
}

/** @throws what `readMessage` throws */
export async function readNote(options: NoteOptions): Promise<Note> {
  return { message: await readMessage(options), author: author(), time: options.date ?? Date.now() };
}
