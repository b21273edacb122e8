import { hostname, userInfo } from 'node:os';
import type { SnapshotNote } from '../store/append-snapshot.ts';

/** What is said of a new snapshot; what is left out is filled in. */
export interface SnapshotDetails {
  /** Any text, several lines too; by default what made the snapshot says something fitting, or nothing. */
  readonly message?: string | undefined;
  /** Who it is by; by default `VARVE_AUTHOR` of the environment, else `user@host`. */
  readonly author?: string | undefined;
  /** Milliseconds since 1970; now by default. */
  readonly time?: number | undefined;
}

/** Fills in what `details` leave out. */
export function completeNote(details: SnapshotDetails, defaultMessage: string): SnapshotNote {
  return {
    message: details.message ?? defaultMessage,
    author: details.author ?? defaultAuthor(),
    time: details.time ?? Date.now(),
  };
}

/** Who new snapshots are by where nobody says: `VARVE_AUTHOR`, else `user@host`. */
function defaultAuthor(): string {
  const named = process.env.VARVE_AUTHOR;
  return named !== undefined && named !== '' ? named : `${userName()}@${hostname()}`;
}

/** A user in a container may have a number and no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
