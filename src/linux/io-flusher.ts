import { libc } from './libc.ts';

/* Source: prctl(2). */
const PR_SET_IO_FLUSHER = 57;

/**
 * Tells the kernel that it writes to disks through this thread and those that it starts: when memory is short, it is not made to
 * wait for what itself has to write first. Only root may say so; for others nothing happens.
 */
export function becomeIoFlusher(): void {
  libc().prctl(PR_SET_IO_FLUSHER, 1n, 0n, 0n, 0n);
}
