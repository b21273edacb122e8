import type { Command } from 'commander';
import type { SnapshotDetails } from '../../image/snapshot-details.ts';
import { parseDate } from './date.ts';
import { addMessageOptions, type MessageOptions, readMessage } from './message.ts';

/** What the options of commands that make a snapshot came to. */
export interface DetailsOptions extends MessageOptions {
  readonly date?: number;
}

/** Declares `-m`, `-F` and `--date`. */
export function addDetailsOptions(command: Command): Command {
  return addMessageOptions(command).option(
    '--date <time>',
    'the time to record, in ISO 8601, instead of now',
    parseDate,
  );
}

/** What the options say of a new snapshot. @throws what `readMessage` throws */
export async function readDetails(options: DetailsOptions): Promise<SnapshotDetails> {
  return { message: await readMessage(options), time: options.date };
}
