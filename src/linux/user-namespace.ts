import { readFileSync } from 'node:fs';

/** All users of the machine stand for themselves. Source: user_namespaces(7). */
const everybody = /^\s*0\s+0\s+4294967295\s*$/;

/** Whether this process is the machine's root, and not only that of a container's or `unshare`'s users. */
export function isMachineRoot(): boolean {
  try {
    return process.geteuid?.() === 0 && everybody.test(readFileSync('/proc/self/uid_map', 'utf8'));
  } catch {
    return false;
  }
}
